"""The cover sheet of an export: what the folder says it holds.

It proves nothing by itself: what it says is computed again from the entries, and only the checkpoint in it is signed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracker.domain.errors import TrackerError
from tracker.journal.leaf import Form, form_fault, is_hex_sha256, is_text, is_uuid
from tracker.journal.selection import Part, Selection, selection_fault, selection_of, whole
from tracker.journal.stretch import Around
from tracker.journal.strict import AmbiguousJsonError, loads

FORMAT: Final = "consent-tracker/journal-export"
WHOLE: Final = 1
PARTIAL: Final = 2

MANIFEST_NAME: Final = "manifest.json"
ENTRIES_NAME: Final = "entries.jsonl.gz"

MAX_MANIFEST_BYTES: Final = 1_048_576
"""A manifest has about 1 KB, and up to 0.5 MB if many witnesses signed with large signatures or many consents are named."""

_MOST_BESIDE: Final = 64
"""More complete subtrees do not lie on one side of anything."""


class BrokenExportError(TrackerError):
    """The folder is not an intact export.

    The message says where it is broken and in what way.
    """

    code = "export_broken"


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of an export.

    Attributes:
        name: In its folder.
        bytes: How long it is.
        sha256: Hex.
    """

    name: str
    bytes: int
    sha256: str

    def members(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export holds. Version 1 is a whole journal, from its first entry on; version 2 a part of one.

    Attributes:
        part: What was chosen.
        count: How many entries there are.
        file: The file of entries.
        root_hash: Hex root of the tree over the journal.
        around: What lies beside them in that tree; None if each brings a proof. Nothing lies beside a whole journal.
        checkpoint: A signed note over size and root; None if nobody signed.
    """

    part: Part
    count: int
    file: WrittenFile
    root_hash: str
    around: Around | None
    checkpoint: str | None

    @property
    def lost(self) -> int:
        """How many sequences belong to declared gaps (see `gap`); 0 but for a journal that was restored from a copy.

        What a filter leaves out is not counted: it shows nothing of it.
        """
        return 0 if self.around is None else self.part.last - self.part.first + 1 - self.count

    def to_bytes(self) -> bytes:
        """Write it as the file's content. The same manifest always gives the same bytes."""
        part = self.part
        members: dict[str, Any] = {
            "format": FORMAT,
            "version": WHOLE if part.is_whole else PARTIAL,
            "journal_id": part.journal_id,
            "selection": part.selection.members(),
            "range": {"from": part.first, "to": part.last},
            "count": self.count,
            "file": self.file.members(),
            "tree_size": part.tree_size,
            "root_hash": self.root_hash,
            "left": None if self.around is None else [node.hex() for node in self.around.left],
            "right": None if self.around is None else [node.hex() for node in self.around.right],
            "checkpoint": self.checkpoint,
        }
        if part.is_whole:
            for name in _OF_PARTS:
                del members[name]
        return (json.dumps(members, indent=2, ensure_ascii=False) + "\n").encode()


def is_number(value: Any) -> bool:
    """Whether it is a whole number from 0 on."""
    return type(value) is int and value >= 0


def _are_hashes(value: Any) -> bool:
    return value is None or (isinstance(value, list) and len(value) <= _MOST_BESIDE and all(map(is_hex_sha256, value)))


_RANGE: Final[dict[str, Form]] = {"from": lambda value: is_number(value) and value > 0, "to": is_number}

_FILE: Final[dict[str, Form]] = {
    "name": lambda value: value == ENTRIES_NAME,
    "bytes": is_number,
    "sha256": is_hex_sha256,
}

_MANIFEST: Final[dict[str, Form]] = {
    "format": lambda value: value == FORMAT,
    "version": lambda value: type(value) is int and value == WHOLE,
    "journal_id": is_uuid,
    "range": lambda value: form_fault(value, _RANGE, "range") is None,
    "count": is_number,
    "file": lambda value: form_fault(value, _FILE, "file") is None,
    "tree_size": is_number,
    "root_hash": is_hex_sha256,
    "checkpoint": lambda value: value is None or is_text(value),
}

_OF_PARTS: Final[dict[str, Form]] = {
    "selection": lambda value: selection_fault(value) is None,
    "left": _are_hashes,
    "right": _are_hashes,
}

_PARTIAL: Final[dict[str, Form]] = {
    **_MANIFEST,
    **_OF_PARTS,
    "version": lambda value: type(value) is int and value == PARTIAL,
}


def read_manifest(data: bytes) -> Any:
    """Read the JSON of a manifest of whichever format.

    Raises:
        BrokenExportError: It is not JSON that can be read in one way only.
    """
    try:
        return loads(data)
    except AmbiguousJsonError as error:
        raise BrokenExportError(f"{MANIFEST_NAME}: {error}") from error


def require_form(value: Any, forms: Mapping[str, Form]) -> None:
    """Require that a manifest has exactly these members.

    Raises:
        BrokenExportError: It has not.
    """
    fault = form_fault(value, forms, "the manifest")
    if fault is not None:
        raise BrokenExportError(f"{MANIFEST_NAME}: {fault}")


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest, and nothing that merely resembles one.

    Raises:
        BrokenExportError: It is not one, or its numbers do not agree with each other.
    """
    value = read_manifest(data)
    is_partial = isinstance(value, dict) and value.get("version") == PARTIAL
    require_form(value, _PARTIAL if is_partial else _MANIFEST)
    fault = _numbers_fault(value) or (_tie_fault(value) if is_partial else _whole_fault(value))
    if fault is not None:
        raise BrokenExportError(f"{MANIFEST_NAME}: {fault}")
    return _manifest(value)


def _manifest(value: Mapping[str, Any]) -> Manifest:
    is_partial = value["version"] == PARTIAL
    left, right = value.get("left", []), value.get("right", [])
    return Manifest(
        part=part_in(value) if is_partial else whole(value["journal_id"], value["tree_size"]),
        count=value["count"],
        file=WrittenFile(**value["file"]),
        root_hash=value["root_hash"],
        around=None if left is None else Around(tuple(map(bytes.fromhex, left)), tuple(map(bytes.fromhex, right))),
        checkpoint=value["checkpoint"],
    )


def part_in(value: Mapping[str, Any]) -> Part:
    """What a manifest says that its export is of."""
    return Part(
        journal_id=value["journal_id"],
        selection=selection_of(value["selection"]),
        first=value["range"]["from"],
        last=value["range"]["to"],
        tree_size=value["tree_size"],
    )


def _whole_fault(value: Mapping[str, Any]) -> str | None:
    count, size = value["count"], value["tree_size"]
    if size < count or value["range"] != {"from": 1, "to": size} or size > count == 0:
        return "range, count and tree_size do not agree"
    return None


def _numbers_fault(value: Mapping[str, Any]) -> str | None:
    first, last = value["range"]["from"], value["range"]["to"]
    if first > last + 1 or last > value["tree_size"] or value["count"] > last - first + 1:
        return "range, count and tree_size do not agree"
    return None


def _tie_fault(value: Mapping[str, Any]) -> str | None:
    selection, first, last = selection_of(value["selection"]), value["range"]["from"], value["range"]["to"]
    if selection == Selection() and (first == 1 or last != value["tree_size"]):
        return "nothing was chosen, and it is not a journal up to its end whose beginning was moved out"
    if (value["left"] is None) != (value["right"] is None):
        return "left and right are there together or not at all"
    if selection.is_filter:
        return None if value["left"] is None else "entries between are left out, and left and right are there"
    if value["left"] is None:
        return "no entries between are left out, and left and right are not there"
    if value["count"] == 0 and first <= last:
        return "range, count and tree_size do not agree"
    return None
