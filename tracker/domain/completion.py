"""What a subscriber must report as done: the proof that the end of a consent was obeyed. Pure.

A subscription may ask for it: of certain entries that it hears, certain pieces of work, each within a time. What is due
follows from the journal alone, not from what was delivered: of an entry that never arrived it is overdue all the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

WORK_PATTERN: Final = r"[a-z][a-z0-9_]{0,63}"
MOST_WORK: Final = 10
SHORTEST_WITHIN: Final = timedelta(minutes=1)
LONGEST_WITHIN: Final = timedelta(days=400)
FAMILY: Final = "subscription."
"""Entries whose types begin so tell of subscriptions: they ask for no work, or each report would ask for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionTerms:
    """What must be reported.

    Attributes:
        types: Of entries of these types, as patterns.
        to: That move to one of these statuses; empty: to any or none.
        work: What is to be done, in words of the subscriber's: `data_deleted`.
        within: So long after the entry was recorded.
        after: Only of entries behind this sequence.
    """

    types: tuple[str, ...]
    to: frozenset[str] = frozenset()
    work: tuple[str, ...]
    within: timedelta
    after: int = 0


class WorkStatus(StrEnum):
    """How a piece of work stands."""

    DUE = "due"
    """There is time left."""
    OVERDUE = "overdue"
    """There is none left, and nothing was reported."""
    DONE = "done"
    """It was reported, in time or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A piece of work that an entry asks a subscriber for.

    Attributes:
        subscription_id: Whom.
        sequence: By which entry.
        work: What.
        entry_id: The entry's id.
        tracking_id: About whose consent.
        provider: At which provider.
        due_at: Until when.
        overdue_told_at: When the journal was told that it is overdue; None: it was not.
        evidence_url: Where the proof is, as reported.
        done_at: When it was done, by the subscriber's clock.
        reported_at: When that was reported.
    """

    subscription_id: str
    sequence: int
    work: str
    entry_id: str
    tracking_id: str
    provider: str
    due_at: datetime
    overdue_told_at: datetime | None = None
    evidence_url: str | None = None
    done_at: datetime | None = None
    reported_at: datetime | None = None

    def status(self, now: datetime) -> WorkStatus:
        """How it stands."""
        if self.reported_at is not None:
            return WorkStatus.DONE
        return WorkStatus.OVERDUE if self.due_at <= now else WorkStatus.DUE
