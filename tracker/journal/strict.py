"""JSON read without forgiveness: a text that two readers could understand differently is refused.

`tracker.domain.strict_json` does this for what strangers send, and sets limits to it. Here everything that `canonical` can
write must be readable, deep as it is inside an export's line; the line's own limit bounds the work.
"""

import json
from typing import Any, NoReturn

from tracker.domain.errors import TrackerError


class AmbiguousJsonError(TrackerError):
    """The bytes are not JSON that everybody reads the same way."""

    code = "journal_json_ambiguous"


def loads(data: bytes) -> Any:
    """Read one JSON value.

    Raises:
        AmbiguousJsonError: Not UTF-8, not JSON, a member twice, NaN or an infinity, or nested too deep to be read.
    """
    try:
        return json.loads(data.decode(), object_pairs_hook=_members, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise AmbiguousJsonError("it is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise AmbiguousJsonError("it is not JSON") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise AmbiguousJsonError("a member stands twice in one object")
    return members


def _refuse_constant(constant: str) -> NoReturn:
    raise AmbiguousJsonError(f"{constant} is not a JSON number")
