"""The past in the store: what was recorded up to an instant, and what we believed then."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from tracker.domain.belief import Belief
from tracker.domain.consent import TrackingId
from tracker.journal.entry import Entry
from tracker.ports.records import Confirmation


class BeliefBook(Protocol):
    """Beliefs, as the script of one transaction writes them."""

    def add(self, beliefs: Sequence[Belief]) -> None:
        """Append some, before the journal's entries of the same transaction."""


class Past(Protocol):
    """The database, as far as the past goes. Every method raises `StorageError` when it is away."""

    async def entries_known(
        self, tracking_ids: Collection[TrackingId], known_at: datetime
    ) -> dict[TrackingId, list[Entry]]:
        """Entries about these consents that were recorded up to an instant, in sequence; consents without any are left out."""

    async def beliefs(self, tracking_ids: Collection[TrackingId], known_at: datetime) -> dict[TrackingId, list[Belief]]:
        """What was kept of them up to an instant, in the order of writing."""

    async def last_confirmation(self, tracking_id: TrackingId, known_at: datetime) -> Confirmation | None:
        """Of what the confirmation log had by an instant, the entry with the latest instant vouched for; the log is bounded."""
