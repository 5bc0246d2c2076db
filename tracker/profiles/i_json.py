"""What of a holder's JSON may go further: only what every later step can write, hash and compare.

Evidence is hashed in canonical form (RFC 8785), which only I-JSON has. A value outside it is refused here, where it can
be put aside with a reason, and not later in the middle of a transaction. Integers that a double does not keep exactly
are taken: they have a canonical form, that of the nearest double.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Final

from tracker.domain.plain_json import is_plain
from tracker.profiles.profile import UnreadableMessageError

DEEPEST_NESTING: Final = 64
"""How many objects and arrays may lie within each other. The standards' own messages have fewer than ten."""


def require_i_json(value: object) -> None:
    """Refuse what is not I-JSON, or is nested too deeply.

    Spec: RFC 7493, 2.1 and 2.2; RFC 8785, 3.2.2 and 3.2.2.3.

    Raises:
        UnreadableMessageError: `text_invalid` (a lone surrogate), `number_invalid` (not finite, or beyond any
            double), `nesting_too_deep`, `json_invalid` (no JSON at all).
    """
    if is_plain(value):
        return
    level = [value]
    for _ in range(DEEPEST_NESTING + 1):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return
    raise UnreadableMessageError("nesting_too_deep")


def _within(value: object) -> Iterable[object]:
    if isinstance(value, str):
        _require_text(value)
    elif isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise UnreadableMessageError("json_invalid")
            _require_text(name)
        return value.values()
    elif isinstance(value, list):
        return value
    elif isinstance(value, int | float):
        _require_number(value)
    elif value is not None:
        raise UnreadableMessageError("json_invalid")
    return ()


def _require_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnreadableMessageError("text_invalid") from error


def _require_number(number: float) -> None:
    try:
        is_finite = isfinite(number)
    except OverflowError as error:
        raise UnreadableMessageError("number_invalid") from error
    if not is_finite:
        raise UnreadableMessageError("number_invalid")
