"""Date-times in the texts of holders: RFC 3339, and the forms of ISO 8601 next to it that are met in practice."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

EARLIEST_YEAR: Final = 1970
"""Before this, in UTC, a date-time is an empty field of somebody's program and not a time in a consent's life."""

_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|(?P<leap>60))(?:[.,][0-9]+)?)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"
)
_BEFORE_MIDNIGHT: Final = (23, 59)


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
    # The standard library reads all these forms, and many that are none of ours: weeks, days of the year, no dashes.
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError("This is not a date and a time of day.")
    try:
        read = _before_leap_second(text, found) if found["leap"] else datetime.fromisoformat(text.upper())
        instant = (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)
        if found["leap"]:
            instant = _after_leap_second(instant)
    except OverflowError as error:
        raise ValueError("This time is beyond the calendar.") from error
    if instant.year < EARLIEST_YEAR:
        raise ValueError(f"This time is before {EARLIEST_YEAR}.")
    return ReadTime(instant, zone_assumed=read.tzinfo is None)


def _before_leap_second(text: str, found: re.Match[str]) -> datetime:
    start, end = found.span("leap")
    return datetime.fromisoformat(f"{text[:start]}59{text[end:]}".upper())


def _after_leap_second(instant: datetime) -> datetime:
    if (instant.hour, instant.minute) != _BEFORE_MIDNIGHT:
        raise ValueError("Leap seconds come at midnight UTC.")
    return instant + timedelta(seconds=1)
