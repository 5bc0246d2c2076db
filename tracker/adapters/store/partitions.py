"""What PostgreSQL keeps in partitions, and who makes the next ones. SQLite has one table for each.

| table | by | because |
|---|---|---|
| `entry` | ranges of sequence | it grows at its end only: what is full is never written again, and can be moved as it is |
| `confirmation` | the day of recording | a day is forgotten by dropping it, not by deleting millions of rows |
| `report` | hash of the consent's id | its indexes stay of a size that memory holds, and are cleaned one by one |

A report is looked for by its digest, or by the consent's key that it has only once the consent is registered: neither can be
what it is kept by. The consent's id is never missing and never changes, and the digest is made of it among others: so each
partition holds its digests unique, and that is as good as all of them together.

Schema 0005 makes the first partitions. Housekeeping makes the next ones long before they are needed, in small transactions that
rather fail than let anybody wait. What is done to tables is in functions of the database (`tending`), so that the service's role
needs no right to do more. Should it not come to that, the partition for the rest takes what has no other: nothing is refused or
lost, and it becomes the partition for what it took when housekeeping runs again.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Table, delete, func, select, text

from tracker.adapters.store import tending
from tracker.adapters.store.differences import POSTGRES
from tracker.adapters.store.tables import confirmation, entry, journal

_log = logging.getLogger(__name__)

ENTRIES_IN_ONE: Final = 50_000_000
"""So many sequences make a partition of the journal: few enough partitions for years, and each can be copied in an hour."""

NOT_ON_POSTGRES: Final = frozenset({"uq_entry_id", "ix_confirmation_recorded_at"})
"""What the tables have on SQLite alone: it could hold within each partition only, or nobody looks for anything by it."""

_ENTRIES_MARGIN: Final = 1_000_000
_DAYS_AHEAD: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)
_TENDING: Final = 0x706172746974696F  # a number of our own among the advisory locks of a database


class _Scale(Protocol):
    """Where one partition ends and the next begins. Bounds are numbers, or times."""

    table: Table
    key: str

    def name(self, below: Any) -> str:
        """What the partition below a bound is called."""

    def read(self, bound: str) -> Any:
        """A bound, of what PostgreSQL tells of it."""

    def after(self, value: Any) -> Any:
        """The next bound above a value."""

    def needed(self, connection: Connection, now: datetime) -> tuple[Any, Any]:
        """What may be written any moment, and up to where there should be partitions."""


class _Sequences:
    """The journal's partitions: there is always one more than the one that is written."""

    table, key = entry, entry.c.sequence.name

    def name(self, below: int) -> str:
        return f"entry_before_{below}"

    def read(self, bound: str) -> int:
        return int(bound)

    def after(self, value: int) -> int:
        return (value // ENTRIES_IN_ONE + 1) * ENTRIES_IN_ONE

    def needed(self, connection: Connection, _now: datetime) -> tuple[int, int]:
        following = connection.execute(select(journal.c.next_sequence)).scalar_one()
        return following + _ENTRIES_MARGIN, following + ENTRIES_IN_ONE


class _Days:
    """The confirmations' partitions: there are those of the week that comes."""

    table, key = confirmation, confirmation.c.recorded_at.name

    def name(self, below: datetime) -> str:
        return f"confirmation_before_{below:%Y%m%d}"

    def read(self, bound: str) -> datetime:
        return datetime.fromisoformat(bound).astimezone(UTC)

    def after(self, value: datetime) -> datetime:
        return datetime.combine(value.astimezone(UTC) + _DAY, time(tzinfo=UTC))

    def needed(self, _connection: Connection, now: datetime) -> tuple[datetime, datetime]:
        return now + _DAY, now + _DAYS_AHEAD


@dataclass(frozen=True, slots=True)
class _Part:
    """A partition: its table, and the bound below which its rows are."""

    name: str
    below: Any


def make_next(connection: Connection, now: datetime) -> bool:
    """Make a partition that is going to be needed, and say whether to ask again: each in a transaction of its own."""
    return _may_change(connection) and any(_extended(connection, scale, now) for scale in (_Sequences(), _Days()))


def delete_old(connection: Connection, before: datetime) -> None:
    """Delete confirmations that were recorded before some time and are in no day's partition."""
    if connection.dialect.name == POSTGRES:
        tending.forget_confirmations(connection, before)
    else:
        connection.execute(delete(confirmation).where(confirmation.c.recorded_at < before))


def drop_old(connection: Connection, before: datetime) -> bool:
    """Drop a day of confirmations that ended before some time, and say whether to ask again."""
    if not _may_change(connection):
        return False
    *others, _last = _parts(connection, _Days())  # the last one stays: it says where the next one begins
    old = [part.name for part in others if part.below <= before]
    if old:
        tending.drop_confirmations(connection, old[0])
    return bool(old)


def partition_names(connection: Connection) -> frozenset[str]:
    """The tables that are parts of others."""
    if connection.dialect.name != POSTGRES:
        return frozenset()
    parts = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND pg_table_is_visible(oid)"
    return frozenset(connection.execute(text(parts)).scalars())


def _may_change(connection: Connection) -> bool:
    """Whether partitions may be changed now, and by us alone until the end of the transaction.

    Who waits for a lock on a table makes all wait who come after him. So we do not wait: the next housekeeping tries again.
    """
    if connection.dialect.name != POSTGRES:
        return False
    connection.execute(text("SET LOCAL lock_timeout = '200ms'"))
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(_TENDING))).scalar())


def _extended(connection: Connection, scale: _Scale, now: datetime) -> bool:
    table, rest = scale.table.name, f"{scale.table.name}_rest"
    current, ahead = scale.needed(connection, now)
    edge = _parts(connection, scale)[-1].below
    if edge >= ahead:
        return False
    below = scale.after(max(edge, current))
    if tending.add_partition(connection, table, scale.name(below), (str(edge), str(below))):
        return True
    _log.warning("%s holds what is far ahead of our clock; nothing is lost, but no partition can be made", rest)
    return False


def _parts(connection: Connection, scale: _Scale) -> list[_Part]:
    """A table's partitions, but for the one for the rest, in their order."""
    query = text(
        "SELECT relname AS name, substring(pg_get_expr(relpartbound, oid) FROM ' TO \\(''?([^'')]+)') AS below"
        " FROM pg_class WHERE oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = CAST(:whole AS regclass))"
        " AND pg_get_expr(relpartbound, oid) <> 'DEFAULT'"
    )
    found = connection.execute(query, {"whole": scale.table.name})
    return sorted((_Part(row.name, scale.read(row.below)) for row in found), key=lambda part: part.below)
