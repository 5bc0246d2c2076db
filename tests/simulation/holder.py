"""A holder's true record of one consent: what happens to it and when, and what becomes of each event on its way to us.

Nothing here knows the tracker. A life is made from chance alone, and is the truth that the tracker is measured against.

Spec: UAE Open Finance v2.1, "Consent States": the moves; a holder may be slow to flip a consent that has expired, or never do.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from tracker.domain.consent import Status

DUBAI: Final = timezone(timedelta(hours=4))
SECOND: Final = timedelta(seconds=1)


class Fate(StrEnum):
    """What becomes of an event; the first that fits."""

    PROMPT = "prompt"
    DELAYED = "delayed"
    LAPSED = "lapsed"
    """It came so late, in the token in which it was sent first, that it cannot be trusted any more."""
    LOST = "lost"
    SILENT = "silent"
    """The whole channel was silent when it was due."""
    NONE = "none"
    """Nobody sends one: a consent comes into being, or ends by its own expiry without being flipped."""


@dataclass(frozen=True)
class Delivery:
    """One time that an event is sent.

    Attributes:
        after: How long after the move.
        minted_after: How long after the move its token was made.
    """

    after: timedelta
    minted_after: timedelta


@dataclass(frozen=True)
class Move:
    """One move of a consent at its holder.

    Attributes:
        at: When, truly.
        status: To what.
        fate: What chance decides for its event.
        deliveries: When it is sent; none for one that is lost.
        revoked_by: Who revoked.
    """

    at: datetime
    status: Status
    fate: Fate = Fate.NONE
    deliveries: tuple[Delivery, ...] = ()
    revoked_by: str | None = None


@dataclass(frozen=True)
class Life:
    """A consent at its holder.

    Attributes:
        consent_id: What it is called.
        kind: One of the profile's kinds.
        moves: What happens to it, in order.
        expires: When it ends by itself.
        registered_at: When our own application tells the tracker of it.
        base_consent_id: The root of its chain of renewals.
        authorization_expires: Payments by several people: until when they may authorize.
        says_expiry: Whether our application told when it ends; else only the holder does.
        is_single: Whether it is for one payment.
        skew: How far the holder's clock is ahead of the true time.
    """

    consent_id: str
    kind: str
    moves: tuple[Move, ...]
    expires: datetime
    registered_at: datetime
    base_consent_id: str | None = None
    authorization_expires: datetime | None = None
    says_expiry: bool = True
    is_single: bool = False
    skew: timedelta = timedelta()

    @cached_property
    def ended_at(self) -> datetime:
        """From when on it may not be used any more, truly."""
        return min((move.at for move in self.moves if move.status.is_terminal), default=self.expires)

    @cached_property
    def not_authorized(self) -> tuple[tuple[datetime, datetime], ...]:
        """The spans in which it stood suspended."""
        after = [*(move.at for move in self.moves[1:]), self.expires]
        return tuple((m.at, end) for m, end in zip(self.moves, after, strict=True) if m.status is Status.SUSPENDED)

    def record_at(self, instant: datetime) -> int | None:
        """Which of the moves is the latest at an instant; None before the first."""
        found = None
        for number, move in enumerate(self.moves):
            if move.at > instant:
                break
            found = number
        return found

    def stamp(self, number: int) -> datetime:
        """The holder's time for a move: by its own clock, cut to whole seconds."""
        stamped = (self.moves[number].at + self.skew).replace(microsecond=0)
        if self.moves[number].status is Status.EXPIRED:
            return max(stamped, self.expires)
        return stamped

    def data(self, number: int) -> dict[str, Any]:
        """The holder's `Data` after a move."""
        move = self.moves[number]
        said: dict[str, Any] = {
            "ConsentId": self.consent_id,
            "CreationDateTime": _theirs(self.moves[0].at),
            "Status": move.status.value,
            "StatusUpdateDateTime": _theirs(self.stamp(number)),
            "ExpirationDateTime": _theirs(self.expires),
            **_TERMS["one payment" if self.is_single else self.kind],
        }
        if self.base_consent_id is not None:
            said["BaseConsentId"] = self.base_consent_id
        if self.authorization_expires is not None:
            said["AuthorizationExpirationDateTime"] = _theirs(self.authorization_expires)
        if move.revoked_by is not None:
            said["RevokedBy"] = move.revoked_by
        return said

    def without_move(self, number: int) -> "Life":
        """The same, had this not happened."""
        return replace(self, moves=self.moves[:number] + self.moves[number + 1 :])


_TERMS: Final[dict[str, dict[str, Any]]] = {
    "account-access": {
        "Permissions": ["ReadAccountsBasic", "ReadBalances"],
        "OpenFinanceBilling": {"UserType": "Retail", "Purpose": "AccountAggregation"},
    },
    "payment": {
        "PaymentPurposeCode": "ACM",
        "ControlParameters": {"ConsentSchedule": {"MultiPayment": {"MaximumCumulativeNumberOfPayments": 500}}},
    },
    "one payment": {
        "PaymentPurposeCode": "ACM",
        "ControlParameters": {
            "ConsentSchedule": {
                "SinglePayment": {"Type": "SingleInstantPayment", "Amount": {"Amount": "74.50", "Currency": "AED"}}
            }
        },
    },
    "insurance": {"Permissions": [{"InsuranceType": "Motor", "Permissions": ["ReadInsurancePolicies"]}]},
}


def _theirs(instant: datetime) -> str:
    return instant.astimezone(DUBAI).isoformat(timespec="seconds")
