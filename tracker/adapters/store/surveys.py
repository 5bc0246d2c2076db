"""How much waits where: a few counts, each from an index."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, func, or_, select

from tracker.adapters.store import readings
from tracker.adapters.store.differences import by_no_index
from tracker.adapters.store.subscription_tables import dead_letter, parked, subscription
from tracker.adapters.store.tables import consent, entry, inbox, quarantine
from tracker.domain.consent import OPEN
from tracker.domain.schedule import CONFIRMED_WITHIN, STEADY
from tracker.domain.subscription import SubscriptionState
from tracker.ports import Due, DueAsks, Standing, Survey


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
        expired_unconfirmed=_unconfirmed(connection, now, providers),
        clock=_due(connection, consent.c.next_tick_at, now, providers),
        notices=_due(connection, consent.c.next_notice_at, now, providers),
        subscriptions=_standings(connection),
        parked=connection.execute(select(func.count()).select_from(parked)).scalar_one(),
        dead_letters=connection.execute(select(func.count()).select_from(dead_letter)).scalar_one(),
    )


def _put_aside(connection: Connection, *, verified: bool) -> int:
    return connection.execute(
        select(func.count()).select_from(quarantine).where(quarantine.c.verified.is_(verified))
    ).scalar_one()


def _due_asks(connection: Connection, provider: str, now: datetime) -> DueAsks:
    """Look into the index of each line; what stands in two is counted in the first."""
    urgent, other, steady = consent.c.urgent_ask_at, consent.c.next_ask_at, consent.c.steady_ask_at
    not_urgent = or_(urgent.is_(None), urgent > now)
    looks: list[tuple[Column[Any], tuple[ColumnElement[bool], ...]]] = [
        (urgent, (consent.c.doubted_at.is_not(None),)),
        (urgent, (consent.c.doubted_at.is_(None),)),
        (other, (not_urgent,)),
        *(
            (steady, (consent.c.status == status.value, not_urgent, or_(other.is_(None), other > now)))
            for status in STEADY
        ),
    ]
    found = []
    # One provider after the other: all at once would read the whole index, and not only what is due of it.
    for due, conditions in looks:
        query = select(func.count(), func.min(due))
        found.append(
            connection.execute(
                query.where(consent.c.provider == provider, due.is_not(None), due <= now, *conditions)
            ).one()
        )
    times = [time for _, time in found if isinstance(time, datetime)]
    return DueAsks(count=sum(count for count, _ in found), since=min(times, default=None))


def _due(connection: Connection, due: Column[Any], now: datetime, providers: Collection[str]) -> Due:
    """What is due by one of the clock's times. That of providers who are not configured rests."""
    theirs = by_no_index(connection, consent.c.provider).in_(sorted(providers))
    query = select(func.count(), func.min(due)).where(due.is_not(None), due <= now, theirs)
    count, since = connection.execute(query).one()
    return Due(count=count, since=_instant(since))


def _unconfirmed(connection: Connection, now: datetime, providers: Collection[str]) -> dict[str, int]:
    """How many of each provider's consents ended by the clock long ago, and the holder does not say so."""
    since, counts = now - CONFIRMED_WITHIN, dict.fromkeys(providers, 0)
    for status in sorted(OPEN):
        query = select(consent.c.provider, func.count()).group_by(consent.c.provider)
        ended = (consent.c.status == status.value, consent.c.expiration_date_time <= since)
        for provider, count in connection.execute(query.where(*ended, consent.c.registered_at <= since)):
            if provider in counts:
                counts[provider] += count
    return counts


def _standings(connection: Connection) -> tuple[Standing, ...]:
    columns = (subscription.c.id, subscription.c.state, subscription.c.cursor, subscription.c.paused_at)
    query = select(*columns, entry.c.recorded_at).join(
        entry, entry.c.sequence == subscription.c.cursor + 1, isouter=True
    )
    query = query.order_by(subscription.c.cursor)
    known = {state.value: state for state in SubscriptionState}
    found = connection.execute(query).all()
    # A damaged row is told of by those who need it; here it is only not counted.
    return tuple(
        Standing(
            id=row.id,
            state=known[row.state],
            cursor=row.cursor,
            is_paused=row.paused_at is not None,
            waits_since=_instant(row.recorded_at),
        )
        for row in found
        if row.state in known and isinstance(row.cursor, int)
    )


def _instant(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
