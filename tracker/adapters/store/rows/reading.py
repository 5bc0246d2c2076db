"""What a row says that the domain cannot is an error that names the row."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy import Row

from tracker.domain.errors import InconsistentRowError

Values = dict[str, Any]
T = TypeVar("T")


def consistent(table: str, key: str) -> Callable[[Callable[[Row[Any]], T]], Callable[[Row[Any]], T]]:
    """Turn whatever a row's words break into an error that names the row."""

    def wrap(read: Callable[[Row[Any]], T]) -> Callable[[Row[Any]], T]:
        @wraps(read)
        def checked(row: Row[Any]) -> T:
            try:
                return read(row)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                name = str(getattr(row, key, "?"))
                raise InconsistentRowError(table, name, f"{type(error).__name__}: {error}") from error

        return checked

    return wrap
