"""Exports with something wrong in them: never accepted, and what is wrong is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journal.drafts import (
    COUNT,
    ENTRIES,
    Signer,
    change_line,
    change_manifest,
    export,
    read_lines,
    refused,
    sealed,
    some_drafts,
    uuid,
    write_lines,
)
from tracker.journal import tree
from tracker.journal.verify import Answer, verify_export


def test_changed_entry_is_named(folder: Path, signer: Signer) -> None:
    change_line(folder, 6, lambda line: line["entry"]["data"].update(usable=True))
    refused(verify_export(folder, [signer.vkey]), "entry 7:", "leaf_hash")


def test_flipped_byte_of_an_entry_is_named(folder: Path, signer: Signer) -> None:
    lines = read_lines(folder)
    assert b'"to":"Revoked"' in lines[4]
    lines[4] = lines[4].replace(b'"to":"Revoked"', b'"to":"Sevoked"')
    write_lines(folder, lines)
    refused(verify_export(folder, [signer.vkey]), "entry 5:", "leaf_hash")


def test_changed_entry_with_a_new_hash_changes_the_root(folder: Path, signer: Signer) -> None:
    change_line(folder, 6, lambda line: line["entry"]["data"].update(usable=True), rehash=True)
    refused(verify_export(folder, [signer.vkey]), "another root")


def test_removed_entry_is_named(folder: Path, signer: Signer) -> None:
    lines = read_lines(folder)
    write_lines(folder, lines[:3] + lines[4:])
    refused(verify_export(folder, [signer.vkey]), "entry 4:", "missing", "00000000000000000005")


def test_swapped_entries_are_named(folder: Path, signer: Signer) -> None:
    lines = read_lines(folder)
    lines[7], lines[8] = lines[8], lines[7]
    write_lines(folder, lines)
    refused(verify_export(folder, [signer.vkey]), "entry 8:")


def test_repeated_entry_is_named(folder: Path, signer: Signer) -> None:
    lines = read_lines(folder)
    write_lines(folder, [*lines[:2], lines[1], *lines[2:]])
    refused(verify_export(folder, [signer.vkey]), "entry 3:")


def test_cut_off_tail_is_named(folder: Path, signer: Signer) -> None:
    write_lines(folder, read_lines(folder)[:-2])
    refused(verify_export(folder, [signer.vkey]), "entry 11 is missing", "12 are promised")


def test_cut_off_tail_with_a_manifest_to_match_is_not_what_was_signed(folder: Path, signer: Signer) -> None:
    kept = ENTRIES[:-2]
    root = tree.root(entry.leaf_hash for entry in kept).hex()
    span = {"from": 1, "to": len(kept)}
    lines = read_lines(folder)[:-2]
    write_lines(folder, lines, range=span, count=len(kept), tree_size=len(kept), root_hash=root)
    verdict = verify_export(folder, [signer.vkey])
    assert verdict.intact.answer is Answer.OK
    assert not verdict.accepted
    assert verdict.by_whom.answer is Answer.NO


def test_added_entry_is_named(folder: Path, signer: Signer) -> None:
    more = export(folder.parent / "more", sealed(some_drafts(COUNT + 1)))
    write_lines(folder, read_lines(more))
    refused(verify_export(folder, [signer.vkey]), "more after entry 12")


def test_forged_root_is_told(folder: Path, signer: Signer) -> None:
    change_manifest(folder, root_hash="0" * 64)
    refused(verify_export(folder, [signer.vkey]), "another root")


WRONG_PRIVATE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "other value": (lambda line: line["private"].update(user_ref="customer-7"), "digest"),
    "other salt": (lambda line: line.update(private_salt="A" * 43), "digest"),
    "short salt": (lambda line: line.update(private_salt="A" * 42), "salt"),
    "long salt": (lambda line: line.update(private_salt="A" * 44), "salt"),
    "salt in other letters": (lambda line: line.update(private_salt="!" * 43), "salt"),
    "salt beyond ASCII": (lambda line: line.update(private_salt="é"), "salt"),
    "value without salt": (lambda line: line.update(private_salt=None), "together"),
    "salt without value": (lambda line: line.update(private=None), "together"),
    "value a list": (lambda line: line.update(private=[1]), "private"),
    "salt a number": (lambda line: line.update(private_salt=1), "private_salt"),
}


@pytest.mark.parametrize(("change", "words"), WRONG_PRIVATE.values(), ids=WRONG_PRIVATE.keys())
def test_changed_private_value_is_named(
    folder: Path, signer: Signer, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    change_line(folder, 1, change)
    refused(verify_export(folder, [signer.vkey]), "entry 2:", words)


def test_private_value_where_the_entry_has_none_is_named(folder: Path, signer: Signer) -> None:
    change_line(folder, 5, lambda line: line.update(private={"a": 1}, private_salt="A" * 43))
    refused(verify_export(folder, [signer.vkey]), "entry 6:", "digest")


def _with(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def changed(line: bytes) -> bytes:
        assert old in line
        return line.replace(old, new, 1)

    return changed


WRONG_LINES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "member twice": (_with(b'"usable":false', b'"usable":true,"usable":false'), "twice"),
    "entry twice": (_with(b'{"entry"', b'{"entry":{},"entry"'), "twice"),
    "member more in the entry": (_with(b'"late":false', b'"late":false,"later":true'), "leaf_hash"),
    "member more in the line": (_with(b',"private":', b',"note":1,"private":'), "do not have"),
    "member missing": (_with(b',"private_salt":"', b',"private_salts":"'), "no private_salt"),
    "white space": (_with(b'{"entry"', b'{ "entry"'), "written"),
    "number with a zero more": (_with(b'"Amount":12.5', b'"Amount":12.50'), "written"),
    "number with an exponent": (_with(b'"Amount":12.5', b'"Amount":1.25e1'), "written"),
    "whole number as a fraction": (_with(b'"judge":1', b'"judge":1.0'), "judge"),
    "needless escape": (_with(b'"customer-1"', b'"\\u0063ustomer-1"'), "written"),
    "no line feed": (_with(b"\n", b""), "not JSON"),
    "carriage return": (_with(b"\n", b"\r\n"), "written"),
    "empty line after": (_with(b"\n", b"\n\n"), "entry 3: it is not JSON"),
    "not a number": (_with(b'"judge":1', b'"judge":NaN'), "NaN"),
    "number beyond doubles": (_with(b'"judge":1', b'"judge":1e999'), "canonical"),
    "number of many digits": (_with(b'"judge":1', b'"judge":' + b"9" * 5000), "not JSON"),
    "half a surrogate pair": (_with(b'"demobank"', b'"\\ud800"'), "canonical"),
    "byte that is not UTF-8": (_with(b'"demobank"', b'"\xff"'), "UTF-8"),
    "deep nesting": (lambda line: b"[" * 100_000 + b"\n", "not JSON"),
    "nesting that is too deep to hash": (_with(b'"late":false', b'"late":' + b"[" * 200 + b"]" * 200), "canonical"),
    "cut off": (lambda line: line[:-9] + b"\n", "not JSON"),
    "a number": (lambda line: b"7\n", "not an object"),
    "empty": (lambda line: b"\n", "not JSON"),
    "byte order mark": (lambda line: b"\xef\xbb\xbf" + line, "not JSON"),
    "UTF-16": (lambda line: line.decode().encode("utf-16"), "UTF-8"),
    "entry a number": (_with(b'"entry":{', b'"entry":1,"e":{'), "entry is not of its form"),
    "sequence a number": (_with(b'"sequence":"00000000000000000002"', b'"sequence":2'), "of type int"),
    "no sequence": (_with(b'"sequence":"00000000000000000002",', b""), "of type NoneType"),
    "sequence that moves the cursor": (_with(b'"00000000000000000002"', b'"\\u001b[2J' + b"x" * 500 + b'"'), "x1b[2J"),
}


@pytest.mark.parametrize(("change", "words"), WRONG_LINES.values(), ids=WRONG_LINES.keys())
def test_line_that_is_not_as_it_should_be_is_named(
    folder: Path, signer: Signer, change: Callable[[bytes], bytes], words: str
) -> None:
    lines = read_lines(folder)
    lines[1] = change(lines[1])
    write_lines(folder, lines)
    place = words if words.startswith("entry 3") else "entry 2:"
    refused(verify_export(folder, [signer.vkey]), place, words)


WRONG_ENTRIES: dict[str, tuple[int, Callable[[dict[str, Any]], Any], str]] = {
    "names a wrong entry before": (6, lambda entry: entry["data"].update(previous=3), "names 3"),
    "names none before": (6, lambda entry: entry["data"].update(previous=None), "names none"),
    "names one before the first": (1, lambda entry: entry["data"].update(previous=1), "that is none"),
    "earlier than the one before": (
        6,
        lambda entry: entry.update(time="2026-03-02T11:13:22.000000Z"),
        "that of entry 6",
    ),
    "time in another form": (6, lambda entry: entry.update(time="2026-03-02T11:13:28Z"), "time is not of its form"),
    "another journal": (6, lambda entry: entry.update(source=f"urn:uuid:{uuid(7)}"), "another journal"),
    "another subject": (6, lambda entry: entry.update(subject="otherbank/1"), "subject"),
    "member more": (6, lambda entry: entry.update(extra=1), "do not have"),
    "member fewer": (6, lambda entry: entry["data"].pop("reason"), "no reason"),
    "data a list": (6, lambda entry: entry.update(data=[]), "data"),
    "evidence of nothing": (6, lambda entry: entry["data"].update(evidence=[{}]), "no channel"),
}


@pytest.mark.parametrize(("index", "change", "words"), WRONG_ENTRIES.values(), ids=WRONG_ENTRIES.keys())
def test_entry_that_could_not_be_in_a_journal_is_named(
    folder: Path, signer: Signer, index: int, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    """Such entries are hashed rightly: the rules of a journal hold even for whoever can make hashes."""
    change_line(folder, index, lambda line: change(line["entry"]), rehash=True)
    refused(verify_export(folder, [signer.vkey]), f"entry {index + 1}:", words)


def test_entries_of_one_instant_are_in_order(tmp_path: Path, signer: Signer) -> None:
    folder = export(tmp_path / "out", ENTRIES, signer)
    change_line(folder, 6, lambda line: line["entry"].update(time=ENTRIES[5].leaf["time"]), rehash=True)
    refused(verify_export(folder, [signer.vkey]), "another root")
