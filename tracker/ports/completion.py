"""What the store keeps of the work that subscribers must do."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tracker.domain.completion import Work, WorkStatus

WorkKey = tuple[str, int, str]
"""A piece of work: of which subscription, by which entry's sequence, what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkQuery:
    """A page of a subscriber's work, in sequence and by its words.

    Attributes:
        now: By this clock.
        status: Only what stands so; None: all.
        after: Behind this sequence and word.
        limit: At most so many.
    """

    now: datetime
    status: WorkStatus | None = None
    after: tuple[int, str] = (0, "")
    limit: int = 100


class CompletionBook(Protocol):
    """The work of subscribers, inside a transaction that holds the consents that it is about."""

    def mark_overdue(self, keys: Collection[WorkKey], now: datetime) -> list[Work]:
        """Note of these that the journal is told now; give those of which it was not, and that are not done."""

    def find(self, key: WorkKey) -> Work | None:
        """One piece of work."""

    def report(self, key: WorkKey, evidence_url: str, done_at: datetime, now: datetime) -> None:
        """Write that it was done."""
