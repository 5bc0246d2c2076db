"""What is known of the providers themselves, by all processes: their budgets, and how well they are heard."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tracker.domain.allowance import Allowance
from tracker.domain.breaker import Breaker
from tracker.domain.consent import ProviderId, Status, TrackingId
from tracker.domain.hearing import Hearing
from tracker.domain.lags import Lags
from tracker.journal.entry import Entry

HEALTH_READING = "health"
"""What the reading of the journal is called that the providers' health comes from."""


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class Ledger:
    """What one provider was asked lately.

    Attributes:
        allowance: How often.
        breaker: How that went.
        at: The instant of the clock that counts.
    """

    allowance: Allowance = field(default_factory=Allowance)
    breaker: Breaker = field(default_factory=Breaker)
    at: datetime


class Told(StrEnum):
    """How we learnt of a move."""

    WEBHOOK = "webhook"
    """An event told it first."""
    POLL = "poll"
    """A poll found it first."""
    MISSED = "missed"
    """A poll found it, and no event came within the grace; counted among those that polls found, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Signs of life of a provider; the latest of all processes. None: not seen yet.

    Attributes:
        last_event_at: When a verified event of it last came in.
        keys_fetched_at: When its signing keys were last had.
        keys_failed_at: When they last could not be had.
        tokens_fetched_at: When it last gave us an access token.
        tokens_failed_at: When it last gave none.
    """

    last_event_at: datetime | None = None
    keys_fetched_at: datetime | None = None
    keys_failed_at: datetime | None = None
    tokens_fetched_at: datetime | None = None
    tokens_failed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class Health:
    """How a provider is doing.

    Attributes:
        signs: Signs of life.
        hearing: Whether its events come.
        stretch: By how much base intervals are longer, so that the day's budget lasts.
    """

    signs: Signs = field(default_factory=Signs)
    hearing: Hearing = field(default_factory=Hearing)
    stretch: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """All that the database knows of a provider.

    Attributes:
        ledger: What it was asked lately.
        health: How it is doing.
        lags: From the holder's time of a move to our knowledge of it, by how we learnt of it.
    """

    ledger: Ledger
    health: Health
    lags: Mapping[Told, Lags]


class ProviderBook(Protocol):
    """Providers inside one transaction.

    Order of locks: a ledger first of all, alone but for `lock_due_asks`; a reading before consents, a provider's health after
    them.
    """

    def lock_ledger(self, provider: ProviderId, now: datetime | None) -> Ledger:
        """Hold a provider's ledger until the end; by this clock, or by the database's."""

    def save_ledger(self, provider: ProviderId, ledger: Ledger) -> None:
        """Write a ledger that is held."""

    def read_on(self, reading: str, limit: int) -> Sequence[Entry] | None:
        """Hold a reading of the journal until the end, and go on with it; None if somebody else is at it."""

    def registered_at(self, tracking_ids: Collection[TrackingId]) -> Mapping[TrackingId, datetime]:
        """When tracking of these consents began."""

    def count_moves(self, counted: Mapping[tuple[str, Told, datetime], Lags]) -> None:
        """Add to what was counted of moves, by provider, how we learnt of them, and hour. Only with the reading held."""

    def await_events(self, found: Mapping[int, datetime]) -> None:
        """Wait for events of moves that polls found, until these instants; by the sequence of the entry that told each."""

    def overdue(self, now: datetime, limit: int) -> Sequence[Entry]:
        """What was waited for long enough, the longest overdue first."""

    def settle(self, sequences: Collection[int]) -> None:
        """Wait for these no longer."""

    def is_told(self, tracking_id: TrackingId, status: Status, status_date_time: datetime) -> bool:
        """Whether an event with this claim is on record."""

    def lock_health(self, provider: ProviderId) -> Health:
        """Hold what is known of a provider until the end."""

    def save_hearing(self, provider: ProviderId, hearing: Hearing) -> None:
        """Write whether a provider's events come; its health is held."""
