"""What it takes to look at the journal as it is stored, without trusting what looks it up."""

from collections.abc import Sequence
from typing import Protocol

from tracker.journal.stored import StoredHead, StoredKey, StoredNote, StoredRow


class Audited(Protocol):
    """Reads rows as they are. Nothing is written, and others may write meanwhile.

    Every method raises `StorageError` when the database is away.
    """

    async def head(self) -> StoredHead:
        """The journal's head, and the highest sequence there is, of one instant."""

    async def rows(self, after: int, limit: int, up_to: int) -> Sequence[StoredRow]:
        """Rows in the order of their sequences; those that cannot be read, too. Private values are opened."""

    async def checkpoints(self, after: int, limit: int) -> Sequence[StoredNote]:
        """The checkpoints that are stored, of more than `after` entries, in the order of their sizes."""

    async def keys(self) -> Sequence[StoredKey]:
        """The keys that are said to have signed them."""
