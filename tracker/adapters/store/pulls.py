"""Windows of subscribers that poll. Whoever writes one names the turn that he read: so nobody writes over another."""

from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from tracker.adapters.store.differences import upsert
from tracker.adapters.store.pull_tables import pull_window
from tracker.adapters.store.rows.reading import Values, consistent
from tracker.adapters.store.subscription_tables import dead_letter, subscription
from tracker.domain.pull import OpenEntry, Window
from tracker.domain.subscription import Parked
from tracker.journal.instant import parse_rfc3339, rfc3339
from tracker.ports import Pulled


def window_of(connection: Connection, subscription_id: str) -> Window | None:
    """What a subscription has open."""
    query = select(pull_window).where(pull_window.c.subscription_id == subscription_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _to_window(row)


def forget(connection: Connection, subscription_id: str) -> None:
    """Forget what a subscription has open."""
    connection.execute(delete(pull_window).where(pull_window.c.subscription_id == subscription_id))


def save(connection: Connection, pulled: Pulled) -> bool | None:
    """Write what came of a poll, all in one: False if another was quicker, None if there is no such subscription."""
    # The subscription's row first: who deletes it takes it too, and finds the window afterwards.
    mine = subscription.c.id == pulled.subscription_id
    if connection.execute(select(subscription.c.id).where(mine).with_for_update()).first() is None:
        return None
    if not _write(connection, pulled):
        return False
    moved: Values = {"cursor": pulled.window.cursor}
    if pulled.acknowledged_at is not None:
        moved["last_delivered_at"] = pulled.acknowledged_at
    connection.execute(update(subscription).where(mine).values(moved))
    if pulled.given_up:
        lost = [_lost_values(pulled.subscription_id, one) for one in pulled.given_up]
        connection.execute(upsert(connection, dead_letter).on_conflict_do_nothing(), lost)
    return True


def _write(connection: Connection, pulled: Pulled) -> bool:
    new, turn = _values(pulled), pulled.window.turn
    if turn == 1:
        first = upsert(connection, pull_window).on_conflict_do_nothing()
        return connection.execute(first.values(new)).rowcount > 0
    there = pull_window.c.subscription_id == pulled.subscription_id, pull_window.c.turn == turn - 1
    return connection.execute(update(pull_window).where(*there).values(new)).rowcount > 0


def _values(pulled: Pulled) -> Values:
    window = pulled.window
    return {
        "subscription_id": pulled.subscription_id,
        "turn": window.turn,
        "scanned": window.scanned,
        "open": [
            [
                one.sequence,
                one.entry_id,
                one.tracking_id,
                None if one.handed_at is None else rfc3339(one.handed_at),
                one.ignored,
            ]
            for one in window.open
        ],
    }


@consistent("pull_window", "subscription_id")
def _to_window(row: Row[Any]) -> Window:
    return Window(
        turn=row.turn,
        scanned=row.scanned,
        open=tuple(
            OpenEntry(
                sequence=sequence,
                entry_id=entry_id,
                tracking_id=tracking_id,
                handed_at=None if handed_at is None else parse_rfc3339(handed_at),
                ignored=ignored,
            )
            for sequence, entry_id, tracking_id, handed_at, ignored in row.open
        ),
    )


def _lost_values(subscription_id: str, lost: Parked) -> Values:
    return {
        "subscription_id": subscription_id,
        "sequence": lost.sequence,
        "tracking_id": lost.tracking_id,
        "attempts": lost.attempts,
        "last_error": lost.last_error,
        "given_up_at": lost.next_attempt_at,
    }
