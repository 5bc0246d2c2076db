"""Date-times in the texts of holders: RFC 3339, and the forms of ISO 8601 next to it that are met in practice."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final, NamedTuple

EARLIEST_YEAR: Final = 1970
"""Before this, in UTC, a date-time is an empty field of somebody's program and not a time in a consent's life."""

_DATE_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:([Zz])|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)
_LEAP_SECOND: Final = 60
_BEFORE_MIDNIGHT: Final = (23, 59)
_MINUTES_AN_HOUR: Final = 60


class ReadTime(NamedTuple):
    """A date-time, read.

    Attributes:
        instant: In UTC, cut to microseconds.
        zone_assumed: The text had no offset.
    """

    instant: datetime
    zone_assumed: bool


def read_date_time(text: str, zone: tzinfo) -> ReadTime:
    """Read a date and a time of day, of any length of fraction, with an offset or in the given zone.

    Spec: RFC 3339, 5.6; a leap second is taken for the second after it, and `-00:00` is UTC. From ISO 8601 also: no
    seconds, a comma before the fraction, offsets of hours alone or without a colon.

    Raises:
        ValueError: It is nothing of the kind, there is no such day or time, or its year in UTC is not 1970 to 9999.
    """
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError("This is not a date and a time of day.")
    year, month, day, hour, minute = (int(found[group]) for group in range(1, 6))
    second, fraction = int(found[6] or 0), int((found[7] or "")[:6].ljust(6, "0"))
    is_leap = second == _LEAP_SECOND
    offset = _offset(found)
    local = datetime(year, month, day, hour, minute, second - is_leap, fraction, tzinfo=offset or zone)
    try:
        instant = local.astimezone(UTC)
        if is_leap and (instant.hour, instant.minute) != _BEFORE_MIDNIGHT:
            raise ValueError("Leap seconds come at midnight UTC.")
        instant += timedelta(seconds=is_leap)
    except OverflowError as error:
        raise ValueError("This time is beyond the calendar.") from error
    if instant.year < EARLIEST_YEAR:
        raise ValueError(f"This time is before {EARLIEST_YEAR}.")
    return ReadTime(instant, zone_assumed=offset is None)


def _offset(found: re.Match[str]) -> tzinfo | None:
    if found[8]:
        return UTC
    if not found[9]:
        return None
    hours, minutes = int(found[10]), int(found[11] or 0)
    if minutes >= _MINUTES_AN_HOUR:
        raise ValueError("An offset has no such minutes.")
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if found[9] == "-" else size)
