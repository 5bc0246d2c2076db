"""Checkpoints in the database. Implements `ports.CheckpointBook`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, literal, select, update

from tracker.adapters.store.checkpoint_tables import checkpoint, checkpoint_key
from tracker.adapters.store.columns import Instant
from tracker.adapters.store.database import Database
from tracker.adapters.store.differences import upsert
from tracker.adapters.store.restored import declarations
from tracker.adapters.store.tile_tables import tree
from tracker.journal.gap import Gap
from tracker.journal.tree import leaf_hash
from tracker.ports.checkpoints import SigningHistory, StoredCheckpoint


class SqlCheckpoints:
    """Implements `ports.CheckpointBook`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self) -> StoredCheckpoint | None:
        """The one over the most entries."""
        return await self._one(select(checkpoint).order_by(checkpoint.c.size.desc()).limit(1))

    async def latest_signed(self) -> StoredCheckpoint | None:
        """The one over the most entries that is signed."""
        signed = select(checkpoint).where(checkpoint.c.note.is_not(None))
        return await self._one(signed.order_by(checkpoint.c.size.desc()).limit(1))

    async def at(self, size: int) -> StoredCheckpoint | None:
        """The one over so many entries."""
        return await self._one(select(checkpoint).where(checkpoint.c.size == size))

    async def _one(self, query: Select[Any]) -> StoredCheckpoint | None:
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        timestamp = None if row.timestamp is None else bytes(row.timestamp)
        return StoredCheckpoint(
            size=row.size, root=bytes(row.root), note=row.note, signed_at=row.signed_at, timestamp=timestamp
        )

    async def propose(self, size: int, root: bytes, *, after: int | None) -> bool:
        """Decide what is to be signed next."""

        def decide(connection: Connection) -> tuple[bool, None]:
            connection.execute(
                select(tree.c.size).with_for_update()
            )  # one after the other, as those who extend the tree
            last = connection.execute(select(func.max(checkpoint.c.size))).scalar()
            if last != after:
                return False, None
            connection.execute(insert(checkpoint).values(size=size, root=root))
            return True, None

        return await self._database.write(decide)

    async def keep_note(
        self, size: int, note: str, at: datetime, *, before: str | None, vkeys: Sequence[str] = ()
    ) -> bool:
        """Write a note, and whose signatures of ours are in it."""
        unchanged = checkpoint.c.note.is_(None) if before is None else checkpoint.c.note == before
        put = update(checkpoint).where(checkpoint.c.size == size, unchanged)
        put = put.values(note=note, signed_at=func.coalesce(checkpoint.c.signed_at, literal(at, Instant())))

        def write(connection: Connection) -> tuple[bool, None]:
            if connection.execute(put).rowcount == 0:
                return False, None
            for vkey in vkeys:
                _note_key(connection, vkey, size, at)
            return True, None

        return await self._database.write(write)

    async def keep_timestamp(self, size: int, timestamp: bytes) -> None:
        """Write what a time-stamping authority said."""
        there = and_(checkpoint.c.size == size, checkpoint.c.timestamp.is_(None))
        put = update(checkpoint).where(there).values(timestamp=timestamp)
        await self._database.write(lambda connection: (connection.execute(put), None))

    async def gaps(self) -> list[tuple[Gap, bytes]]:
        """What the journal declares as lost, with the hash of what each entry says now, not of what it once said."""
        return await self._database.read(
            lambda connection: [(gap, leaf_hash(leaf)) for gap, leaf in declarations(connection)]
        )

    async def keys(self) -> list[SigningHistory]:
        """The keys of ours that have signed."""
        query = select(checkpoint_key).order_by(
            checkpoint_key.c.last_size.desc(), checkpoint_key.c.first_size.desc(), checkpoint_key.c.vkey
        )
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [
            SigningHistory(
                vkey=row.vkey,
                first_size=row.first_size,
                first_at=row.first_at,
                last_size=row.last_size,
                last_at=row.last_at,
            )
            for row in found
        ]


def _note_key(connection: Connection, vkey: str, size: int, at: datetime) -> None:
    new = upsert(connection, checkpoint_key).values(vkey=vkey, first_size=size, first_at=at, last_size=size, last_at=at)
    is_later = checkpoint_key.c.last_size <= size
    put = new.on_conflict_do_update(index_elements=["vkey"], set_={"last_size": size, "last_at": at}, where=is_later)
    connection.execute(put)
