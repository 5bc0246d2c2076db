"""What it takes to go on with a journal that was restored from an older copy."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from tracker.journal.entry import Entry
from tracker.journal.gap import Gap

Decide = Callable[[int, list[Gap]], Gap]
"""Given the last sequence there is and the gaps that are declared already, what is lost; raises what is to stop it."""


class Restored(Protocol):
    """Jumps over what is lost. Every method raises `StorageError` when the database is away."""

    async def jump(self, decide: Decide, entry_id: str, now: datetime) -> Entry:
        """Hold the journal's head, decide what is lost, and append the entry that declares it behind that; all in one.

        Two who do it at once do it one after the other, and the second is told of the first's gap.
        """

    async def ahead(self) -> list[str]:
        """What knows of more entries than the journal has, in words; nothing where all is of one time."""
