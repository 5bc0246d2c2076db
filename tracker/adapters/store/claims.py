"""Taking events out of the inbox to be opened. Nothing is moved by it: what is taken stays there until it is on record."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from tracker.adapters.store import lookups, rows
from tracker.adapters.store.differences import database_now
from tracker.adapters.store.many import texts
from tracker.adapters.store.tables import inbox
from tracker.ports import InboxItem

_NEW_AND_AHEAD = timedelta(seconds=5)
_LONGER_THAN_ANY_WAIT = timedelta(hours=1)

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
    due = _due_in_inbox(connection, now, limit)
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


def _due_in_inbox(connection: Connection, now: datetime, limit: int) -> list[Row[Any]]:
    """In order of arrival; when more is due than fits, some of each lane and of what has just come."""
    is_free = or_(inbox.c.leased_until.is_(None), inbox.c.leased_until <= database_now(connection))
    query = (
        select(*_ALL_BUT_BODIES).where(is_free).order_by(inbox.c.due_at, inbox.c.id).with_for_update(skip_locked=True)
    )
    is_due = inbox.c.due_at <= now
    due = list(connection.execute(query.where(is_due).limit(limit)))
    if len(due) == limit:
        # Whoever sent it all: others, and what has just come, must not wait for all of it.
        lanes: list[str | None] = [None, *_lanes(connection)]
        share = max(1, (limit - limit // 4) // len(lanes))
        some = [
            row for lane in lanes for row in connection.execute(query.where(inbox.c.lane == lane, is_due).limit(share))
        ]
        newest = query.order_by(None).order_by(inbox.c.due_at.desc(), inbox.c.id.desc()).where(is_due)
        some += connection.execute(newest.limit(limit // 4))
        chosen = {row.id: row for row in [*some, *due]}
        due = sorted(list(chosen.values())[:limit], key=lambda row: row.id)
    if not due:
        # What seems to have come in the future, or to be put off for longer than anything ever is, was timed by a clock that
        # has been stepped back since. It was answered for, and waits for nothing.
        mistimed = or_(inbox.c.attempts == 0, inbox.c.due_at > _after(now, _LONGER_THAN_ANY_WAIT))
        ahead = and_(inbox.c.due_at > _after(now, _NEW_AND_AHEAD), mistimed)
        due = list(connection.execute(query.where(ahead).limit(limit)))
    return due


def _lanes(connection: Connection) -> Iterator[str]:
    """The lanes in which something waits: a look into the index for each, however much it is."""
    first = select(func.min(inbox.c.lane))
    lane = connection.execute(first).scalar()
    while lane is not None:
        yield lane
        lane = connection.execute(first.where(inbox.c.lane > lane)).scalar()


def _after(now: datetime, span: timedelta) -> datetime:
    return min(now, datetime.max.replace(tzinfo=UTC) - span) + span
