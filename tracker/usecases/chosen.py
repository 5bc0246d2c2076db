"""What one replay has in hand: entries of its window, and what came of each."""

from dataclasses import dataclass
from enum import Enum, auto

from tracker.journal.entry import Entry


class Outcome(Enum):
    """In what way an entry is settled."""

    DONE = auto()
    FAILED = auto()
    SKIPPED = auto()


@dataclass(slots=True, eq=False)
class Chosen:
    """An entry of the window. Times are of the clock that is never set.

    Attributes:
        is_counted: Whether that it is settled was written down.
    """

    sequence: int
    entry: Entry | None = None
    outcome: Outcome | None = None
    is_counted: bool = False
    tries: int = 0
    due_at: float = 0.0
    suspected_at: float | None = None
    error: str | None = None
    answer: str | None = None
