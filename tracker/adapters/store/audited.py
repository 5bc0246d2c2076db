"""Rows of the journal as they are, for whoever checks them; what cannot be read is told and not raised."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, func, select

from tracker.adapters.store.at_hand import with_their_keys
from tracker.adapters.store.checkpoint_tables import checkpoint, checkpoint_key
from tracker.adapters.store.columns import UNREADABLE
from tracker.adapters.store.database import Database
from tracker.adapters.store.differences import POSTGRES
from tracker.adapters.store.retention_tables import journal_detached
from tracker.adapters.store.safe import ChangedKeyError, is_like_sealed
from tracker.adapters.store.sealed import private_of
from tracker.adapters.store.tables import entry, journal
from tracker.journal.stored import StoredHead, StoredKey, StoredNote, StoredRow


class SqlAudited:
    """Implements `ports.audited.Audited`."""

    def __init__(self, database: Database) -> None:
        """Take a database.

        Args:
            database: Has the keys of consents at hand, see `KeyedDatabase`.
        """
        self._database = database

    async def head(self) -> StoredHead:
        """The journal's head, and the highest sequence there is, of one instant."""
        return await self._database.read(_head)

    async def rows(self, after: int, limit: int, up_to: int) -> Sequence[StoredRow]:
        """Rows in the order of their sequences."""
        return await self._database.read(partial(_rows, after=after, limit=limit, up_to=up_to))

    async def checkpoints(self, after: int, limit: int) -> Sequence[StoredNote]:
        """Stored checkpoints in the order of their sizes."""
        query = select(checkpoint.c.size, checkpoint.c.root, checkpoint.c.note, checkpoint.c.signed_at)
        query = query.where(checkpoint.c.size > after).order_by(checkpoint.c.size).limit(limit)
        return await self._database.read(lambda connection: [_note(row) for row in connection.execute(query)])

    async def keys(self) -> Sequence[StoredKey]:
        """The keys that are said to have signed them."""
        query = select(checkpoint_key).order_by(checkpoint_key.c.first_size, checkpoint_key.c.vkey)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [StoredKey(vkey=row.vkey, first_size=row.first_size, last_size=row.last_size) for row in found]


def _head(connection: Connection) -> StoredHead:
    highest = select(func.coalesce(func.max(entry.c.sequence), 0)).scalar_subquery()
    row = connection.execute(select(journal, highest.label("highest"))).one()
    recorded_at = None if row.recorded_at is UNREADABLE else row.recorded_at
    detached = 0
    if connection.dialect.name == POSTGRES:  # elsewhere nothing is ever taken out, whatever a table says
        detached = (connection.execute(select(func.max(journal_detached.c.below))).scalar() or 1) - 1
    return StoredHead(
        journal_id=row.journal_id,
        last=row.next_sequence - 1,
        recorded_at=recorded_at,
        highest=row.highest,
        detached=detached,
    )


def _rows(connection: Connection, after: int, limit: int, up_to: int) -> list[StoredRow]:
    query = select(entry).where(entry.c.sequence > after, entry.c.sequence <= up_to)
    found = connection.execute(query.order_by(entry.c.sequence).limit(limit)).all()
    with suppress(ChangedKeyError, ValueError):  # told of the first entry that stands under it
        with_their_keys(found)
    return [_stored(row) for row in found]


def _stored(row: Row[Any]) -> StoredRow:
    fault = ""
    blobs = {"leaf": row.leaf, "leaf_hash": row.leaf_hash, "private_salt": row.private_salt}
    for name, blob in blobs.items():
        # SQLite keeps what it is given, whatever the column is called.
        if not isinstance(blob, bytes) and (blob is not None or name != "private_salt"):
            fault = f"the column {name} holds no bytes"
    if row.private is UNREADABLE:
        fault = "its private value cannot be read"
    stored = StoredRow(
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
    is_sealed = not fault and row.private is None and row.private_salt is not None
    return _opened(stored, row.private_salt) if is_sealed else stored


def _opened(row: StoredRow, sealed: bytes) -> StoredRow:
    """With the private value and its salt, which stand sealed where the salt stood; without them where their key is no more."""
    closed = replace(row, private_salt=None)
    if not is_like_sealed(sealed):
        return replace(closed, private_fault="what stands for its private value is not sealed")
    try:
        private, salt = private_of(json.loads(row.leaf), sealed)
    except (TypeError, KeyError, AttributeError, RecursionError):
        return closed  # the leaf is none, which is told of it before
    except (ChangedKeyError, ValueError):
        return replace(closed, private_fault="its private value, or the key that opens it, was changed or is another's")
    return replace(closed, private=private, private_salt=salt)


def _note(row: Row[Any, Any, Any, Any]) -> StoredNote:
    root = bytes(row.root) if isinstance(row.root, bytes | memoryview) else b""
    note = None if row.note is None else str(row.note)
    return StoredNote(size=row.size, root=root, note=note, is_signed=row.signed_at is not None)
