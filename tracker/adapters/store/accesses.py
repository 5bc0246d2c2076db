"""The access record in the database. Implements `ports.AccessBook`.

Looks are small and many: those that come while some are being written share the next transaction.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Row, Select, and_, select, tuple_

from tracker.adapters.store import partitions
from tracker.adapters.store.access_tables import access_record, access_shown
from tracker.adapters.store.gathering import Gathering
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.rows.reading import Values, consistent
from tracker.domain.consent import TrackingId
from tracker.ports import Access, AccessQuery

T = TypeVar("T")
_KEY = (access_record.c.at, access_record.c.id)


class _Database(Protocol):
    async def write(
        self, work: Callable[[Connection], tuple[T, str | None]], *, urgent: bool = False, flush: bool = True
    ) -> T: ...

    async def read(self, work: Callable[[Connection], T]) -> T: ...


class SqlAccesses:
    """Implements `ports.AccessBook`."""

    def __init__(self, database: _Database) -> None:
        self._database = database
        self._flushed = Gathering(self._add_flushed)
        self._unflushed = Gathering(self._add_unflushed)

    async def add(self, access: Access, *, flush: bool = True) -> None:
        """Keep one."""
        await (self._flushed if flush else self._unflushed).add(access)

    async def close(self) -> None:
        """Write what waits."""
        await self._flushed.close()
        await self._unflushed.close()

    async def listed(self, query: AccessQuery) -> list[Access]:
        """Search."""
        return await self._database.read(partial(_listed, query=query))

    async def tend(self, before: datetime) -> None:
        """Forget what is older."""
        for forget in (partitions.drop_old_looks, partitions.delete_old_looks):
            while await self._write(partial(forget, before=before)):
                pass

    async def _write(self, work: Callable[[Connection], T], *, flush: bool = True) -> T:
        return await self._database.write(lambda connection: (work(connection), None), urgent=True, flush=flush)

    async def _add_flushed(self, some: Sequence[Access]) -> None:
        await self._write(partial(_insert, some=some))

    async def _add_unflushed(self, some: Sequence[Access]) -> None:
        await self._write(partial(_insert, some=some), flush=False)


class AccessStore:
    """The part of the store by which others read who looked at a consent."""

    accesses: SqlAccesses

    async def accesses_of(
        self, tracking_id: TrackingId, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[Access]:
        """Looks at a consent, the first first."""
        return await self.accesses.listed(AccessQuery(tracking_id=tracking_id, limit=limit, after=after, first=True))


def _insert(connection: Connection, some: Sequence[Access]) -> None:
    insert_rows(connection, access_record, [_values(one) for one in some])
    shown = [{"tracking_id": key, "at": one.at, "id": one.id} for one in some for key in sorted(set(one.shown_ids))]
    insert_rows(connection, access_shown, shown)


def _listed(connection: Connection, query: AccessQuery) -> list[Access]:
    keys = select(*_KEY)
    if query.tracking_id is None:
        found = _page(keys, _KEY, query)
    else:
        # Two stretches of two indexes, each as long as a page, put together.
        alone = _page(keys.where(access_record.c.tracking_id == query.tracking_id), _KEY, query)
        among_others = select(access_shown.c.at, access_shown.c.id).where(
            access_shown.c.tracking_id == query.tracking_id
        )
        found = _page(among_others, (access_shown.c.at, access_shown.c.id), query)
        there = {tuple(row) for part in (alone, found) for row in connection.execute(part)}
        return _read(connection, sorted(there, reverse=not query.first), query)
    return _read(connection, [tuple(row) for row in connection.execute(found)], query)


def _page(keys: Select[Any], key: tuple[Any, Any], query: AccessQuery) -> Select[Any]:
    at, _ = key
    if query.since is not None:
        keys = keys.where(at >= query.since)
    if query.until is not None:
        keys = keys.where(at < query.until)
    if query.after is not None:
        place = tuple_(*query.after, types=[column.type for column in key])
        keys = keys.where(tuple_(*key) > place if query.first else tuple_(*key) < place)
    if query.who is not None:
        mine = select(access_record.c.at).where(
            access_record.c.at == key[0], access_record.c.id == key[1], access_record.c.who == query.who
        )
        keys = keys.where(access_record.c.who == query.who if at is access_record.c.at else mine.exists())
    order = key if query.first else tuple(column.desc() for column in key)
    return keys.order_by(*order).limit(query.limit)


def _read(connection: Connection, keys: Sequence[tuple[Any, ...]], query: AccessQuery) -> list[Access]:
    wanted = list(keys[: query.limit])
    if not wanted:
        return []
    ids, times = [key[1] for key in wanted], [key[0] for key in wanted]
    within = and_(access_record.c.at.between(min(times), max(times)), access_record.c.id.in_(ids))
    beside = and_(access_shown.c.at.between(min(times), max(times)), access_shown.c.id.in_(ids))
    shown: dict[str, list[str]] = {}
    for row in connection.execute(select(access_shown).where(beside).order_by(access_shown.c.tracking_id)):
        shown.setdefault(row.id, []).append(row.tracking_id)
    rows = {row.id: row for row in connection.execute(select(access_record).where(within))}
    return [_to_access(rows[key], tuple(shown.get(key, ()))) for key in ids if key in rows]


def _values(one: Access) -> Values:
    return {
        "at": one.at,
        "id": one.id,
        "who": one.who,
        "what": one.what,
        "tracking_id": one.tracking_id,
        "provider": one.provider,
        "consent_id": one.consent_id,
        "asked": None if one.asked is None else dict(one.asked),
        "shown": one.shown,
        "peer": one.peer,
        "interaction_id": one.interaction_id,
        "status": one.status,
    }


@consistent("access_record", "id")
def _to_access(row: Row[Any], shown_ids: tuple[str, ...]) -> Access:
    return Access(
        id=row.id,
        at=row.at,
        who=row.who,
        what=row.what,
        tracking_id=row.tracking_id,
        provider=row.provider,
        consent_id=row.consent_id,
        asked=row.asked,
        shown=row.shown,
        shown_ids=shown_ids,
        peer=row.peer,
        interaction_id=row.interaction_id,
        status=row.status,
    )
