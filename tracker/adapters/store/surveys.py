"""How much waits where: a few counts, each from an index."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from tracker.adapters.store import readings
from tracker.adapters.store.tables import consent, dead_letter, inbox, parked, quarantine, subscription
from tracker.domain.subscription import SubscriptionState
from tracker.ports import DueAsks, Standing, Survey


def survey(connection: Connection, now: datetime, providers: Collection[str]) -> Survey:
    """Look at all of it."""
    waiting, due_since = readings.inbox_depth(connection)
    received_at = connection.execute(select(inbox.c.received_at).order_by(inbox.c.id).limit(1)).scalar()
    return Survey(
        at=now,
        inbox_events=waiting,
        inbox_received_at=_instant(received_at),
        inbox_due_since=due_since,
        journal_head=readings.head(connection),
        quarantine_verified=_put_aside(connection, verified=True),
        quarantine_unverified=_put_aside(connection, verified=False),
        asks={provider: _due_asks(connection, provider, now) for provider in providers},
        subscriptions=_standings(connection),
        parked=connection.execute(select(func.count()).select_from(parked)).scalar_one(),
        dead_letters=connection.execute(select(func.count()).select_from(dead_letter)).scalar_one(),
    )


def _put_aside(connection: Connection, *, verified: bool) -> int:
    return connection.execute(
        select(func.count()).select_from(quarantine).where(quarantine.c.verified.is_(verified))
    ).scalar_one()


def _due_asks(connection: Connection, provider: str, now: datetime) -> DueAsks:
    due = consent.c.next_ask_at
    # One provider after the other: all at once would read the whole index, and not only what is due of it.
    row = connection.execute(
        select(func.count(), func.min(due)).where(consent.c.provider == provider, due.is_not(None), due <= now)
    ).one()
    return DueAsks(count=row[0], since=_instant(row[1]))


def _standings(connection: Connection) -> tuple[Standing, ...]:
    query = select(subscription.c.id, subscription.c.state, subscription.c.cursor).order_by(subscription.c.cursor)
    known = {state.value: state for state in SubscriptionState}
    found = connection.execute(query).all()
    # A damaged row is told of by those who need it; here it is only not counted.
    return tuple(
        Standing(id=row.id, state=known[row.state], cursor=row.cursor)
        for row in found
        if row.state in known and isinstance(row.cursor, int)
    )


def _instant(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
