"""Rows of `entry`."""

import json
from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.reading import Values, consistent
from tracker.adapters.store.sealed import private_of
from tracker.journal.entry import Entry


def entry_values(entry: Entry, private: bytes | None) -> Values:
    """The row of an entry, with its private value and salt as they stand sealed."""
    return {
        "sequence": entry.sequence,
        "id": entry.leaf["id"],
        "tracking_id": entry.lane,
        "recorded_at": entry.recorded_at,
        "leaf": entry.leaf_bytes,
        "leaf_hash": entry.leaf_hash,
        "private": None,
        "private_salt": private,
    }


@consistent("entry", "sequence")
def to_entry(row: Row[Any]) -> Entry:
    """A row of `entry`; the leaf is what was hashed, byte for byte. Where its key is no more, its private value is not there."""
    leaf = json.loads(row.leaf)
    private, salt = row.private, row.private_salt
    if private is None and salt is not None:
        private, salt = private_of(leaf, bytes(salt))
    return Entry(
        sequence=row.sequence,
        recorded_at=row.recorded_at,
        leaf=leaf,
        leaf_bytes=row.leaf,
        leaf_hash=row.leaf_hash,
        private=private,
        private_salt=salt,
    )
