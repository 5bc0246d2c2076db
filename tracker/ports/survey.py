"""How things stand, for whoever watches the service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tracker.domain.subscription import SubscriptionState


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAsks:
    """A provider's consents that are due to be asked about, those included that are being asked about.

    Attributes:
        count: How many.
        since: When the longest overdue one was due; None if there is none.
    """

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What the calendar wants told, of all providers that are configured.

    Attributes:
        count: How many consents it is due of.
        since: Since when the longest overdue is; None if there is none.
    """

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a subscription has come.

    Attributes:
        id: Which one.
        state: Whether it is being told.
        cursor: Up to this sequence everything is settled.
        is_paused: Somebody wants it not to be told for now.
        waits_since: When the first entry was recorded that is not settled; None if all are.
    """

    id: str
    state: SubscriptionState
    cursor: int
    is_paused: bool = False
    waits_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How much waits where.

    Attributes:
        at: When it was looked.
        inbox_events: How many events wait to be opened.
        inbox_received_at: When the oldest of them came; None if there is none.
        inbox_due_since: When the most overdue of them should have been opened.
        journal_head: The sequence of the last entry; 0 before the first.
        quarantine_verified: How many events are put aside whose signature held.
        quarantine_unverified: How many others.
        asks: What is due to be asked, by provider: by the base intervals, whatever the provider's condition makes of them.
        expired_unconfirmed: How many consents' expiry the holder has not confirmed for a day, by provider.
        clock: Expiries to be told, and authorizations that nobody finished.
        notices: Deadlines to be told of.
        subscriptions: All of them, the furthest behind first.
        parked: How many entries wait to be told again, over all subscriptions.
        dead_letters: How many were given up.
    """

    at: datetime
    inbox_events: int
    inbox_received_at: datetime | None
    inbox_due_since: datetime | None
    journal_head: int
    quarantine_verified: int
    quarantine_unverified: int
    asks: Mapping[str, DueAsks]
    expired_unconfirmed: Mapping[str, int]
    clock: Due
    notices: Due
    subscriptions: tuple[Standing, ...]
    parked: int
    dead_letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderTally:
    """What was fetched of a holder since the start.

    Attributes:
        tokens_fetched: Access tokens had.
        tokens_failed: Attempts to have one that failed.
        keys_fetched: How often its signing keys were fetched, or found unchanged.
        keys_failed: How often they could not be.
        keys_age_seconds: How long ago the keys in use were asked for; None if there are none.
    """

    tokens_fetched: int
    tokens_failed: int
    keys_fetched: int
    keys_failed: int
    keys_age_seconds: float | None
