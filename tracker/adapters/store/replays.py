"""Replays in the database. Implements `ports.ReplayBook`."""

import logging
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, or_, select, update

from tracker.adapters.store import leases
from tracker.adapters.store.differences import upsert
from tracker.adapters.store.replay_tables import replay, replay_failure
from tracker.adapters.store.rows.reading import Values, sorted_out
from tracker.adapters.store.rows.replay import not_taken_values, replay_values, to_not_taken, to_replay
from tracker.adapters.store.subscription_tables import dead_letter, parked, subscription
from tracker.adapters.store.tables import entry, journal, lease
from tracker.domain.errors import InconsistentRowError, SubscriptionNotFoundError
from tracker.domain.replay import KEPT_FOR, MOST_LISTED, MOST_OPEN, MOST_OVER, NotTaken, Replay, Selection
from tracker.domain.subscription import SubscriptionState
from tracker.ports import ReplayProgress, replay_lease

T = TypeVar("T")
_log = logging.getLogger(__name__)

_COUNTS = ("position", "done", "failed", "skipped")
_FIXED = ("id", "subscription_id", "selection", "per_second", "total", "created_at")


class _Database(Protocol):
    async def write(self, work: Callable[[Connection], tuple[T, str | None]], *, urgent: bool = False) -> T: ...

    async def read(self, work: Callable[[Connection], T]) -> T: ...


class SqlReplays:
    """Implements `ports.ReplayBook`."""

    def __init__(self, database: _Database) -> None:
        self._database = database
        self._damaged: set[str] = set()  # of these it was said

    async def _write(self, work: Callable[[Connection], T]) -> T:
        return await self._database.write(lambda connection: (work(connection), None))

    async def add(self, new: Replay) -> bool:
        """Keep a new one."""
        return await self._write(partial(_add, new=new))

    async def listed(self, subscription_id: str) -> list[Replay]:
        """All of a subscription that are kept."""
        query = select(replay).where(replay.c.subscription_id == subscription_id).order_by(replay.c.id.desc())
        found, _ = await self._database.read(lambda connection: sorted_out(connection.execute(query), to_replay))
        return found

    async def get(self, subscription_id: str, replay_id: str) -> Replay | None:
        """One of them."""
        query = select(replay).where(replay.c.id == replay_id, replay.c.subscription_id == subscription_id)
        return await self._database.read(partial(_one, query=query))

    async def not_taken(self, replay_id: str) -> list[NotTaken]:
        """What has failed in one."""
        query = select(replay_failure).where(replay_failure.c.replay_id == replay_id)
        query = query.order_by(replay_failure.c.sequence).limit(MOST_LISTED)
        return await self._database.read(lambda connection: [to_not_taken(row) for row in connection.execute(query)])

    async def cancel(self, subscription_id: str, replay_id: str, now: datetime) -> None:
        """Have one end, unless it is over."""
        mine = replay.c.id == replay_id, replay.c.subscription_id == subscription_id, replay.c.finished_at.is_(None)
        end = {"state": "cancelled", "finished_at": now, "next_attempt_at": None}
        await self._write(lambda connection: connection.execute(update(replay).where(*mine).values(end)))

    async def to_run(self) -> list[str]:
        """Subscriptions that are being told and have an open replay."""
        is_told = and_(subscription.c.state == SubscriptionState.ACTIVE.value, subscription.c.paused_at.is_(None))
        query = select(replay.c.subscription_id).distinct().where(replay.c.finished_at.is_(None))
        query = query.join(subscription, subscription.c.id == replay.c.subscription_id).where(is_told)
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))

    async def next_of(self, subscription_id: str) -> Replay | None:
        """The open replay whose turn it is; one that cannot be read does not hold up those after it."""
        mine = replay.c.subscription_id == subscription_id, replay.c.finished_at.is_(None)
        query = select(replay).where(*mine).order_by(replay.c.id).limit(MOST_OPEN)
        found, damaged = await self._database.read(partial(_first_readable, query=query))
        for error in damaged:
            if error.row not in self._damaged:
                self._damaged.add(error.row)
                _log.error("%s It is left out until somebody mends it.", error)
        return found

    async def given_up(self, subscription_id: str, selection: Selection, after: int, limit: int) -> list[int]:
        """Dead letters that are chosen behind a sequence."""
        query = select(dead_letter.c.sequence).where(*_chosen(subscription_id, selection))
        query = query.where(dead_letter.c.sequence > after).order_by(dead_letter.c.sequence).limit(limit)
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))

    async def count_given_up(self, subscription_id: str, selection: Selection) -> int:
        """How many dead letters are chosen."""
        query = select(func.count()).select_from(dead_letter).where(*_chosen(subscription_id, selection))
        return await self._database.read(lambda connection: connection.execute(query).scalar_one())

    async def still_told(self, subscription_id: str, sequences: Collection[int]) -> set[int]:
        """Which of these are parked."""
        if not sequences:
            return set()
        within = parked.c.sequence.between(min(sequences), max(sequences))
        query = select(parked.c.sequence).where(parked.c.subscription_id == subscription_id, within)
        found = await self._database.read(lambda connection: set(connection.execute(query).scalars()))
        return found & set(sequences)

    async def first_since(self, time: datetime) -> int:
        """The first entry that was recorded at this time or later."""
        return await self._database.read(partial(first_since, time=time))

    async def save(self, progress: ReplayProgress) -> bool:
        """Write how far one has come, all in one."""
        return await self._write(partial(_save, progress=progress))


def _one(connection: Connection, query: Select[Any]) -> Replay | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else to_replay(row)


def _first_readable(connection: Connection, query: Select[Any]) -> tuple[Replay | None, list[InconsistentRowError]]:
    damaged: list[InconsistentRowError] = []
    for row in connection.execute(query):
        try:
            return to_replay(row), damaged
        except InconsistentRowError as error:
            damaged.append(error)
    return None, damaged


def _add(connection: Connection, new: Replay) -> bool:
    # Held, so that two who ask at once are counted one after the other, and nobody deletes it meanwhile.
    mine = subscription.c.id == new.subscription_id
    if connection.execute(select(subscription.c.id).where(mine).with_for_update()).first() is None:
        raise SubscriptionNotFoundError
    ids = select(replay.c.id).where(replay.c.subscription_id == new.subscription_id)
    is_open = replay.c.finished_at.is_(None)
    if len(connection.execute(ids.where(is_open)).all()) >= MOST_OPEN:
        return False
    over = ids.where(~is_open).order_by(replay.c.id.desc()).offset(MOST_OVER)
    _forget(connection, replay.c.id.in_(list(connection.execute(over).scalars())))
    connection.execute(insert(replay), replay_values(new))
    return True


def _chosen(subscription_id: str, selection: Selection) -> list[ColumnElement[bool]]:
    conditions = [
        dead_letter.c.subscription_id == subscription_id,
        dead_letter.c.sequence.between(selection.first, selection.last),
    ]
    if selection.since is not None:
        conditions.append(dead_letter.c.given_up_at >= selection.since)
    if selection.until is not None:
        conditions.append(dead_letter.c.given_up_at < selection.until)
    return conditions


def first_since(connection: Connection, time: datetime) -> int:
    """Times never go back in the journal, so it is found by halving: a look at the key for each bit of its length."""
    low, high = 1, int(connection.execute(select(journal.c.next_sequence)).scalar_one())
    while low < high:
        middle = (low + high) // 2
        # The next one there is: what a gap has taken has no time.
        next_one = select(entry.c.recorded_at).where(entry.c.sequence >= middle).order_by(entry.c.sequence).limit(1)
        recorded_at = connection.execute(next_one).scalar()
        if recorded_at is None or recorded_at < time:
            low = middle + 1
        else:
            high = middle
    return low


def _save(connection: Connection, progress: ReplayProgress) -> bool:
    now = progress.replay
    if progress.held is not None:
        leases.require(connection, progress.held)
    values: Values = {name: value for name, value in replay_values(now).items() if name not in _FIXED}
    mine = update(replay).where(replay.c.id == now.id)
    is_open = connection.execute(mine.where(replay.c.finished_at.is_(None)).values(values)).rowcount > 0
    if not is_open:
        # It was cancelled, which stays so; what was told before is counted all the same.
        counts = {name: values[name] for name in _COUNTS}
        if not connection.execute(mine.values(counts)).rowcount:
            return False
    _write_outcomes(connection, progress)
    return is_open


def _write_outcomes(connection: Connection, progress: ReplayProgress) -> None:
    if progress.asked_to_wait is not None:
        at, until = progress.asked_to_wait
        # What was asked for by a clock that was ahead does not count; else whoever wants to wait longer is obeyed.
        is_later = or_(
            subscription.c.held_until.is_(None), subscription.c.held_until < until, subscription.c.held_at > at
        )
        held = update(subscription).where(subscription.c.id == progress.replay.subscription_id, is_later)
        connection.execute(held.values(held_at=at, held_until=until))
    lost = dead_letter.c.subscription_id == progress.replay.subscription_id
    if progress.taken:
        connection.execute(delete(dead_letter).where(lost, dead_letter.c.sequence.in_(progress.taken)))
    if not progress.not_taken:
        return
    for one in progress.not_taken:
        again = update(dead_letter).where(lost, dead_letter.c.sequence == one.sequence)
        tried = {"attempts": dead_letter.c.attempts + one.attempts, "last_error": one.last_error, "answer": one.answer}
        connection.execute(again.values(tried))
    mine = replay_failure.c.replay_id == progress.replay.id
    listed = connection.execute(select(func.count()).select_from(replay_failure).where(mine)).scalar_one()
    rows = [not_taken_values(progress.replay.id, one) for one in progress.not_taken[: max(0, MOST_LISTED - listed)]]
    if rows:
        connection.execute(upsert(connection, replay_failure).on_conflict_do_nothing(), rows)


def _forget(connection: Connection, which: ColumnElement[bool]) -> None:
    ids = select(replay.c.id).where(which).scalar_subquery()
    connection.execute(delete(replay_failure).where(replay_failure.c.replay_id.in_(ids)))
    connection.execute(delete(replay).where(which))


def remove_of(connection: Connection, subscription_id: str) -> None:
    """Forget all replays of a subscription, and who ran them."""
    connection.execute(delete(lease).where(lease.c.name == replay_lease(subscription_id)))
    _forget(connection, replay.c.subscription_id == subscription_id)


def forget_old(connection: Connection, now: datetime) -> None:
    """Forget what has been over for long, and what an older version has left of subscriptions that it deleted."""
    orphaned = replay.c.subscription_id.not_in(select(subscription.c.id))
    _forget(connection, or_(replay.c.finished_at < now - KEPT_FOR, orphaned))
