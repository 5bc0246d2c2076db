"""What a row says that the domain cannot is an error that names the row, never what it says: that may be personal."""

import logging
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Row

from tracker.adapters.store.columns import UNREADABLE
from tracker.adapters.store.columns import Values as Values  # noqa: PLC0414 - known from here
from tracker.domain.errors import InconsistentRowError

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


def consistent(
    table: str, key: str
) -> Callable[[Callable[Concatenate[Row[Any], P], T]], Callable[Concatenate[Row[Any], P], T]]:
    """Turn whatever a row's words break into an error that names the row."""

    def wrap(read: Callable[Concatenate[Row[Any], P], T]) -> Callable[Concatenate[Row[Any], P], T]:
        @wraps(read)
        def checked(row: Row[Any], /, *args: P.args, **named: P.kwargs) -> T:
            if UNREADABLE in row:
                raise InconsistentRowError(table, _key(row, key), f"{_unreadable(row)} cannot be read")
            try:
                return read(row, *args, **named)
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                problem = f"it does not fit what the domain knows ({type(error).__name__})"
            # Not from its cause: the cause quotes the row, and tracebacks end up in logs.
            raise InconsistentRowError(table, _key(row, key), problem)

        return checked

    return wrap


def sorted_out(found: Iterable[Row[Any]], read: Callable[[Row[Any]], T]) -> tuple[list[T], list[Row[Any]]]:
    """Read what can be read, and give the damaged rows apart. For work that one bad row must not stop."""
    good: list[T] = []
    damaged: list[Row[Any]] = []
    for row in found:
        try:
            good.append(read(row))
        except InconsistentRowError as error:
            _log.error("%s It is left out until somebody mends it.", error)
            damaged.append(row)
    return good, damaged


def _key(row: Row[Any], key: str) -> str:
    return str(getattr(row, key, "?"))


def _unreadable(row: Row[Any]) -> str:
    return ", ".join(name for name, value in row._mapping.items() if value is UNREADABLE)  # noqa: SLF001 - documented
