"""The stored tree over the journal."""

from collections.abc import Collection
from typing import Protocol

from tracker.journal.tiles import Tile


class TreeStore(Protocol):
    """What keeps the tiles. Every method raises `StorageError` when the database is away."""

    async def tree_size(self) -> int:
        """Over how many entries the tree reaches; the journal may be longer."""

    async def extend_tree(self, limit: int) -> int:
        """Take the next entries into the tree, so many at most, and give their number.

        Several processes may do it at once: each entry is taken in once, in sequence.

        Raises:
            TornTreeError: The next entry is not there although later ones are, or a tile is not as it was left.
        """

    async def tiles(self, wanted: Collection[Tile]) -> dict[Tile, bytes]:
        """Read tiles; those that are not there are left out."""
