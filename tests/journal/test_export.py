import gzip
import hashlib
import json
import shutil
import stat
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from tracker.journal import deflate, tree
from tracker.journal.canonical import canonical
from tracker.journal.checkpoint import Checkpoint, NoteError, parse_checkpoint, parse_note
from tracker.journal.export import MAX_LINE_BYTES, EntryWriter, Row, publish, row_of
from tracker.journal.folder import ExportError, ExportFolder
from tracker.journal.manifest import BrokenExportError, parse_manifest
from tracker.journal.selection import Part, whole
from tracker.journal.stretch import Around


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


def begun(path: Path, size: int = 1) -> tuple[ExportFolder, Part]:
    part = whole(JOURNAL_ID, size)
    return ExportFolder(path, part.members()), part


def rows(count: int) -> list[Row]:
    return [row_of(entry) for entry in sealed(some_drafts(count))]


def test_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="not empty"):
        begun(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_export_that_is_there_is_never_gone_on_with(good: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "copy"))
    (folder / "progress.json").write_text("{}")  # it was not tidied up
    with pytest.raises(ExportError, match="not empty"):
        begun(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"plan": 1, "state": {}}'])
def test_progress_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "progress.json").write_text(text)
    with pytest.raises(ExportError, match="is not readable: delete the folder"):
        begun(tmp_path)


def test_file_that_has_become_shorter_is_told(tmp_path: Path) -> None:
    folder, _ = begun(tmp_path)
    with pytest.raises(ExportError, match="is shorter than it was"):
        folder.open("entries.jsonl.gz", 5)


def test_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExportError, match="cannot be written"):
        begun(tmp_path / "out")


def test_manifest_comes_last(tmp_path: Path) -> None:
    """A folder that was cut off in the middle has no manifest, and none of the names that a reader looks for."""
    with EntryWriter(*begun(tmp_path)) as writer:
        writer.add(rows(1))
        assert {path.name for path in tmp_path.iterdir()} == {"entries.jsonl.gz.partial", "progress.json"}


@pytest.mark.parametrize("second", [0, 2])
def test_entries_out_of_sequence_are_refused(tmp_path: Path, second: int) -> None:
    made = rows(3)
    with EntryWriter(*begun(tmp_path, 3)) as writer, pytest.raises(ExportError, match=r"missing|not in its place"):
        writer.add([made[0], made[second]])


def test_entries_that_are_missing_at_the_end_are_told(tmp_path: Path) -> None:
    with EntryWriter(*begun(tmp_path, 3)) as writer, pytest.raises(ExportError, match="Entry 3 is missing"):
        writer.add(rows(2))
        writer.finish()


def test_entry_of_another_journal_is_refused(tmp_path: Path) -> None:
    (entry,) = sealed(some_drafts(1), source=f"urn:uuid:{uuid(9)}")
    with EntryWriter(*begun(tmp_path)) as writer, pytest.raises(ExportError, match="another journal"):
        writer.add([row_of(entry)])
    assert entry.source != SOURCE


def test_entry_larger_than_verifiers_read_is_refused(tmp_path: Path) -> None:
    (entry,) = sealed([a_draft(private={"text": "x" * MAX_LINE_BYTES}, private_salt=bytes(32))])
    with EntryWriter(*begun(tmp_path)) as writer, pytest.raises(ExportError, match="larger"):
        writer.add([row_of(entry)])


@pytest.mark.parametrize("wrong", [{"size": 2}, {"root": bytes(32)}])
def test_checkpoint_of_another_tree_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    signer = Signer()
    folder, part = begun(tmp_path)
    with EntryWriter(folder, part) as writer:
        writer.add(rows(1))
        root = writer.finish().root()
    around = Around((), ())
    other = replace(Checkpoint(ORIGIN, 1, root), **wrong)
    with pytest.raises(ExportError, match="not of this tree"):
        publish(folder, part, 1, root=root, around=around, note=signer.note(other))
    with pytest.raises(NoteError):
        publish(folder, part, 1, root=root, around=around, note="not a note")
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is needed")
@pytest.mark.parametrize("count", [1, 5_000])
def test_full_disk_is_told_and_it_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Of few entries the last flush fails, of many one in between."""
    made = rows(count)
    folder, part = begun(tmp_path, count)
    with monkeypatch.context() as full:
        full.setattr(ExportFolder, "open", lambda *_: Path("/dev/full").open("wb"))  # noqa: SIM115
        with pytest.raises(ExportError, match="No space left"), EntryWriter(folder, part) as writer:
            writer.add(made)
            writer.finish()
    with EntryWriter(ExportFolder(tmp_path), part) as writer:
        writer.add(made)
        writer.finish()
    assert len(gzip.decompress((tmp_path / "entries.jsonl.gz.partial").read_bytes()).splitlines()) == count


def test_what_was_published_by_half_is_published_again(tmp_path: Path) -> None:
    folder, part = begun(tmp_path)
    with EntryWriter(folder, part) as writer:
        writer.add(rows(1))
        root = writer.finish().root()
    (tmp_path / "entries.jsonl.gz.partial").rename(tmp_path / "entries.jsonl.gz")
    publish(folder, part, 1, root=root, around=Around((), ()), note=None)
    assert {path.name for path in tmp_path.iterdir()} == {"entries.jsonl.gz", "manifest.json"}


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_blocks_that_are_packed_apart_are_one_gzip_file(blocks: list[bytes]) -> None:
    plain = b"".join(blocks)
    whole_file = deflate.HEADER + b"".join(map(deflate.packed, blocks)) + deflate.trailer(zlib.crc32(plain), len(plain))
    assert gzip.decompress(whole_file) == plain
    reader = zlib.decompressobj(wbits=31)
    assert (reader.decompress(whole_file), reader.eof, reader.unused_data) == (plain, True, b"")


def test_errors_are_of_our_family() -> None:
    assert issubclass(ExportError, TrackerError)
    assert issubclass(BrokenExportError, TrackerError)
