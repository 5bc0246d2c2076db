"""Times as the journal writes them: RFC 3339, UTC, always six digits of a second, so that texts sort as instants."""

import re
from datetime import UTC, datetime
from typing import Final

_FORM: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def rfc3339(time: datetime) -> str:
    """Write an aware time, such as `2026-03-02T11:13:21.000000Z`.

    Raises:
        ValueError: It has no zone, or is outside the years 1 to 9999 in UTC.
    """
    if time.utcoffset() is None:
        raise ValueError("A time without a zone is not an instant.")
    try:
        utc = time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("The time is outside the years 1 to 9999.") from error
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_rfc3339(text: str) -> datetime:
    """Read back what `rfc3339` wrote, and nothing else: no other offset, no fewer digits.

    Raises:
        ValueError: It is not of that form.
    """
    if _FORM.fullmatch(text) is None:
        raise ValueError("A time in the journal looks like 2026-03-02T11:13:21.000000Z.")
    return datetime.fromisoformat(text)
