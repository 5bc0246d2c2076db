"""Cursors: where a list goes on, tied to the search that began it."""

import base64
import hashlib
import json

from pydantic import BaseModel

from tracker.web.problems import Problem

_VERSION = 1


def cursor_after(key: str, query: BaseModel) -> str:
    """Make the cursor that goes on after a key."""
    text = json.dumps([_VERSION, key, _search(query)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def key_of(cursor: str, query: BaseModel) -> str:
    """Read a cursor back.

    Raises:
        Problem: It is none, or that of another search.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        version, key, search = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise Problem("cursor_invalid") from error
    if version != _VERSION or not isinstance(key, str) or search != _search(query):
        raise Problem("cursor_invalid")
    return key


def _search(query: BaseModel) -> str:
    text = query.model_dump_json(exclude={"cursor", "limit"})
    return hashlib.sha256(text.encode()).hexdigest()[:16]
