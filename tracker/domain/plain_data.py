"""What we keep, as plain data that can be written as JSON: for whoever asks what is held of him."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


def plain_data(value: Any) -> Any:
    """Write dataclasses as objects, times in RFC 3339 (UTC), spans in seconds, and sequences as lists.

    Raises:
        TypeError: There is something in it that has no such form.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(name): plain_data(one) for name, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain_data(one) for one in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {one.name: plain_data(getattr(value, one.name)) for one in fields(value) if one.compare}
        case _:
            raise TypeError(f"{type(value).__name__} has no plain form.")
