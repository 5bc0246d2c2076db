"""A part of the store: what exports are made of."""

import json
from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from tracker.adapters.store import replays
from tracker.adapters.store.at_hand import at_hand
from tracker.adapters.store.database import Database
from tracker.adapters.store.sealed import private_of
from tracker.adapters.store.tables import consent, entry
from tracker.domain.errors import InconsistentRowError
from tracker.journal.export import Row

_COLUMNS = (
    entry.c.sequence,
    entry.c.leaf,
    entry.c.leaf_hash,
    entry.c.private,
    entry.c.private_salt,
    entry.c.tracking_id,
)
_TRACKING_ID = 5


class SqlExportStore:
    """The part of `ports.Store` that is about it."""

    _database: Database

    async def export_rows(
        self, after: int, last: int, limit: int, tracking_ids: Collection[str] | None = None
    ) -> list[Row]:
        """Rows of entries, the leaf as it is stored, and private values as they were before they were sealed."""
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
    # The driver's own rows: SQLAlchemy's cost as much as reading them does, and only one column in them is to be read.
    cursor: Any = connection.execute(query.order_by(entry.c.sequence).limit(limit)).cursor
    found = cursor.fetchall()
    sealed = {row[_TRACKING_ID] for row in found if row[3] is None and row[4] is not None}
    at_hand().fetch_tracked(sealed)
    return [row[:_TRACKING_ID] if row[3] is None and row[4] is None else _read(*row[:_TRACKING_ID]) for row in found]


def _read(sequence: int, leaf: bytes, leaf_hash: bytes, private: Any, salt: bytes | None) -> Row:
    """A row with its private value, or without where the key of that was destroyed. Older rows have it as it is."""
    try:
        if private is None and salt is not None:
            read, salt = private_of(json.loads(leaf), bytes(salt))
        else:
            read = json.loads(private) if isinstance(private, str) else private  # what PostgreSQL's driver has read
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise InconsistentRowError("entry", str(sequence), "private is not readable") from error
    if not (isinstance(read, dict) or (read is None and salt is None)):
        raise InconsistentRowError("entry", str(sequence), "private is not an object")
    return sequence, leaf, leaf_hash, read, salt
