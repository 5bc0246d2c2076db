"""Taking events out of the inbox to be opened. Nothing is moved by it: what is taken stays there until it is on record."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Integer, Row, Select, String, bindparam, func, or_, select, update

from tracker.adapters.store import lookups, rows
from tracker.adapters.store.columns import Instant
from tracker.adapters.store.differences import database_clock, database_now
from tracker.adapters.store.many import texts
from tracker.adapters.store.tables import inbox
from tracker.ports import InboxItem

_NEW_AND_AHEAD = timedelta(seconds=5)
_LONGER_THAN_ANY_WAIT = timedelta(hours=1)

_LONGEST_LEASE_SECONDS: Final = 60.0
_KEPT_BYTES: Final = 8 * 1024 * 1024

_ALL_BUT_BODIES: Final = tuple(column for column in inbox.c if column is not inbox.c.body)


class FreshBodies:
    """Bodies of events that this process has just put into the inbox: whoever opens them need not read them again.

    Those that nobody takes, as another process is quicker, make room for later ones.
    """

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self._size = 0

    def keep(self, item: InboxItem) -> None:
        """Remember the body of an event that is about to be kept."""
        self.forget((item.id,))
        self._bodies[item.id] = item.body
        self._size += len(item.body)
        while self._size > _KEPT_BYTES:
            self.forget((next(iter(self._bodies)),))

    def forget(self, ids: Collection[str]) -> None:
        """Let go of those that were taken."""
        for item_id in ids:
            self._size -= len(self._bodies.pop(item_id, b""))

    def get(self, item_id: str) -> bytes | None:
        """One of them, if it is at hand. Callable from any thread."""
        return self._bodies.get(item_id)


def claim_inbox(
    connection: Connection, now: datetime, limit: int, seconds: float, fresh: FreshBodies
) -> list[InboxItem]:
    """Give what is due to be opened and nobody is at, and lease it if that is wanted."""
    due = _due_in_inbox(connection, now, limit, seconds)
    ids = [row.id for row in due]
    if due and seconds > 0:
        until = database_now(connection, seconds)
        connection.execute(update(inbox).where(inbox.c.id.in_(ids)).values(leased_until=until))
    bodies = _bodies(connection, ids, fresh)
    there = (row for row in due if row.id in bodies)
    found, _ = rows.sorted_out(there, lambda row: rows.to_inbox_item(row, bodies[row.id]))
    return found


def _bodies(connection: Connection, ids: Collection[str], fresh: FreshBodies) -> Mapping[str, bytes]:
    bodies = {item_id: body for item_id in ids if (body := fresh.get(item_id)) is not None}
    if len(bodies) < len(ids):
        dialect = connection.dialect.name
        others = {"ids": texts(dialect, [item_id for item_id in ids if item_id not in bodies])}
        bodies |= {row.id: row.body for row in connection.execute(lookups.inbox_bodies(dialect), others)}
    return bodies


def _due_in_inbox(connection: Connection, now: datetime, limit: int, seconds: float) -> list[Row[Any]]:
    """In order of arrival; when more is due than fits, some of each lane and of what has just come."""
    looks = _looks(connection.dialect.name, seconds)

    def found(look: Select[Any], most: int, **named: Any) -> Sequence[Row[Any]]:
        return connection.execute(look, {"now": now, "limit": most, **named}).all()

    due = found(looks.due, limit)
    if len(due) == limit:
        # Whoever sent it all: others, and what has just come, must not wait for all of it.
        lanes = list(_lanes(connection))
        share = max(1, (limit - limit // 4) // (len(lanes) + 1))
        some = [
            *found(looks.without_lane, share),
            *(row for lane in lanes for row in found(looks.of_lane, share, lane=lane)),
        ]
        some += found(looks.newest, limit // 4)
        chosen = {row.id: row for row in [*some, *due]}
        return sorted(list(chosen.values())[:limit], key=lambda row: row.id)
    # What seems to have come in the future, or to be put off for longer than anything ever is, was timed by a clock that has
    # been stepped back since. It was answered for, and waits for nothing.
    soon, late = _after(now, _NEW_AND_AHEAD), _after(now, _LONGER_THAN_ANY_WAIT)
    return list(due or found(looks.ahead, limit, soon=soon, late=late))


@dataclass(frozen=True, slots=True)
class _Looks:
    """The looks into the inbox, each for `limit` items at `now`.

    Attributes:
        due: In order of arrival.
        without_lane: Those without a lane.
        of_lane: Those of one `lane`.
        newest: The last that came, first.
        ahead: What is due after `soon` and was never tried, or is due after `late`.
    """

    due: Select[Any]
    without_lane: Select[Any]
    of_lane: Select[Any]
    newest: Select[Any]
    ahead: Select[Any]


@cache
def _looks(dialect: str, seconds: float) -> _Looks:
    """Built once: that takes longer than to ask."""
    due_at, lane = inbox.c.due_at, inbox.c.lane
    until = inbox.c.leased_until
    # What seems to be leased for longer than any lease lasts was leased before the database's clock was stepped back.
    too_long = until > database_clock(dialect, max(_LONGEST_LEASE_SECONDS, 2 * seconds))
    is_free = or_(until.is_(None), until <= database_clock(dialect), too_long)
    free = select(*_ALL_BUT_BODIES).where(is_free).limit(bindparam("limit", type_=Integer))
    free = free.with_for_update(skip_locked=True)
    in_order = free.order_by(due_at, inbox.c.id)
    is_due = due_at <= bindparam("now", type_=Instant)
    mistimed = or_(inbox.c.attempts == 0, due_at > bindparam("late", type_=Instant))
    return _Looks(
        due=in_order.where(is_due),
        without_lane=in_order.where(lane.is_(None), is_due),
        of_lane=in_order.where(lane == bindparam("lane", type_=String), is_due),
        newest=free.order_by(due_at.desc(), inbox.c.id.desc()).where(is_due),
        ahead=in_order.where(due_at > bindparam("soon", type_=Instant), mistimed),
    )


def _lanes(connection: Connection) -> Iterator[str]:
    """The lanes in which something waits: a look into the index for each, however much it is."""
    first = select(func.min(inbox.c.lane))
    lane = connection.execute(first).scalar()
    while lane is not None:
        yield lane
        lane = connection.execute(first.where(inbox.c.lane > lane)).scalar()


def _after(now: datetime, span: timedelta) -> datetime:
    return min(now, datetime.max.replace(tzinfo=UTC) - span) + span
