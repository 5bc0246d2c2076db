import gzip
import hashlib
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.journal.drafts import (
    JOURNAL_ID,
    ORIGIN,
    SOURCE,
    Signer,
    a_draft,
    export,
    read_lines,
    sealed,
    some_drafts,
    uuid,
)
from tracker.domain.errors import TrackerError
from tracker.journal import export as export_module
from tracker.journal import tree
from tracker.journal.canonical import canonical
from tracker.journal.checkpoint import NoteError, parse_checkpoint, parse_note
from tracker.journal.export import MAX_LINE_BYTES, ExportError, ExportWriter
from tracker.journal.manifest import BrokenExportError, parse_manifest


def test_folder_holds_entries_and_manifest(tmp_path: Path) -> None:
    entries = sealed(some_drafts(5))
    folder = export(tmp_path / "new" / "folder", entries, Signer())
    assert sorted(path.name for path in folder.iterdir()) == ["entries.jsonl.gz", "manifest.json"]
    packed = (folder / "entries.jsonl.gz").read_bytes()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    note = manifest.pop("checkpoint")
    assert manifest == {
        "format": "consent-tracker/journal-export",
        "version": 1,
        "journal_id": JOURNAL_ID,
        "range": {"from": 1, "to": 5},
        "count": 5,
        "file": {"name": "entries.jsonl.gz", "bytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest()},
        "tree_size": 5,
        "root_hash": tree.root(entry.leaf_hash for entry in entries).hex(),
    }
    checkpoint = parse_checkpoint(parse_note(note).text)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root.hex()) == (ORIGIN, 5, manifest["root_hash"])


def test_line_holds_the_leaf_as_it_was_hashed(tmp_path: Path) -> None:
    entries = sealed(some_drafts(4))
    for entry, line in zip(entries, read_lines(export(tmp_path / "out", entries)), strict=True):
        value = json.loads(line)
        assert value.keys() == {"entry", "leaf_hash", "private", "private_salt"}
        assert entry.leaf_bytes in line
        assert value["leaf_hash"] == hashlib.sha256(b"\x00" + entry.leaf_bytes).hexdigest()
        assert value["private"] == entry.private
        assert line == canonical(value) + b"\n"


def test_same_entries_give_the_same_bytes(tmp_path: Path) -> None:
    entries, signer = sealed(some_drafts(50)), Signer()
    one, other = export(tmp_path / "one", entries, signer), export(tmp_path / "other-name", entries, signer)
    for name in ("entries.jsonl.gz", "manifest.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    header = (one / "entries.jsonl.gz").read_bytes()[:8]
    assert header == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"  # no flags, so no name; no time


def test_empty_journal_is_an_export_too(tmp_path: Path) -> None:
    folder = export(tmp_path / "out", [])
    manifest = parse_manifest((folder / "manifest.json").read_bytes())
    assert (manifest.count, manifest.root_hash) == (0, hashlib.sha256(b"").hexdigest())
    assert gzip.decompress((folder / "entries.jsonl.gz").read_bytes()) == b""


def test_only_the_owner_may_read_an_export(tmp_path: Path) -> None:
    folder = export(tmp_path / "out", sealed(some_drafts(1)))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600, 0o600]


def test_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="not empty"):
        ExportWriter(tmp_path, journal_id=JOURNAL_ID)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_two_exports_cannot_share_a_folder(tmp_path: Path) -> None:
    with ExportWriter(tmp_path, journal_id=JOURNAL_ID), pytest.raises(ExportError, match="not empty"):
        ExportWriter(tmp_path, journal_id=JOURNAL_ID)


def test_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExportError, match="cannot be written"):
        ExportWriter(tmp_path / "out", journal_id=JOURNAL_ID)


def test_export_that_is_given_up_leaves_no_file(tmp_path: Path) -> None:
    entries = sealed(some_drafts(3))
    with pytest.raises(RuntimeError), ExportWriter(tmp_path, journal_id=JOURNAL_ID) as writer:
        for entry in entries:
            writer.add(entry)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_manifest_comes_last(tmp_path: Path) -> None:
    """A folder that was cut off in the middle has no manifest, and none of the names that a reader looks for."""
    with ExportWriter(tmp_path, journal_id=JOURNAL_ID) as writer:
        writer.add(*sealed(some_drafts(1)))
        assert [path.name for path in tmp_path.iterdir()] == ["entries.jsonl.gz.partial"]


@pytest.mark.parametrize("first", [0, 2])
def test_entries_out_of_sequence_are_refused(tmp_path: Path, first: int) -> None:
    entries = sealed(some_drafts(3))
    with ExportWriter(tmp_path, journal_id=JOURNAL_ID) as writer:
        writer.add(entries[0])
        with pytest.raises(ExportError, match="missing"):
            writer.add(entries[first])


def test_entry_of_another_journal_is_refused(tmp_path: Path) -> None:
    (entry,) = sealed(some_drafts(1), source=f"urn:uuid:{uuid(9)}")
    with ExportWriter(tmp_path, journal_id=JOURNAL_ID) as writer, pytest.raises(ExportError, match="another journal"):
        writer.add(entry)
    assert entry.source != SOURCE


def test_entry_larger_than_verifiers_read_is_refused(tmp_path: Path) -> None:
    (entry,) = sealed([a_draft(private={"text": "x" * MAX_LINE_BYTES}, private_salt=bytes(32))])
    with ExportWriter(tmp_path, journal_id=JOURNAL_ID) as writer, pytest.raises(ExportError, match="larger"):
        writer.add(entry)


@pytest.mark.parametrize("wrong", [{"size": 2}, {"root": bytes(32)}])
def test_checkpoint_of_other_entries_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    signer = Signer()
    with ExportWriter(tmp_path, journal_id=JOURNAL_ID) as writer:
        writer.add(*sealed(some_drafts(1)))
        other = replace(writer.checkpoint(ORIGIN), **wrong)
        with pytest.raises(ExportError, match="not of these entries"):
            writer.finish(signer.note(other))
        with pytest.raises(NoteError):
            writer.finish("not a note")
    assert list(tmp_path.iterdir()) == []


def _full(path: Path) -> BinaryIO:
    path.touch()
    return Path("/dev/full").open("wb")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is needed")
@pytest.mark.parametrize("count", [1, 20_000])
def test_full_disk_is_told_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Of few entries the last flush fails, of many one in between."""
    monkeypatch.setattr(export_module, "_create", _full)
    monkeypatch.setattr(export_module, "_COMPRESSION", 0)
    entries = sealed(some_drafts(count)) if count == 1 else sealed([a_draft(kind="x" * 400_000)])
    with pytest.raises(ExportError, match="No space left"), ExportWriter(tmp_path, journal_id=JOURNAL_ID) as writer:
        for entry in entries:
            writer.add(entry)
        writer.finish(None)
    assert list(tmp_path.iterdir()) == []


def test_errors_are_of_our_family() -> None:
    assert issubclass(ExportError, TrackerError)
    assert issubclass(BrokenExportError, TrackerError)
