"""Members of UAE Open Finance's messages, taken out one by one, each with a reason code of its own if it cannot be."""

import re
from collections.abc import Mapping
from datetime import timedelta, timezone
from typing import Any, Final

from tracker.domain.consent import is_consent_id
from tracker.profiles.date_time import ReadTime, read_date_time
from tracker.profiles.i_json import require_i_json
from tracker.profiles.profile import UnreadableMessageError

ZONE: Final = timezone(timedelta(hours=4), "Asia/Dubai")
"""What a time without an offset is read in. The country has one zone and no daylight saving time."""

LONGEST_WORD: Final = 64
"""How long a status or an event type may be. The standard's longest has 21 characters."""

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


def object_in(holder: object, name: str) -> Mapping[str, Any]:
    """Take an object that must be there.

    Raises:
        UnreadableMessageError: `…_missing`, whatever else is in its place.
    """
    value = holder.get(name) if isinstance(holder, Mapping) else None
    if not isinstance(value, dict):
        raise UnreadableMessageError(f"{_code(name)}_missing")
    return value


def data_in(holder: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Take the data object, if there is one.

    Raises:
        UnreadableMessageError: `data_invalid`, or what `require_i_json` says of what is inside.
    """
    data = holder.get("Data")
    if data is None:
        return None
    if not isinstance(data, dict):
        raise UnreadableMessageError("data_invalid")
    require_i_json(data)
    return data


def consent_id_in(holder: Mapping[str, Any]) -> str:
    """Take the consent's id.

    Raises:
        UnreadableMessageError: `consent_id_missing` or `consent_id_invalid`.
    """
    value = holder.get("ConsentId")
    if value is None:
        raise UnreadableMessageError("consent_id_missing")
    if not isinstance(value, str) or not is_consent_id(value):
        raise UnreadableMessageError("consent_id_invalid")
    return value


def word_in(holder: Mapping[str, Any], name: str) -> str:
    """Take a word of the holder's, known or not: short, and nothing in it that a log or a page would stumble over.

    Raises:
        UnreadableMessageError: `…_missing` or `…_invalid`.
    """
    value = holder.get(name)
    if value is None:
        raise UnreadableMessageError(f"{_code(name)}_missing")
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_WORD or not value.isprintable():
        raise UnreadableMessageError(f"{_code(name)}_invalid")
    return value


def time_in(holder: Mapping[str, Any], name: str) -> ReadTime | None:
    """Take a date-time, if there is one, bare or wrapped in an object of its own name.

    Raises:
        UnreadableMessageError: `…_invalid`.
    """
    value = holder.get(name)
    if isinstance(value, dict):
        value = value.get(name, value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise UnreadableMessageError(f"{_code(name)}_invalid")
    try:
        return read_date_time(value, ZONE)
    except ValueError as error:
        raise UnreadableMessageError(f"{_code(name)}_invalid") from error


def require_time_in(holder: Mapping[str, Any], name: str) -> ReadTime:
    """Take a date-time that must be there.

    Raises:
        UnreadableMessageError: `…_missing` or `…_invalid`.
    """
    time = time_in(holder, name)
    if time is None:
        raise UnreadableMessageError(f"{_code(name)}_missing")
    return time


def unwrapped(name: str, value: object) -> object:
    """Make `{"CreationDateTime": "…"}` under that very name the text in it; an object with more in it stays."""
    return value[name] if isinstance(value, dict) and set(value) == {name} else value


def _code(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()
