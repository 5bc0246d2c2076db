"""A part of the store: what exports are made of."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, func, select

from tracker.adapters.store import replays
from tracker.adapters.store.columns import Unreadable
from tracker.adapters.store.database import Database
from tracker.adapters.store.tables import consent, entry
from tracker.domain.errors import InconsistentRowError
from tracker.journal.export import Row

_COLUMNS = (entry.c.sequence, entry.c.leaf, entry.c.leaf_hash, entry.c.private, entry.c.private_salt)


class SqlExportStore:
    """The part of `ports.Store` that is about it."""

    _database: Database

    async def export_rows(
        self, after: int, last: int, limit: int, tracking_ids: Collection[str] | None = None
    ) -> list[Row]:
        """Rows of entries, the leaf as it is stored."""
        return await self._database.read(partial(_rows, after=after, last=last, limit=limit, tracking_ids=tracking_ids))

    async def first_since(self, time: datetime) -> int:
        """The first entry that was recorded at this time or later."""
        return await self._database.read(partial(replays.first_since, time=time))

    async def count_consents(self) -> int:
        """How many consents there are."""
        query = select(func.count()).select_from(consent)
        return await self._database.read(lambda connection: int(connection.execute(query).scalar_one()))


def _rows(connection: Connection, after: int, last: int, limit: int, tracking_ids: Collection[str] | None) -> list[Row]:
    query = select(*_COLUMNS).where(entry.c.sequence > after, entry.c.sequence <= last)
    if tracking_ids is not None:
        query = query.where(entry.c.tracking_id.in_(sorted(tracking_ids)))
    found = connection.execute(query.order_by(entry.c.sequence).limit(limit))
    rows = list(map(Row._make, found))
    for row in rows:
        if isinstance(row.private, Unreadable):
            raise InconsistentRowError("entry", "private", row.sequence)
    return rows
