"""The past in the database. Implements `ports.Past` and `ports.BeliefBook`."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Row, select

from tracker.adapters.store import rows
from tracker.adapters.store.belief_tables import belief
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.rows.reading import Values, consistent
from tracker.adapters.store.tables import confirmation, entry
from tracker.domain.belief import Belief
from tracker.domain.consent import Channel, Status, TrackingId
from tracker.journal.entry import Entry
from tracker.ports import Confirmation

T = TypeVar("T")
_LATEST = (confirmation.c.vouched_at.desc(), confirmation.c.recorded_at.desc(), confirmation.c.id.desc())


class _Database(Protocol):
    async def read(self, work: Callable[[Connection], T]) -> T: ...


class SqlBeliefBook:
    """Implements `ports.BeliefBook` on a connection inside a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, beliefs: Sequence[Belief]) -> None:
        """Append some."""
        insert_rows(self._connection, belief, [_values(one) for one in beliefs])


class SqlPast:
    """Implements `ports.Past`."""

    def __init__(self, database: _Database) -> None:
        self._database = database

    async def entries_known(
        self, tracking_ids: Collection[TrackingId], known_at: datetime
    ) -> dict[TrackingId, list[Entry]]:
        """Entries about these consents that were recorded up to an instant."""
        return await self._database.read(partial(_entries, tracking_ids=tracking_ids, known_at=known_at))

    async def beliefs(self, tracking_ids: Collection[TrackingId], known_at: datetime) -> dict[TrackingId, list[Belief]]:
        """What was kept of them up to an instant."""
        return await self._database.read(partial(_beliefs, tracking_ids=tracking_ids, known_at=known_at))

    async def last_confirmation(self, tracking_id: TrackingId, known_at: datetime) -> Confirmation | None:
        """The latest instant vouched for in what the confirmation log had by an instant."""
        return await self._database.read(partial(_confirmation, tracking_id=tracking_id, known_at=known_at))


def _entries(
    connection: Connection, tracking_ids: Collection[TrackingId], known_at: datetime
) -> dict[TrackingId, list[Entry]]:
    theirs = entry.c.tracking_id.in_(sorted(tracking_ids)), entry.c.recorded_at <= known_at
    found: dict[TrackingId, list[Entry]] = {}
    for row in connection.execute(select(entry).where(*theirs).order_by(entry.c.sequence)):
        found.setdefault(TrackingId(row.tracking_id), []).append(rows.to_entry(row))
    return found


def _beliefs(
    connection: Connection, tracking_ids: Collection[TrackingId], known_at: datetime
) -> dict[TrackingId, list[Belief]]:
    theirs = belief.c.tracking_id.in_(sorted(tracking_ids)), belief.c.recorded_at <= known_at
    found: dict[TrackingId, list[Belief]] = {}
    for row in connection.execute(select(belief).where(*theirs).order_by(belief.c.id)):
        found.setdefault(TrackingId(row.tracking_id), []).append(_to_belief(row))
    return found


def _confirmation(connection: Connection, tracking_id: TrackingId, known_at: datetime) -> Confirmation | None:
    query = select(confirmation).where(
        confirmation.c.tracking_id == tracking_id, confirmation.c.recorded_at <= known_at
    )
    row = connection.execute(query.order_by(*_LATEST).limit(1)).one_or_none()
    return None if row is None else _to_confirmation(row)


def _values(one: Belief) -> Values:
    return {
        "tracking_id": one.tracking_id,
        "recorded_at": one.recorded_at,
        "after_sequence": one.after,
        "entries": one.entries,
        "status": one.status.value,
        "in_doubt": one.in_doubt,
        "expiration_date_time": one.expiration_date_time,
    }


@consistent("belief", "id")
def _to_belief(row: Row[Any]) -> Belief:
    return Belief(
        tracking_id=TrackingId(row.tracking_id),
        recorded_at=row.recorded_at,
        after=row.after_sequence,
        entries=row.entries,
        status=Status(row.status),
        in_doubt=row.in_doubt,
        expiration_date_time=row.expiration_date_time,
    )


@consistent("confirmation", "id")
def _to_confirmation(row: Row[Any]) -> Confirmation:
    return Confirmation(
        tracking_id=TrackingId(row.tracking_id),
        vouched_at=row.vouched_at,
        recorded_at=row.recorded_at,
        channel=Channel(row.channel),
        status=Status(row.status),
    )
