"""`ports.SealingBook` on the database."""

from collections.abc import Collection
from functools import partial

from sqlalchemy import Connection

from tracker.adapters.store import sealing
from tracker.adapters.store.database import Database
from tracker.adapters.store.safe import Safe
from tracker.ports import AtRest, SealingStep


class SqlSealing:
    """Implements `ports.SealingBook`."""

    def __init__(self, database: Database, safe: Safe) -> None:
        self._database = database
        self._safe = safe

    async def step(self, limit: int) -> SealingStep | None:
        """Seal up to so many rows; None: there is nothing left, or another process is at it."""

        def work(connection: Connection) -> tuple[SealingStep | None, None]:
            return sealing.seal_some(connection, self._safe, limit), None

        if await self.is_done():  # nobody is kept from writing by a look
            return None
        return await self._database.write(work)

    async def is_done(self) -> bool:
        """Whether there is nothing left."""
        return await self._database.read(partial(sealing.is_done, safe=self._safe))

    async def begin_anew(self) -> None:
        """Have all rows gone through once more."""

        def work(connection: Connection) -> tuple[None, None]:
            sealing.begin_anew(connection)
            return None, None

        await self._database.write(work)

    async def standing(self) -> AtRest:
        """Count how everything stands."""
        return await self._database.read(partial(sealing.at_rest, safe=self._safe))

    async def missing_keys(self, kids: Collection[str]) -> list[str]:
        """The ids of keys of the ring that are needed and are not among these."""
        return await self._database.read(partial(sealing.missing_ring_keys, kids=kids))
