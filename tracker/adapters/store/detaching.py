"""Take the oldest partition out of the journal's table on PostgreSQL, once nothing in it is needed any more.

It is needed while an entry in it has a private value, while a consent in it has not been disposed of, and while anybody reads the
journal from before its end. Its leaf hashes are in the stored tree, so proofs go on without it. The partition is not dropped:
it becomes a table of its own, to be copied somewhere and dropped by whoever runs the database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, func, insert, select, text

from tracker.adapters.store.completion_tables import completion_watch
from tracker.adapters.store.differences import POSTGRES
from tracker.adapters.store.provider_tables import awaited_event, journal_reading
from tracker.adapters.store.replay_tables import replay
from tracker.adapters.store.retention_tables import journal_detached
from tracker.adapters.store.subscription_tables import parked, subscription
from tracker.adapters.store.tables import journal
from tracker.domain.subscription import SubscriptionState

_OLDEST: Final = text(
    "SELECT relname, below FROM (SELECT relname, CAST(substring(pg_get_expr(relpartbound, oid) FROM"
    " ' TO \\(''?([^'')]+)') AS bigint) AS below FROM pg_class WHERE oid IN"
    " (SELECT inhrelid FROM pg_inherits WHERE inhparent = CAST('entry' AS regclass))"
    " AND pg_get_expr(relpartbound, oid) <> 'DEFAULT') AS parts ORDER BY below LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class OldestPart:
    """The oldest partition of the journal's table.

    Attributes:
        name: What it is called.
        below: All sequences in it are smaller.
        needed: Why it cannot be taken out, in words for people; none: it can.
    """

    name: str
    below: int
    needed: tuple[str, ...]


def oldest_part(connection: Connection) -> OldestPart | None:
    """Look at the oldest partition; None where there are none, as on SQLite."""
    if connection.dialect.name != POSTGRES:
        return None
    found = connection.execute(_OLDEST).one_or_none()
    if found is None:
        return None
    return OldestPart(found.relname, found.below, tuple(_needed(connection, found.relname, found.below)))


def detach(connection: Connection, part: OldestPart, now: datetime) -> None:
    """Take it out, and remember where the journal begins from now on. Rather fails than lets writers wait for long."""
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    connection.execute(text(f"ALTER TABLE entry DETACH PARTITION {part.name}"))
    connection.execute(insert(journal_detached).values(name=part.name, below=part.below, detached_at=now))


def _needed(connection: Connection, name: str, below: int) -> Iterator[str]:
    following = connection.execute(select(journal.c.next_sequence)).scalar_one()
    if following < below:
        yield f"it is not full: the next entry is {following}, and it ends before {below}"
        return
    last = below - 1
    is_told = subscription.c.state != SubscriptionState.DISABLED.value
    readers: tuple[tuple[str, Any], ...] = (
        (
            "subscription {} is still to be told of it",
            select(subscription.c.id).where(is_told, subscription.c.cursor < last),
        ),
        ("subscription {} has entries of it parked", select(parked.c.subscription_id).where(parked.c.sequence < below)),
        (
            "job {} tells it again",
            select(replay.c.id).where(and_(replay.c.finished_at.is_(None), replay.c.position < last)),
        ),
        (
            "subscription {} may be asked for work because of it",
            select(completion_watch.c.subscription_id).where(completion_watch.c.cursor < last),
        ),
        ("the reading {!r} is still in it", select(journal_reading.c.name).where(journal_reading.c.sequence < last)),
        (
            "an event of entry {} is still awaited",
            select(awaited_event.c.sequence).where(awaited_event.c.sequence < below),
        ),
    )
    for told, query in readers:
        found = connection.execute(query.limit(1)).scalar()
        if found is not None:
            yield told.format(found)
    if _is_beyond_the_tree(connection, last):
        yield "the stored tree does not cover it yet"
    # Whole partitions are read here: what is found first is enough.
    consents = f"SELECT c.tracking_id FROM {name} e JOIN consent c ON c.tracking_id = e.tracking_id LIMIT 1"  # noqa: S608 - ours
    values = f"SELECT sequence FROM {name} WHERE private_salt IS NOT NULL LIMIT 1"  # noqa: S608 - likewise
    if (consent := connection.execute(text(consents)).scalar()) is not None:
        yield f"consent {consent} has not been disposed of"
    if (sequence := connection.execute(text(values)).scalar()) is not None:
        yield f"entry {sequence} has a private value"


def _is_beyond_the_tree(connection: Connection, last: int) -> bool:
    if connection.execute(select(func.to_regclass("tree"))).scalar() is None:
        return False
    return int(connection.execute(text("SELECT size FROM tree")).scalar_one()) < last
