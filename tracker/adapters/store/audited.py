"""Rows of the journal as they are, for whoever checks them; what cannot be read is told and not raised."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, func, select

from tracker.adapters.store.columns import UNREADABLE
from tracker.adapters.store.database import Database
from tracker.adapters.store.tables import entry, journal
from tracker.journal.stored import StoredHead, StoredRow


class SqlAudited:
    """Implements `ports.audited.Audited`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> StoredHead:
        """The journal's head, and the highest sequence there is, of one instant."""
        return await self._database.read(_head)

    async def rows(self, after: int, limit: int, up_to: int) -> Sequence[StoredRow]:
        """Rows in the order of their sequences."""
        return await self._database.read(partial(_rows, after=after, limit=limit, up_to=up_to))

    async def checkpoints(self) -> Sequence[str]:
        """None are stored yet."""
        return ()


def _head(connection: Connection) -> StoredHead:
    highest = select(func.coalesce(func.max(entry.c.sequence), 0)).scalar_subquery()
    row = connection.execute(select(journal, highest.label("highest"))).one()
    recorded_at = None if row.recorded_at is UNREADABLE else row.recorded_at
    return StoredHead(
        journal_id=row.journal_id, last=row.next_sequence - 1, recorded_at=recorded_at, highest=row.highest
    )


def _rows(connection: Connection, after: int, limit: int, up_to: int) -> list[StoredRow]:
    query = select(entry).where(entry.c.sequence > after, entry.c.sequence <= up_to)
    return [_stored(row) for row in connection.execute(query.order_by(entry.c.sequence).limit(limit))]


def _stored(row: Row[Any]) -> StoredRow:
    fault = ""
    blobs = {"leaf": row.leaf, "leaf_hash": row.leaf_hash, "private_salt": row.private_salt}
    for name, blob in blobs.items():
        # SQLite keeps what it is given, whatever the column is called.
        if not isinstance(blob, bytes) and (blob is not None or name != "private_salt"):
            fault = f"the column {name} holds no bytes"
    if row.private is UNREADABLE:
        fault = "its private value cannot be read"
    return StoredRow(
        sequence=row.sequence,
        id=row.id,
        lane=row.tracking_id,
        recorded_at=None if row.recorded_at is UNREADABLE else row.recorded_at,
        leaf=row.leaf,
        leaf_hash=row.leaf_hash,
        private=row.private,
        private_salt=row.private_salt,
        fault=fault,
    )
