"""JSON that can be read in one way only: whatever two readers could understand differently is refused.

What strangers send is read twice, once before its signature holds and once after, and what it says is kept as evidence.
So it has to mean the same to us, to the library that verifies it and to whoever reads the evidence in ten years.

Spec: RFC 8259; of the freedom that its §4, §6, §8 and §9 leave to readers nothing is used. RFC 7493 (I-JSON) §2 asks the
same for names, encoding and surrogates.
"""

import json
import math
import re
from typing import Any, Final, NoReturn

from tracker.domain.errors import TrackerError

MAX_DEPTH: Final = 64
"""Arrays and objects inside each other; the deepest standard message that we know has nine."""

MAX_INTEGER_DIGITS: Final = 40
"""The sign counts. No amount, time or identifier has more, and long ones cost time that grows with the square."""

_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class NotStrictJsonError(TrackerError):
    """This is not JSON, or not JSON that everybody reads the same way."""

    code = "json_not_strict"


def loads(data: bytes | str) -> Any:
    """Read one JSON value.

    Args:
        data: UTF-8 without a byte order mark, or text.

    Returns:
        dict, list, str, int, float, bool or None. Strings have a UTF-8 form, floats are finite.

    Raises:
        NotStrictJsonError: Not UTF-8, not JSON, a name twice in one object, a lone surrogate, NaN or an infinity, a number
            beyond what a double or 40 digits hold, or more than 64 levels. The message never repeats what was read.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
        value = _DECODER.decode(text)
        if _SURROGATE_ESCAPE.search(text) or isinstance(data, str):
            _require_utf8_form(value)
    except RecursionError as error:
        raise NotStrictJsonError("It is nested too deep.") from error
    except UnicodeError as error:
        raise NotStrictJsonError("It is not UTF-8 throughout.") from error
    except ValueError as error:
        raise NotStrictJsonError("It is not JSON.") from error
    # Brackets inside strings count too: that only makes us look more closely than is needed.
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(value):
        raise NotStrictJsonError("It is nested too deep.")
    return value


def _require_utf8_form(value: Any) -> None:
    # A lone surrogate can stand in text given as str or come from an escape; writing the value finds it wherever it is.
    json.dumps(value, ensure_ascii=False).encode()


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrictJsonError("A name stands twice in one object.")
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise NotStrictJsonError("A number is too long.")
    return int(digits)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotStrictJsonError("A number is beyond what a double holds.")
    return value


def _refuse_constant(_: str) -> NoReturn:
    raise NotStrictJsonError("NaN and infinities are no JSON numbers.")


# With the C scanner a shared decoder may be used from any thread: it keeps nothing between two texts.
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_refuse_constant
)
