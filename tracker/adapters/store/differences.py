"""What the two databases say differently inside a statement. All else is the same SQLAlchemy Core for both.

Locks of rows need nothing here: `with_for_update` is left out of statements for SQLite, whose one writer holds everything.
"""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Table, func, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite

from tracker.ports import Name

POSTGRES = "postgresql"


def upsert(connection: Connection, table: Table) -> Any:
    """An insert that knows `on_conflict_…`; both dialects spell it alike and share no class for it."""
    return postgresql.insert(table) if connection.dialect.name == POSTGRES else sqlite.insert(table)


def hold_names(connection: Connection, names: Collection[Name]) -> None:
    """Hold names until the end of the transaction, whether or not any row has them yet.

    All who hold several take them in one order, that of their numbers: two names may share one.
    """
    if connection.dialect.name != POSTGRES or not names:
        return
    numbers = literal(sorted({_number(name) for name in names}), postgresql.ARRAY(BigInteger))
    connection.execute(select(func.pg_advisory_xact_lock(func.unnest(numbers).column_valued("number"))))


def database_now(connection: Connection, seconds: float = 0) -> ColumnElement[Any]:
    """The database's clock, and so many seconds later."""
    return database_clock(connection.dialect.name, seconds)


def database_clock(dialect: str, seconds: float = 0) -> ColumnElement[Any]:
    """The same, for statements that are built before there is a connection."""
    if dialect == POSTGRES:
        return func.clock_timestamp() + timedelta(seconds=seconds)
    # In the form in which `columns.Instant` keeps them there.
    return func.strftime("%Y-%m-%dT%H:%M:%f000+00:00", "now", f"{seconds:+.3f} seconds")


def by_no_index(connection: Connection, column: Column[str]) -> ColumnElement[str]:
    """A text to compare with what nearly all rows have. SQLite knows no numbers, and would find and sort them all by an index."""
    return unindexed(connection.dialect.name, column)


def unindexed(dialect: str, column: Column[str]) -> ColumnElement[str]:
    """The same for statements that are built once for each database."""
    return column if dialect == POSTGRES else column.concat("")


@contextmanager
def planned_by_values(connection: Connection) -> Iterator[None]:
    """Have statements planned for the values that they are asked with.

    After five times PostgreSQL would take one plan for all values, and one that guesses how many rows a time lets through: for
    a time that lets none through it goes through the whole table.
    """
    if connection.dialect.name != POSTGRES:
        yield
        return
    connection.execute(text("SET plan_cache_mode = force_custom_plan"))
    yield
    connection.execute(
        text("RESET plan_cache_mode")
    )  # if it comes to that: otherwise later plans only take longer to make


@contextmanager
def written_over(connection: Connection) -> Iterator[None]:
    """Have what is deleted or changed written over at once, in every page of the file that it stood in.

    Always would cost: a page for each page of every event that leaves the inbox. On PostgreSQL the server cleans later.
    """
    if connection.dialect.name == POSTGRES:
        yield
        return
    connection.exec_driver_sql("PRAGMA secure_delete=ON").all()
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA secure_delete=FAST").all()


def _number(name: Name) -> int:
    provider, consent_id = name
    hashed = hashlib.sha256(f"{provider}/{consent_id}".encode()).digest()
    return int.from_bytes(hashed[:8], signed=True)
