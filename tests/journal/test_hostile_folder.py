"""Folders whose files are not what they should be: whatever is in them, the answer is a verdict."""

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal.drafts import COUNT, JOURNAL_ID, ROOT, Signer, change_manifest, read_lines, refused
from tracker.journal import verify
from tracker.journal.export import MAX_LINE_BYTES
from tracker.journal.verify import verify_export


@pytest.mark.parametrize("name", ["manifest.json", "entries.jsonl.gz"])
def test_missing_file_is_named(folder: Path, signer: Signer, name: str) -> None:
    (folder / name).unlink()
    refused(verify_export(folder, [signer.vkey]), f"{name} is missing")


@pytest.mark.parametrize("name", ["manifest.json", "entries.jsonl.gz"])
@pytest.mark.parametrize("make", ["pipe", "folder", "device"])
def test_what_is_not_a_plain_file_is_not_read(folder: Path, signer: Signer, name: str, make: str) -> None:
    path = folder / name
    path.unlink()
    if make == "pipe":
        os.mkfifo(path)
    elif make == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    refused(verify_export(folder, [signer.vkey]), f"{name} is not a plain file")


def test_folder_that_is_none_is_told(tmp_path: Path, signer: Signer) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere", tmp_path / "file", tmp_path):
        refused(verify_export(path, [signer.vkey]), "manifest.json is missing")


def test_disk_that_fails_is_told(folder: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> Iterator[bytes]:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(verify, "_open", fail)
    refused(verify_export(folder, [signer.vkey]), "manifest.json cannot be read: Input/output error")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "something else"},
        {"version": 2},
        {"version": True},
        {"journal_id": "00000000-0000-8000-8000-000000000000"},
        {"journal_id": 1},
        {"range": {"from": 2, "to": COUNT}},
        {"range": {"from": 1, "to": COUNT - 1}},
        {"range": {"from": True, "to": COUNT}},
        {"range": {"from": 1}},
        {"range": [1, COUNT]},
        {"count": COUNT + 1},
        {"count": -1},
        {"count": 1.0},
        {"count": "12"},
        {"tree_size": COUNT + 1},
        {"root_hash": ROOT.hex().upper()},
        {"root_hash": None},
        {"file": None},
        {"file": {"name": "../../etc/passwd", "bytes": 1, "sha256": "0" * 64}},
        {"checkpoint": 1},
        {"checkpoint": []},
        {"more": 1},
    ],
    ids=str,
)
def test_changed_manifest_is_told(folder: Path, signer: Signer, changes: dict[str, Any]) -> None:
    change_manifest(folder, **changes)
    refused(verify_export(folder, [signer.vkey]))


@pytest.mark.parametrize("member", ["name", "bytes", "sha256"])
def test_manifest_that_describes_another_file_is_told(folder: Path, signer: Signer, member: str) -> None:
    file = json.loads((folder / "manifest.json").read_bytes())["file"]
    wrong: dict[str, Any] = {"name": "other.gz", "bytes": file["bytes"] + 1, "sha256": "0" * 64}
    change_manifest(folder, file=file | {member: wrong[member]})
    refused(verify_export(folder, [signer.vkey]), "manifest.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"count": 1, "count": 2}',
        b"[" * 100_000,
        b" " * 1_048_577,
        b'{"count": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda data: ascii(data[:30]),
)
def test_manifest_that_is_none_is_told(folder: Path, signer: Signer, data: bytes) -> None:
    (folder / "manifest.json").write_bytes(data)
    refused(verify_export(folder, [signer.vkey]), "manifest.json")


@pytest.mark.parametrize(
    "member", ["format", "version", "journal_id", "range", "count", "file", "tree_size", "root_hash", "checkpoint"]
)
def test_manifest_without_a_member_is_told(folder: Path, signer: Signer, member: str) -> None:
    path = folder / "manifest.json"
    members = json.loads(path.read_bytes())
    del members[member]
    path.write_text(json.dumps(members))
    refused(verify_export(folder, [signer.vkey]), f"has no {member}")


WRONG_FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "last byte missing": (lambda packed: packed[:-1], "unpacked"),
    "half": (lambda packed: packed[: len(packed) // 2], "unpacked"),
    "empty": (lambda packed: b"", "entry 1 is missing"),
    "not gzip": (lambda packed: b"not gzip at all", "unpacked"),
    "text after the end": (lambda packed: packed + b"tail", "unpacked"),
    "zeros after the end": (lambda packed: packed + bytes(4), "not the file"),
    "another member": (lambda packed: packed + gzip.compress(b""), "not the file"),
    "another system in the header": (lambda packed: packed[:9] + b"\x00" + packed[10:], "not the file"),
    "wrong check sum": (lambda packed: packed[:-8] + bytes(4) + packed[-4:], "unpacked"),
    "packed anew": (lambda packed: gzip.compress(gzip.decompress(packed), 1, mtime=1), "not the file"),
}


@pytest.mark.parametrize(("change", "words"), WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_changed_file_is_told(folder: Path, signer: Signer, change: Callable[[bytes], bytes], words: str) -> None:
    path = folder / "entries.jsonl.gz"
    path.write_bytes(change(path.read_bytes()))
    refused(verify_export(folder, [signer.vkey]), words)


def test_line_that_never_ends_is_not_held(folder: Path, signer: Signer) -> None:
    """A zip bomb: 1 GB in one line. What is kept of it is bounded; that the test is quick shows that reading stops."""
    lines = read_lines(folder)
    packed = gzip.compress(lines[0], mtime=0)
    zeros = gzip.compress(bytes(64 * 1_048_576), mtime=0)
    (folder / "entries.jsonl.gz").write_bytes(packed + zeros * 16)
    refused(verify_export(folder, [signer.vkey]), "entry 2:", f"longer than {MAX_LINE_BYTES}")


def test_every_bit_of_the_manifest_means_something(good: Path, signer: Signer, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "copy"))
    path = folder / "manifest.json"
    original = path.read_bytes()
    for position in range(len(original)):
        changed = bytearray(original)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        assert not verify_export(folder, [signer.vkey]).accepted, (position, changed[position : position + 20])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_flipped_bits_are_never_accepted(
    good: Path, signer: Signer, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("flipped") / "copy"
    shutil.copytree(good, folder)
    path = folder / data.draw(st.sampled_from(["manifest.json", "entries.jsonl.gz"]))
    changed = bytearray(path.read_bytes())
    for bit in data.draw(st.sets(st.integers(0, len(changed) * 8 - 1), min_size=1, max_size=4)):
        changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    verdict = verify_export(folder, [signer.vkey], allow_unanchored=False)
    assert not verdict.accepted
    assert len(verdict.lines()) == 3


@settings(max_examples=150, deadline=None)
@given(manifest=st.binary(max_size=300), entries=st.binary(max_size=300), packed=st.booleans())
def test_any_bytes_get_a_verdict(
    manifest: bytes, entries: bytes, packed: bool, good: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "manifest.json").write_bytes(manifest or (good / "manifest.json").read_bytes())
    (folder / "entries.jsonl.gz").write_bytes(gzip.compress(entries) if packed else entries)
    assert not verify_export(folder, [], allow_unanchored=True).accepted


def test_journal_id_is_that_of_the_entries(good: Path) -> None:
    assert json.loads((good / "manifest.json").read_bytes())["journal_id"] == JOURNAL_ID
