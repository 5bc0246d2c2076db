"""How far behind subscriptions are: for each its row, one entry by its key, and two counts of what is kept of it alone."""

from typing import Any

from sqlalchemy import Connection, ScalarSelect, Table, func, select

from tracker.adapters.store.subscription_tables import dead_letter, parked, subscription
from tracker.adapters.store.tables import entry, journal
from tracker.ports import Lag


def lags(connection: Connection, only: str | None = None) -> dict[str, Lag]:
    """How far behind each subscription is, or one of them, by id; all in one query."""
    later = entry.alias()
    # Not simply the number behind it: a gap may have taken that.
    following = select(func.min(later.c.sequence)).where(later.c.sequence > subscription.c.cursor).scalar_subquery()
    query = select(
        subscription.c.id,
        (select(journal.c.next_sequence).scalar_subquery() - 1 - subscription.c.cursor).label("entries"),
        entry.c.recorded_at,
        _count(parked).label("parked"),
        _count(dead_letter).label("dead_letters"),
    ).select_from(subscription.outerjoin(entry, entry.c.sequence == following))
    if only is not None:
        query = query.where(subscription.c.id == only)
    return {
        row.id: Lag(
            entries=max(0, row.entries),
            waits_since=row.recorded_at,
            parked=row.parked,
            dead_letters=row.dead_letters,
        )
        for row in connection.execute(query)
    }


def _count(table: Table) -> ScalarSelect[Any]:
    mine = table.c.subscription_id == subscription.c.id
    return select(func.count()).select_from(table).where(mine).correlate(subscription).scalar_subquery()
