"""A part of the store: the tree over the journal."""

from collections.abc import Collection
from functools import partial

from tracker.adapters.store import tiles
from tracker.adapters.store.database import Database
from tracker.journal.tiles import Tile


class SqlTreeStore:
    """The part of `ports.Store` that is about it."""

    _database: Database

    async def tree_size(self) -> int:
        """Over how many entries the tree reaches."""
        return await self._database.read(tiles.size)

    async def extend_tree(self, limit: int) -> int:
        """Take the next entries into the tree."""
        return await self._database.write(lambda connection: (tiles.extend(connection, limit), None))

    async def tiles(self, wanted: Collection[Tile]) -> dict[Tile, bytes]:
        """Read tiles."""
        return await self._database.read(partial(tiles.read, wanted=wanted))
