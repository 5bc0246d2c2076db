"""Exports for reading, and not for proving: tables of entries and records of consents, with a cover sheet.

The cover says what the files are and which journal they were made of, up to which entry. It is not signed, and the files are not
the leaves of any tree: who must be shown that nothing was changed is given the entries as JSONL.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from tracker.journal.folder import ExportFolder
from tracker.journal.leaf import Form, form_fault, is_hex_sha256, is_text, is_uuid
from tracker.journal.manifest import (
    MANIFEST_NAME,
    BrokenExportError,
    WrittenFile,
    is_number,
    part_in,
    read_manifest,
    require_form,
)
from tracker.journal.selection import Part, selection_fault

FORMAT: Final = "consent-tracker/table"
VERSION: Final = 1

CONTENTS: Final = {
    "csv": "rows of entries as CSV",
    "parquet": "rows of entries as Parquet",
    "consent-records": "consent records as JSON",
}
"""What a table may be, by the name of its form."""

_MOST_FILES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TableManifest:
    """The cover of a table.

    Attributes:
        content: One of `CONTENTS`.
        part: What was chosen.
        count: How many rows there are.
        files: Where they are, in order.
        checkpoint: A signed note over the journal that it was made of; it says nothing about the files.
    """

    content: str
    part: Part
    count: int
    files: tuple[WrittenFile, ...]
    checkpoint: str | None

    def to_bytes(self) -> bytes:
        """Write it as the file's content."""
        members = {
            "format": FORMAT,
            "version": VERSION,
            "content": self.content,
            "journal_id": self.part.journal_id,
            "selection": self.part.selection.members(),
            "range": {"from": self.part.first, "to": self.part.last},
            "count": self.count,
            "files": [file.members() for file in self.files],
            "tree_size": self.part.tree_size,
            "checkpoint": self.checkpoint,
        }
        return (json.dumps(members, indent=2, ensure_ascii=False) + "\n").encode()


_RANGE: Final[dict[str, Form]] = {"from": is_number, "to": is_number}
_FILE: Final[dict[str, Form]] = {
    "name": lambda value: is_text(value) and value == Path(value).name and value not in {"", ".", "..", MANIFEST_NAME},
    "bytes": is_number,
    "sha256": is_hex_sha256,
}
_TABLE: Final[dict[str, Form]] = {
    "format": lambda value: value == FORMAT,
    "version": lambda value: type(value) is int and value == VERSION,
    "content": lambda value: isinstance(value, str) and value in CONTENTS,
    "journal_id": is_uuid,
    "selection": lambda value: selection_fault(value) is None,
    "range": lambda value: form_fault(value, _RANGE, "range") is None,
    "count": is_number,
    "files": lambda value: isinstance(value, list) and len(value) <= _MOST_FILES and all(map(_is_file, value)),
    "tree_size": is_number,
    "checkpoint": lambda value: value is None or is_text(value),
}


def _is_file(value: Any) -> bool:
    return form_fault(value, _FILE, "file") is None


def publish_table(
    folder: ExportFolder, part: Part, content: str, count: int, names: Sequence[str], note: str | None
) -> TableManifest:
    """Give a table its cover and its name.

    Args:
        folder: With the finished files.
        part: What is in it.
        content: One of `CONTENTS`.
        count: How many rows.
        names: Of the files.
        note: A signed checkpoint of the journal; None if nobody signs.

    Raises:
        ExportError: It cannot be written.
    """
    manifest = TableManifest(
        content=content, part=part, count=count, files=tuple(map(folder.finished, names)), checkpoint=note
    )
    folder.publish(list(names), manifest.to_bytes())
    return manifest


def is_table(cover: bytes) -> bool:
    """Whether a manifest is a table's; one that is nothing at all is not.

    Raises:
        BrokenExportError: It is not JSON that can be read in one way only.
    """
    value = read_manifest(cover)
    return isinstance(value, dict) and value.get("format") == FORMAT


def check_table(folder: Path, cover: bytes) -> str:
    """Check that the files are those that the cover names, and say what they are.

    Raises:
        BrokenExportError: They are not.
        OSError: One cannot be read.
    """
    value = read_manifest(cover)
    require_form(value, _TABLE)
    part = part_in(value)
    for file in value["files"]:
        path = folder / file["name"]
        if path.is_symlink() or not path.is_file():
            raise BrokenExportError(f"{file['name']!a} is missing, or is not a plain file")
        with path.open("rb") as content:
            digest, size = file_digest(content, "sha256").hexdigest(), content.tell()
        if (digest, size) != (file["sha256"], file["bytes"]):
            raise BrokenExportError(f"{file['name']!a} is not the file that {MANIFEST_NAME} describes")
    rows = "1 row" if value["count"] == 1 else f"{value['count']} rows"
    return (
        f"not proved: the files are those that {MANIFEST_NAME} names, {rows}, {CONTENTS[value['content']]}, "
        f"made of a journal with {part.tree_size} entries"
    )
