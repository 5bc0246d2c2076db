"""Column types that mean the same on every database.

A stored value that has no meaning is read as an `Unreadable` and not as an error: SQLAlchemy would raise it while rows are
fetched, before anybody could tell which row it was, and would give up the rows after it.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import JSON, DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator, TypeEngine

Values = dict[str, Any]
"""A row that is to be written, by its columns."""

_SQLITE_WIDTH = len("2026-03-02T06:17:31.000000+00:00")


class Unreadable:
    """Stands where a stored value has no meaning. `rows.reading` makes an error of it that names the row."""


UNREADABLE: Final = Unreadable()


class Instant(TypeDecorator[datetime]):
    """An instant: aware in, aware UTC out, microseconds kept, and sorted as instants sort.

    SQLite has no type for it and SQLAlchemy's own drops the offset there; so it is kept as text of one width.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(_SQLITE_WIDTH))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Turn an aware time into what is stored."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored.")
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="microseconds") if dialect.name == "sqlite" else utc

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """The same as one function, where it would be three calls for each value."""
        return instant_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any] | None:  # noqa: ARG002 - SQLAlchemy's
        """The same way back."""
        return _read_instant


def _read_instant(value: Any) -> Any:
    """Turn what is stored into an aware UTC time."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return UNREADABLE
    return UNREADABLE if read.tzinfo is None else read


@lru_cache(maxsize=1024)  # a batch writes its own instant, and those of its events, many times
def instant_text(value: datetime | None) -> str | None:
    """Write an aware time as SQLite keeps it.

    Raises:
        ValueError: It has no zone.
    """
    if value is None:
        return None
    if value.tzinfo is UTC:
        return value.isoformat(timespec="microseconds")
    if value.tzinfo is None:
        raise ValueError("A time without a zone cannot be stored.")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


class Json(TypeDecorator[Any]):
    """JSON; None is the absence of a value."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any] | None:
        """Read the text ourselves where the driver gives it as text."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)
        return _read_json


def json_text(value: Any) -> str:
    """Write JSON for the database."""
    try:
        return orjson.dumps(value, None, orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:  # such as an integer beyond 64 bits
        return _write_json(value)


_write_json: Final = json.JSONEncoder(separators=(",", ":")).encode


def _read_json(text: Any) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return UNREADABLE
