"""An entry as one row of a table: each member of the leaf that is not the same for all, what stands beside it, and its hash.

A row says all that the entry says. What is a list or an object in it is JSON in its canonical form.
"""

import json
from enum import Enum, auto
from typing import Any, Final

from tracker.journal.canonical import canonical
from tracker.journal.export import Row
from tracker.journal.private import base64url


class Content(Enum):
    """What a column holds; any cell may be empty."""

    TEXT = auto()
    NUMBER = auto()
    TIME = auto()
    """UTC, six digits."""
    FLAG = auto()
    JSON = auto()


_OF_LEAF: Final = {"id": Content.TEXT, "time": Content.TIME, "type": Content.TEXT, "source": Content.TEXT}
_OF_DATA: Final = {
    "provider": Content.TEXT,
    "kind": Content.TEXT,
    "consent_id": Content.TEXT,
    "tracking_id": Content.TEXT,
    "previous": Content.NUMBER,
    "from": Content.TEXT,
    "to": Content.TEXT,
    "status_date_time": Content.TIME,
    "received_at": Content.TIME,
    "channel": Content.TEXT,
    "late": Content.FLAG,
    "corrected": Content.FLAG,
    "inferred": Content.FLAG,
    "confirmed": Content.FLAG,
    "revoked_by": Content.TEXT,
    "reason": Content.TEXT,
    "usable": Content.FLAG,
    "judge": Content.NUMBER,
}

COLUMNS: Final = {
    "sequence": Content.NUMBER,
    **_OF_LEAF,
    "subject": Content.TEXT,
    **_OF_DATA,
    "evidence": Content.JSON,
    "private_digest": Content.TEXT,
    "private": Content.JSON,
    "private_salt": Content.TEXT,
    "leaf_hash": Content.TEXT,
}
"""The columns, in order. The three members of a leaf that are not among them are the same for all entries."""


def cells(row: Row) -> list[Any]:
    """The cells of an entry, in the order of `COLUMNS`; times and JSON are texts."""
    sequence, leaf_bytes, leaf_hash, private, salt = row
    leaf: dict[str, Any] = json.loads(leaf_bytes)
    data = leaf["data"]
    return [
        sequence,
        *[leaf[name] for name in _OF_LEAF],
        leaf["subject"],
        *[data[name] for name in _OF_DATA],
        canonical(data["evidence"]).decode(),
        data["private_digest"],
        None if private is None else canonical(dict(private)).decode(),
        None if salt is None else base64url(salt),
        leaf_hash.hex(),
    ]
