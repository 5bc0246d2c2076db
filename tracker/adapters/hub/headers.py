"""What a holder's response headers ask of us: how long an answer keeps, and when to come again."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

DEFAULT_FRESH_SECONDS: Final = 900.0
"""For documents that do not say."""
_LEAST_FRESH_SECONDS: Final = 60.0
_MOST_FRESH_SECONDS: Final = 3_600.0
_LEAST_WAIT_SECONDS: Final = 1.0
_MOST_WAIT_SECONDS: Final = 86_400.0
_MAX_AGE: Final = re.compile(r'max-age\s*=\s*"?([0-9]{1,10})"?', re.IGNORECASE)
_NOT_KEPT: Final = frozenset({"no-store", "no-cache"})
_SECONDS: Final = re.compile(r"[0-9]{1,10}")


def fresh_seconds(headers: Mapping[str, str]) -> float:
    """How long a document may be used without asking again, by its Cache-Control: 60 to 3600 s.

    Spec: RFC 9111 §5.2.2. The bounds are ours: they keep a holder from being asked for every event, and a withdrawn key
    from being believed for long.
    """
    directives = [directive.strip() for directive in headers.get("Cache-Control", "").split(",")]
    if any(directive.lower() in _NOT_KEPT for directive in directives):
        return _LEAST_FRESH_SECONDS
    for directive in directives:
        if (match := _MAX_AGE.fullmatch(directive)) is not None:
            return min(max(float(match[1]), _LEAST_FRESH_SECONDS), _MOST_FRESH_SECONDS)
    return DEFAULT_FRESH_SECONDS


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the holder asks us to wait, 1 to 86400 s; None if it does not say, or not readably.

    Spec: RFC 9110 §10.2.3, whole seconds or a date.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            then = parsedate_to_datetime(text)
            # A date in "-0000" comes without a zone; HTTP knows no other than GMT.
            seconds = ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()
        except (ValueError, OverflowError, TypeError, IndexError):
            return None
    return min(max(seconds, _LEAST_WAIT_SECONDS), _MOST_WAIT_SECONDS)
