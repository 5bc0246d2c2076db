"""The cover sheet of an export: what the folder says it holds.

It proves nothing by itself: what it says is computed again from the entries, and only the checkpoint in it is signed.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from tracker.domain.errors import TrackerError
from tracker.journal.leaf import Form, form_fault, is_hex_sha256, is_text, is_uuid
from tracker.journal.strict import AmbiguousJsonError, loads

FORMAT: Final = "consent-tracker/journal-export"
VERSION: Final = 1

MANIFEST_NAME: Final = "manifest.json"
ENTRIES_NAME: Final = "entries.jsonl.gz"

MAX_MANIFEST_BYTES: Final = 1_048_576
"""A manifest has about 1 KB, and up to 0.5 MB if many witnesses signed with large signatures."""


class BrokenExportError(TrackerError):
    """The folder is not an intact export.

    The message says where it is broken and in what way.
    """

    code = "export_broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export holds. Version 1 is a whole journal, from its first entry on.

    Attributes:
        journal_id: UUID of the journal; the entries' source is this as a URN.
        count: How many entries there are.
        lost: How many sequences belong to declared gaps (see `gap`); 0 but for a journal that was restored from a copy.
        file_bytes: Size of the file of entries, compressed.
        file_sha256: Hex SHA-256 of that file.
        root_hash: Hex root over the leaf hashes.
        checkpoint: A signed note over size and root; None if nobody signed.
    """

    journal_id: str
    count: int
    file_bytes: int
    file_sha256: str
    root_hash: str
    checkpoint: str | None
    lost: int = 0

    @property
    def tree_size(self) -> int:
        """The last sequence; the tree has so many leaves."""
        return self.count + self.lost

    def to_bytes(self) -> bytes:
        """Write it as the file's content. The same manifest always gives the same bytes."""
        members = {
            "format": FORMAT,
            "version": VERSION,
            "journal_id": self.journal_id,
            "range": {"from": 1, "to": self.tree_size},
            "count": self.count,
            "file": {"name": ENTRIES_NAME, "bytes": self.file_bytes, "sha256": self.file_sha256},
            "tree_size": self.tree_size,
            "root_hash": self.root_hash,
            "checkpoint": self.checkpoint,
        }
        return (json.dumps(members, indent=2, ensure_ascii=False) + "\n").encode()


def _is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


_RANGE: Final[dict[str, Form]] = {"from": lambda value: type(value) is int and value == 1, "to": _is_number}

_FILE: Final[dict[str, Form]] = {
    "name": lambda value: value == ENTRIES_NAME,
    "bytes": _is_number,
    "sha256": is_hex_sha256,
}

_MANIFEST: Final[dict[str, Form]] = {
    "format": lambda value: value == FORMAT,
    "version": lambda value: type(value) is int and value == VERSION,
    "journal_id": is_uuid,
    "range": lambda value: form_fault(value, _RANGE, "range") is None,
    "count": _is_number,
    "file": lambda value: form_fault(value, _FILE, "file") is None,
    "tree_size": _is_number,
    "root_hash": is_hex_sha256,
    "checkpoint": lambda value: value is None or is_text(value),
}


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest, and nothing that merely resembles one.

    Raises:
        BrokenExportError: It is not one, or its numbers do not agree with each other.
    """
    try:
        value = loads(data)
    except AmbiguousJsonError as error:
        raise BrokenExportError(f"{MANIFEST_NAME}: {error}") from error
    fault = form_fault(value, _MANIFEST, "the manifest")
    if fault is not None:
        raise BrokenExportError(f"{MANIFEST_NAME}: {fault}")
    count, size = value["count"], value["tree_size"]
    if size < count or value["range"]["to"] != size or (size > count == 0):
        raise BrokenExportError(f"{MANIFEST_NAME}: range, count and tree_size do not agree")
    return Manifest(
        journal_id=value["journal_id"],
        count=count,
        file_bytes=value["file"]["bytes"],
        file_sha256=value["file"]["sha256"],
        root_hash=value["root_hash"],
        checkpoint=value["checkpoint"],
        lost=size - count,
    )
