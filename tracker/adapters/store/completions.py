"""The work that subscribers must do, in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, or_, select, update

from tracker.adapters.store import rows
from tracker.adapters.store.completion_tables import completion, completion_watch
from tracker.adapters.store.differences import upsert
from tracker.adapters.store.rows.reading import Values, consistent
from tracker.adapters.store.subscription_tables import subscription
from tracker.domain.completion import Work, WorkStatus
from tracker.domain.errors import InconsistentRowError
from tracker.domain.subscription import Subscription
from tracker.ports import WorkKey, WorkQuery


def requiring(connection: Connection) -> list[Subscription]:
    """The subscriptions that ask for reports; their secrets as they are stored."""
    query = select(subscription).where(subscription.c.completion.is_not(None)).order_by(subscription.c.id)
    return rows.sorted_out(connection.execute(query), rows.to_subscription)[0]


def watched(connection: Connection, subscription_id: str) -> int | None:
    """How far the journal was looked at for one."""
    query = select(completion_watch.c.cursor).where(completion_watch.c.subscription_id == subscription_id)
    return connection.execute(query).scalar()


def save_watch(connection: Connection, of: Subscription, before: int | None, upto: int, due: Sequence[Work]) -> bool:
    """Write what is due and how far was looked, all in one; False if another was quicker, or the terms are others now."""
    mine = subscription.c.id == of.id, subscription.c.version == of.version
    if connection.execute(select(subscription.c.id).where(*mine).with_for_update(read=True)).first() is None:
        return False
    there = completion_watch.c.subscription_id == of.id
    if before is None:
        first = upsert(connection, completion_watch).on_conflict_do_nothing()
        moved = connection.execute(first.values(subscription_id=of.id, cursor=upto))
    else:
        place = update(completion_watch).where(there, completion_watch.c.cursor == before)
        moved = connection.execute(place.values(cursor=upto))
    if not moved.rowcount:
        return False
    if due:
        new = upsert(connection, completion).on_conflict_do_nothing()
        connection.execute(new, [_values(one) for one in due])
    return True


def overdue(
    connection: Connection, now: datetime, limit: int, providers: Collection[str], behind: int
) -> tuple[list[Work], list[InconsistentRowError]]:
    """What is overdue and was not told, the longest overdue first; of these providers. And what is wrong with damaged rows."""
    query = select(completion).where(*_UNTOLD, completion.c.due_at <= now, completion.c.provider.in_(sorted(providers)))
    in_order = query.order_by(completion.c.due_at, *completion.primary_key).limit(limit).offset(behind)
    found: list[Work] = []
    damaged: list[InconsistentRowError] = []
    for row in connection.execute(in_order):
        try:
            found.append(to_work(row))
        except InconsistentRowError as error:
            damaged.append(error)
    return found, damaged


def listed(connection: Connection, subscription_id: str, wanted: WorkQuery) -> list[Work]:
    """A page of a subscriber's work."""
    sequence, word = wanted.after
    behind = or_(completion.c.sequence > sequence, and_(completion.c.sequence == sequence, completion.c.work > word))
    query = select(completion).where(completion.c.subscription_id == subscription_id, behind)
    if wanted.status is not None:
        query = query.where(*_stands(wanted.status, wanted.now))
    in_order = query.order_by(completion.c.sequence, completion.c.work).limit(wanted.limit)
    return [to_work(row) for row in connection.execute(in_order)]


def find_by_entry(connection: Connection, subscription_id: str, entry_id: str, word: str) -> Work | None:
    """One piece of work, by the entry's id."""
    query = select(completion).where(
        completion.c.subscription_id == subscription_id, completion.c.entry_id == entry_id, completion.c.work == word
    )
    return _one(connection, query)


def find(connection: Connection, key: WorkKey) -> Work | None:
    """One piece of work."""
    return _one(connection, select(completion).where(*_is(key)))


def forget(connection: Connection, subscription_id: str) -> None:
    """Forget what a subscriber had to do; the journal keeps what was told of it."""
    for table in (completion, completion_watch):
        connection.execute(delete(table).where(table.c.subscription_id == subscription_id))


class SqlCompletionBook:
    """Implements `ports.CompletionBook` on a connection inside a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def mark_overdue(self, keys: Collection[WorkKey], now: datetime) -> list[Work]:
        """Note of these that the journal is told now; give those of which it was not, and that are not done."""
        marked = []
        for key in sorted(keys):
            mark = update(completion).where(*_is(key), *_UNTOLD).values(overdue_told_at=now)
            if self._connection.execute(mark).rowcount and (found := self.find(key)) is not None:
                marked.append(found)
        return marked

    def find(self, key: WorkKey) -> Work | None:
        """One piece of work."""
        return find(self._connection, key)

    def report(self, key: WorkKey, evidence_url: str, done_at: datetime, now: datetime) -> None:
        """Write that it was done."""
        done: Values = {"evidence_url": evidence_url, "done_at": done_at, "reported_at": now}
        self._connection.execute(update(completion).where(*_is(key)).values(done))


_UNTOLD = (completion.c.reported_at.is_(None), completion.c.overdue_told_at.is_(None))


def _is(key: WorkKey) -> tuple[ColumnElement[bool], ...]:
    columns = (completion.c.subscription_id, completion.c.sequence, completion.c.work)
    return tuple(column == part for column, part in zip(columns, key, strict=True))


def _stands(status: WorkStatus, now: datetime) -> tuple[ColumnElement[bool], ...]:
    match status:
        case WorkStatus.DONE:
            return (completion.c.reported_at.is_not(None),)
        case WorkStatus.OVERDUE:
            return completion.c.reported_at.is_(None), completion.c.due_at <= now
        case WorkStatus.DUE:
            return completion.c.reported_at.is_(None), completion.c.due_at > now


def _one(connection: Connection, query: Select[Any]) -> Work | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else to_work(row)


_NAMES = tuple(column.name for column in completion.columns)


def _values(work: Work) -> Values:
    return {name: getattr(work, name) for name in _NAMES}


@consistent("completion", "sequence")
def to_work(row: Row[Any]) -> Work:
    """A row of `completion`."""
    return Work(**{name: getattr(row, name) for name in _NAMES})
