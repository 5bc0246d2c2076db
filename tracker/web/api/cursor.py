"""Cursors: where a list goes on, tied to the search that began it. Callers get them from us and may send anything."""

import base64
import hashlib
import json
import re

from pydantic import BaseModel

from tracker.domain.strict_json import NotStrictJsonError
from tracker.domain.strict_json import loads as strict_loads
from tracker.web.problems import Problem

_VERSION = 1
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def cursor_after(key: str, query: BaseModel) -> str:
    """Make the cursor that goes on after a key."""
    text = json.dumps([_VERSION, key, _search(query)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def key_of(cursor: str, query: BaseModel, form: re.Pattern[str] = UUID) -> str:
    """Read a cursor back; its key is of this form.

    Raises:
        Problem: It is none, or that of another search.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        version, key, search = strict_loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, NotStrictJsonError) as error:
        raise Problem("cursor_invalid") from error
    if version != _VERSION or search != _search(query) or not isinstance(key, str) or not form.fullmatch(key):
        raise Problem("cursor_invalid")
    return key


def _search(query: BaseModel) -> str:
    text = query.model_dump_json(exclude={"cursor", "limit"})
    return hashlib.sha256(f"{type(query).__name__} {text}".encode()).hexdigest()[:16]
