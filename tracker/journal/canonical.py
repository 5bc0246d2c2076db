"""One byte string for each JSON value, so that a hash of it means the value.

Spec: RFC 8785 (JSON Canonicalization Scheme): members sorted by the UTF-16 code units of their names, the shortest
escapes, numbers as ECMAScript writes them, no white space, UTF-8.
"""

import json
import math
from json.encoder import encode_basestring as _quoted
from typing import Any, Final

from tracker.domain.errors import TrackerError
from tracker.domain.plain_json import is_plain

MAX_DEPTH: Final = 100
"""How many arrays and objects may stand inside each other. Holders' data has fewer than ten."""

_EXACT: Final = 2**53
"""Up to here every integer is a double; beyond, RFC 8785 knows only the double that it rounds to."""

_PLAIN_DIGITS: Final = 21
"""ECMAScript writes numbers below 10**21 without an exponent."""

_PLAIN_ZEROS: Final = 6
"""ECMAScript writes numbers from 10**-6 on without an exponent."""


_write_plain: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
).encode


class NotCanonicalError(TrackerError):
    """The value has no canonical JSON form."""

    code = "not_canonical"


def canonical(value: Any) -> bytes:
    """Write a JSON value in its one canonical form.

    Args:
        value: None, bool, int, float, str, list, tuple, or dict with str keys, of these. Members of an enumeration
            that is a str or an int are written as such.

    Returns:
        UTF-8. Two values that are equal as JSON give the same bytes, whatever the order of their members.

    Raises:
        NotCanonicalError: NaN, an infinity, an integer beyond any double, a lone surrogate, a name that is not a str,
            another type, or nesting deeper than `MAX_DEPTH` (so also a value that contains itself).
    """
    if is_plain(value):  # ten times as quick: names of ASCII sort alike by any measure, and nothing else is special
        return _write_plain(value).encode()
    try:
        return _written(value, 0).encode()
    except UnicodeEncodeError as error:
        raise NotCanonicalError("A text with half of a surrogate pair has no UTF-8 form.") from error


def _written(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _number(value)
    if not isinstance(value, dict | list | tuple):
        raise NotCanonicalError(f"JSON has no {type(value).__name__}.")
    if depth == MAX_DEPTH:
        raise NotCanonicalError(f"JSON nested deeper than {MAX_DEPTH} levels is not taken.")
    if isinstance(value, dict):
        members = [f"{_quoted(name)}:{_written(value[name], depth + 1)}" for name in _sorted_names(value)]
        return "{" + ",".join(members) + "}"
    return "[" + ",".join([_written(item, depth + 1) for item in value]) + "]"


def _sorted_names(members: dict[str, Any]) -> list[str]:
    for name in members:
        if not isinstance(name, str):
            raise NotCanonicalError(f"Member names are texts, not {type(name).__name__}.")
    if all(map(str.isascii, members)):
        return sorted(members)
    # Python sorts by code point. UTF-16 puts what is beyond U+FFFF, as it begins with U+D8.., before U+E000 to U+FFFF.
    return sorted(members, key=lambda name: name.encode("utf-16-be"))


def _integer(value: int) -> str:
    if -_EXACT <= value <= _EXACT:
        return int.__repr__(value)
    try:
        return _number(float(value))
    except OverflowError as error:
        raise NotCanonicalError("An integer is too large for a double.") from error


def _number(value: float) -> str:
    """Write a double as ECMAScript does.

    Python and ECMAScript agree on the digits (the shortest that read back as the same double, the closest of those) and
    differ in when they use an exponent and how they write it.

    Spec: ECMA-262, Number::toString; RFC 8785 section 3.2.2.3.
    """
    if not math.isfinite(value):
        raise NotCanonicalError("JSON has no NaN and no infinity.")
    if value == 0:
        return "0"  # also for -0.0
    sign = "-" if value < 0 else ""
    digits, point = _decimal(abs(value))
    count = len(digits)
    if count <= point <= _PLAIN_DIGITS:
        return f"{sign}{digits}{'0' * (point - count)}"
    if 0 < point <= _PLAIN_DIGITS:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -_PLAIN_ZEROS < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def _decimal(value: float) -> tuple[str, int]:
    """Take a positive double apart into digits and point, so that it is 0.digits times 10 to the power of point."""
    mantissa, _, exponent = float.__repr__(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading_zeros = len(whole) + len(fraction) - len(digits)
    return digits.rstrip("0"), len(whole) - leading_zeros + int(exponent or "0")
