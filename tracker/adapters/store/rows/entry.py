"""Rows of `entry`."""

import json
from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.reading import Values, consistent
from tracker.journal.entry import Entry


def entry_values(entry: Entry) -> Values:
    """The row of an entry."""
    return {
        "sequence": entry.sequence,
        "id": entry.leaf["id"],
        "tracking_id": entry.lane,
        "recorded_at": entry.recorded_at,
        "leaf": entry.leaf_bytes,
        "leaf_hash": entry.leaf_hash,
        "private": None if entry.private is None else dict(entry.private),
        "private_salt": entry.private_salt,
    }


@consistent("entry", "sequence")
def to_entry(row: Row[Any]) -> Entry:
    """A row of `entry`; the leaf is what was hashed, byte for byte."""
    return Entry(
        sequence=row.sequence,
        recorded_at=row.recorded_at,
        leaf=json.loads(row.leaf),
        leaf_bytes=row.leaf,
        leaf_hash=row.leaf_hash,
        private=row.private,
        private_salt=row.private_salt,
    )
