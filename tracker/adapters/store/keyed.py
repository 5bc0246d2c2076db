"""A database whose every piece of work has the keys at hand that open what it reads; else it is the database beneath."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from tracker.adapters.store.at_hand import keyed
from tracker.adapters.store.database import Database
from tracker.adapters.store.safe import Safe

T = TypeVar("T")


class KeyedDatabase:
    """Implements `Database` on another."""

    def __init__(self, database: Database, safe: Safe) -> None:
        self.beneath = database
        self._safe = safe

    async def write(
        self, work: Callable[[Connection], tuple[T, str | None]], *, urgent: bool = False, flush: bool = True
    ) -> T:
        """Run work in a transaction."""
        return await self.beneath.write(keyed(self._safe, work), urgent=urgent, flush=flush)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a query."""
        return await self.beneath.read(keyed(self._safe, work))

    async def glance(self, work: Callable[[Connection], T]) -> T:
        """Run a query that looks up a row or two."""
        return await self.beneath.glance(keyed(self._safe, work))

    async def scrub(self) -> bool:
        """Leave nothing of what was deleted where it could be read."""
        return await self.beneath.scrub()

    async def close(self) -> None:
        """Finish what waits."""
        await self.beneath.close()
