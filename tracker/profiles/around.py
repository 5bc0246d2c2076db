"""What a profile says of what lies around a consent's status: the way to it, payments under it, words for customers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from tracker.domain.consent import Status
from tracker.domain.payment import PaymentOutcome


@dataclass(frozen=True, kw_only=True)
class PaymentSnapshot:
    """What a holder says of one payment at one time.

    Attributes:
        payment_id: Which payment.
        status: The holder's word.
        outcome: What that comes to.
        is_final: Whether it will not change any more, as far as is known.
        status_date_time: Since when.
        creation_date_time: When it was made.
        transaction_id: What the rail calls it.
        reject_codes: Why it was rejected: codes, never free text.
        amount: How much, as the holder writes it.
        currency: Of what.
    """

    payment_id: str
    status: str
    outcome: PaymentOutcome
    is_final: bool
    status_date_time: datetime
    creation_date_time: datetime | None = None
    transaction_id: str | None = None
    reject_codes: tuple[str, ...] = ()
    amount: str | None = None
    currency: str | None = None


@dataclass(frozen=True, kw_only=True)
class Granted:
    """What a token's response says of the consent that the token is for.

    Attributes:
        consent_id: Which consent; None if it does not say.
        status: Its status in the profile's canonical words; None if it says none.
        status_date_time: Since when, if it says so.
        terms: The consent as the response has it.
    """

    consent_id: str | None
    status: Status | None
    status_date_time: datetime | None
    terms: Mapping[str, Any]


class Shelf(StrEnum):
    """Where a customer finds a consent."""

    CURRENT = "Current"
    HISTORY = "History"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What a consent is called towards the customer.

    Attributes:
        shelf: Among which it is shown.
        status: What its state is called.
        type: What kind of thing it is; None while that is not known.
    """

    shelf: Shelf
    status: str
    type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A consent, as far as labels depend on it.

    Attributes:
        kind: One of the profile's kinds.
        status: The effective status.
        paused: We do not use it for now.
        revoking: We asked the holder to revoke it and wait for its word.
        terms: What is known of its terms.
        payment_outcome: What the latest word on a payment under it comes to.
    """

    kind: str
    status: Status
    paused: bool = False
    revoking: bool = False
    terms: Mapping[str, Any] | None = None
    payment_outcome: PaymentOutcome | None = None


class AroundConsents(Protocol):
    """One ecosystem's rules for what lies around a consent's status."""

    def end_after_error(self, error: str, error_description: str | None) -> Status | None:
        """The end that a consent may have come to when authorizing it failed with this error; None if that ended nothing."""

    def end_after_refusal(self, status: int, code: str | None) -> Status | None:
        """The end that a consent may have come to when data under it were refused; None if that speaks of no end.

        Args:
            status: The HTTP status of the refusal.
            code: The holder's word for the reason, if it gave one.
        """

    def read_granted(self, details: object) -> Granted:
        """Read the details of an authorization that came with a token.

        Raises:
            UnreadableMessageError: They are not of the form.
        """

    def labels(self, shown: Shown) -> Labels | None:
        """What a consent is called towards the customer; None for one that is not to be shown to him."""
