"""Statements about many rows at once, their text made once for each database.

SQLAlchemy Core would bind each value of each row through several calls of its own: for a batch of events that costs more than
judging them. So a statement is built by Core, compiled once, and run as text; what its columns' types do to values is done
here, column by column. On PostgreSQL all rows travel as one array for each column.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Select,
    String,
    Table,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.types import TypeDecorator

from tracker.adapters.store.columns import Values, json_text
from tracker.adapters.store.differences import POSTGRES

_NEW: Final = "new_"

Processor = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Text:
    """A statement as the driver takes it.

    Attributes:
        sql: The text.
        names: For each of its parameters, in order, the name of the value.
        processors: For each, what the column's type does to it.
    """

    sql: str
    names: tuple[str, ...]
    processors: tuple[Processor, ...]


def insert_rows(
    connection: Connection, table: Table, found: Sequence[Values], *, known_ones_stay: bool = False
) -> None:
    """Put rows in, all of one shape.

    Args:
        connection: In a transaction.
        table: Where.
        found: The rows; None: there is nothing to do.
        known_ones_stay: Whether a row that is there already is left as it is; else that is an error.
    """
    if found:
        _run(connection, _insert(connection.dialect.name, table, tuple(found[0]), known_ones_stay), found)


def update_rows(connection: Connection, table: Table, key: str, found: Sequence[Values]) -> None:
    """Change rows that are found by a key, all in the same columns: those that the first one names."""
    if found:
        _run(connection, _update(connection.dialect.name, table, key, tuple(found[0])), found)


def among(dialect: str, values: Column[Any], name: str) -> ColumnElement[bool]:
    """A condition: a text is one of those of a parameter, however many; see `texts`."""
    if dialect == POSTGRES:
        return values == any_(bindparam(name, type_=postgresql.ARRAY(String)))
    return values.in_(each(dialect, name))


def each(dialect: str, name: str) -> Select[Any]:
    """The texts of a parameter as rows; see `texts`."""
    if dialect == POSTGRES:
        return select(func.unnest(bindparam(name, type_=postgresql.ARRAY(String))))
    return select(func.json_each(bindparam(name, type_=String)).table_valued("value").c.value)


def texts(dialect: str, values: Collection[str]) -> Any:
    """What `among` takes for its parameter."""
    return sorted(values) if dialect == POSTGRES else json_text(sorted(values))


# ---------------------------------------------------------------------------------------------- inside


def _run(connection: Connection, text: _Text, found: Sequence[Values]) -> None:
    columns: list[list[Any]] = []
    try:
        for name, process in zip(text.names, text.processors, strict=True):
            values = [row[name] for row in found]
            columns.append(values if process is None else [None if v is None else process(v) for v in values])
    except (TypeError, ValueError, RecursionError) as error:  # as SQLAlchemy tells of a value that cannot be bound
        raise StatementError(type(error).__name__, text.sql, None, error, hide_parameters=True) from error
    if connection.dialect.name == POSTGRES:
        connection.exec_driver_sql(text.sql, tuple(columns))
    else:
        connection.exec_driver_sql(text.sql, list(zip(*columns, strict=True)))


@cache
def _insert(dialect: str, table: Table, names: tuple[str, ...], known_ones_stay: bool) -> _Text:  # noqa: FBT001 - inside
    if dialect == POSTGRES:
        new = postgresql.insert(table).from_select(list(names), select(*_unnested(table, names)))
        return _compiled(_asyncpg(), new.on_conflict_do_nothing() if known_ones_stay else new, table)
    one = sqlite.insert(table).on_conflict_do_nothing() if known_ones_stay else insert(table)
    return _compiled(_sqlite(), one.values({name: bindparam(name) for name in names}), table)


@cache
def _update(dialect: str, table: Table, key: str, names: tuple[str, ...]) -> _Text:
    changed = [name for name in names if name != key]
    if dialect == POSTGRES:
        new = select(*_unnested(table, names)).subquery("new")
        many = update(table).where(table.c[key] == new.c[key]).values({name: new.c[name] for name in changed})
        return _compiled(_asyncpg(), many, table)
    one = update(table).where(table.c[key] == bindparam(_NEW + key))
    return _compiled(_sqlite(), one.values({name: bindparam(_NEW + name) for name in changed}), table)


def _sqlite() -> Dialect:
    return sqlite.dialect(json_serializer=json_text)


def _asyncpg() -> Dialect:
    made: Dialect = postgresql.asyncpg.dialect(json_serializer=json_text)  # type: ignore[no-untyped-call]
    return made


def _unnested(table: Table, names: Sequence[str]) -> list[ColumnElement[Any]]:
    """A column for each name, from arrays that are parameters of these names."""
    types = {name: _sent_as(table.c[name]) for name in names}
    arrays = [bindparam(name, type_=postgresql.ARRAY(types[name])) for name in names]
    found = func.unnest(*arrays).table_valued(*(column(name, types[name]) for name in names), name="given")
    found = found.render_derived()
    return [cast(found.c[name], JSON) if _is_json(table.c[name]) else found.c[name] for name in names]


def _sent_as(of: Column[Any]) -> Any:
    # Texts without their length: a cast to a length would cut them, where the column itself refuses what is too long.
    return String() if _is_json(of) or isinstance(of.type, String) else of.type


def _is_json(of: Column[Any]) -> bool:
    return isinstance(of.type, TypeDecorator) and isinstance(of.type.impl_instance, JSON)


def _compiled(dialect: Dialect, statement: ClauseElement, table: Table) -> _Text:
    compiled = statement.compile(dialect=dialect)
    names = tuple(name.removeprefix(_NEW) for name in compiled.positiontup or ())  # type: ignore[attr-defined]
    processors = tuple(table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)
    return _Text(str(compiled), names, processors)
