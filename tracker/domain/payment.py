"""Payments under a consent: what the latest word on each is. They never move the consent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tracker.domain.consent import ConsentId, ProviderId


class PaymentOutcome(StrEnum):
    """What a payment has come to, in words that every profile's own come to; in the order in which they follow each other."""

    PENDING = "pending"
    """Nothing yet, or nothing that the profile knows."""
    SUCCESSFUL = "successful"
    FAILED = "failed"

    @property
    def rank(self) -> int:
        """Which of two of one instant is the later: the higher."""
        return list(PaymentOutcome).index(self)


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class Payment:
    """The latest that a holder said of one payment; by its provider and `payment_id` there is one.

    Attributes:
        provider: Who says so.
        payment_id: What the holder calls it.
        consent_id: The consent under which it was made.
        status: The holder's word.
        outcome: What that comes to.
        is_final: Whether the profile knows that it will not change any more.
        status_date_time: Since when, by the holder.
        creation_date_time: When it was made, by the holder.
        transaction_id: What the rail calls it.
        reject_codes: Why it was rejected; codes only.
        amount: How much, as the holder writes it; personal.
        currency: Of what.
        received_at: When we heard it.
        recorded_at: When it was put on record.
        jws_sha256: The signed token that it rests on.
        jwe_sha256: What that came encrypted in.
        kid: The key that verified it.
        jwk_thumbprint: That key's thumbprint.
    """

    provider: ProviderId
    payment_id: str
    consent_id: ConsentId
    status: str
    outcome: PaymentOutcome
    is_final: bool
    status_date_time: datetime
    creation_date_time: datetime | None = None
    transaction_id: str | None = None
    reject_codes: tuple[str, ...] = ()
    amount: str | None = None
    currency: str | None = None
    received_at: datetime
    recorded_at: datetime
    jws_sha256: str
    jwe_sha256: str | None
    kid: str
    jwk_thumbprint: str

    @property
    def key(self) -> tuple[ProviderId, str]:
        """What there is one of."""
        return self.provider, self.payment_id

    def is_later_than(self, other: "Payment") -> bool:
        """Whether this is the later word on a payment. The words decide, never the order in which they came.

        At one instant, what is final is later; of two such, the one that sorts after.
        """
        return self.place > other.place

    @property
    def place(self) -> tuple[datetime, bool, str]:
        """Where it stands among the words on its payment."""
        return self.status_date_time, self.is_final, self.status
