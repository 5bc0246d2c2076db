import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.journal.drafts import (
    COUNT,
    ENTRIES,
    ORIGIN,
    ROOT,
    Signer,
    a_draft,
    a_token,
    change_line,
    change_manifest,
    export,
    sealed,
    some_drafts,
)
from tracker.journal.canonical import MAX_DEPTH
from tracker.journal.checkpoint import Checkpoint, NoteError, assemble, note_text
from tracker.journal.entry import Draft
from tracker.journal.verify import Answer, verify_export


def test_good_export_is_accepted(good: Path, signer: Signer) -> None:
    verdict = verify_export(good, [signer.vkey])
    assert verdict.accepted
    counts = "5 entries on a token that the holder signed, 2 on an unsigned answer of the holder, 5 on our own clock"
    intact, by_whom, holders_word = verdict.lines()
    assert intact == f"intact         yes: 12 entries, 1 to 12, root {ROOT.hex()}"
    assert by_whom == f"by whom        {ORIGIN}, key {signer.short}"
    assert holders_word.startswith(f"holder's word  not checked here: {counts}")
    assert verdict.holders_word.answer is Answer.UNKNOWN


def _words(entry: Draft, tmp_path: Path) -> str:
    folder = export(tmp_path / "out", sealed([entry]))
    return verify_export(folder, []).holders_word.sentence.partition(": ")[2].partition(";")[0]


@pytest.mark.parametrize(
    ("channel", "evidence", "counts"),
    [
        ("webhook", "webhook", (1, 0, 0)),
        ("poll", "poll", (1, 0, 0)),
        ("poll", None, (0, 1, 0)),
        ("webhook", "token", (0, 1, 0)),  # signed, but not what the holder sent us
        ("clock", "webhook", (0, 0, 1)),  # the expiry that our clock saw passing
        ("operator", None, (0, 0, 1)),
        ("token", "token", (0, 0, 1)),
        (None, None, (0, 0, 1)),
    ],
)
def test_word_that_an_entry_rests_on_is_counted(
    tmp_path: Path, channel: str | None, evidence: str | None, counts: tuple[int, int, int]
) -> None:
    tokens = () if evidence is None else (replace(a_token(), channel=evidence),)
    signed, unsigned, own = counts
    entries = "1 entry" if signed else "0 entries"
    assert _words(a_draft(channel=channel, evidence=tokens), tmp_path) == (
        f"{entries} on a token that the holder signed, {unsigned} on an unsigned answer of the holder, "
        f"{own} on our own clock, record or application"
    )


def test_whatever_can_be_sealed_can_be_verified(tmp_path: Path, signer: Signer) -> None:
    """The deepest and the strangest private value, and texts with everything in them that JSON must escape."""
    nested: Any = 1.5e300
    for _ in range(MAX_DEPTH - 1):
        nested = [nested]
    odd = "".join(map(chr, [*range(0x20), 0x22, 0x5C, 0x7F, 0x2028, 0xFEFF, 0xFFFF, 0x1F600]))
    private = {odd: odd, "nested": nested, "large": 2**70, "fine": -0.0, "\U0001f600": 1e-7, "\ufb33": 10**20}
    drafts = [a_draft(private=private, private_salt=bytes(32), kind=odd, reason=odd, revoked_by=odd)]
    folder = export(tmp_path / "out", sealed(drafts), signer)
    assert verify_export(folder, [signer.vkey]).accepted


def test_any_of_several_trusted_keys_will_do(good: Path, signer: Signer) -> None:
    assert verify_export(good, [Signer().vkey, signer.vkey, Signer("other.example/log").vkey]).accepted


def test_nothing_is_written_into_the_folder(folder: Path, signer: Signer) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    verify_export(folder, [signer.vkey])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_empty_journal_can_be_verified(tmp_path: Path, signer: Signer) -> None:
    verdict = verify_export(export(tmp_path / "out", [], signer), [signer.vkey])
    assert verdict.accepted
    assert verdict.intact.sentence == f"yes: 0 entries, root {hashlib.sha256(b'').hexdigest()}"


def test_destroyed_private_value_breaks_no_proof_and_is_told(folder: Path, signer: Signer) -> None:
    change_line(folder, 1, lambda line: line.update(private=None, private_salt=None))
    verdict = verify_export(folder, [signer.vkey])
    assert verdict.accepted
    assert verdict.intact.sentence.endswith("; 1 entry without the private value")


def test_export_without_a_trusted_key_is_unanchored(good: Path) -> None:
    verdict = verify_export(good, [])
    assert not verdict.accepted
    assert verdict.intact.answer is Answer.OK
    assert verdict.by_whom.answer is Answer.UNANCHORED
    assert verdict.lines()[1].startswith("by whom        unanchored: no key that you trust signed this")


def test_unanchored_export_is_accepted_where_that_is_allowed(good: Path) -> None:
    verdict = verify_export(good, [], allow_unanchored=True)
    assert verdict.accepted
    assert verdict.by_whom.answer is Answer.UNANCHORED


def test_export_that_nobody_signed_is_unanchored(tmp_path: Path, signer: Signer) -> None:
    folder = export(tmp_path / "out", ENTRIES)
    verdict = verify_export(folder, [signer.vkey])
    assert not verdict.accepted
    assert verdict.by_whom.sentence == "unanchored: there is no checkpoint, nobody signed this"
    assert verify_export(folder, [signer.vkey], allow_unanchored=True).accepted


def test_export_signed_by_another_key_of_that_name_is_unanchored(good: Path, signer: Signer) -> None:
    verdict = verify_export(good, [Signer().vkey])
    assert not verdict.accepted
    assert verdict.by_whom.answer is Answer.UNANCHORED
    assert signer.short in verdict.by_whom.sentence


def test_trusted_key_of_another_journal_does_not_count(tmp_path: Path) -> None:
    """A key speaks for the journal whose name it carries, not for every journal that an auditor looks at."""
    other = Signer("other.example/journal")
    checkpoint = Checkpoint(ORIGIN, COUNT, ROOT)
    folder = export(tmp_path / "out", ENTRIES)
    change_manifest(folder, checkpoint=other.note(checkpoint))
    verdict = verify_export(folder, [other.vkey])
    assert not verdict.accepted
    assert verdict.by_whom.answer is Answer.UNANCHORED


def test_signature_that_the_trusted_key_did_not_make_is_a_no(folder: Path, signer: Signer) -> None:
    text = note_text(Checkpoint(ORIGIN, COUNT, ROOT))
    change_manifest(folder, checkpoint=assemble(text, ORIGIN, signer.public_key, bytes(64)))
    verdict = verify_export(folder, [signer.vkey], allow_unanchored=True)
    assert not verdict.accepted
    assert verdict.intact.answer is Answer.OK
    assert verdict.by_whom.answer is Answer.NO
    assert "not by that key" in verdict.by_whom.sentence


def test_one_false_signature_spoils_a_true_one(folder: Path, signer: Signer) -> None:
    note = json.loads((folder / "manifest.json").read_bytes())["checkpoint"]
    text, line = note_text(Checkpoint(ORIGIN, COUNT, ROOT)), note.split("\n\n")[1]
    false = assemble(text, ORIGIN, signer.public_key, bytes(64)).split("\n\n")[1]
    for both in (line + false, false + line):
        change_manifest(folder, checkpoint=f"{text}\n{both}")
        assert verify_export(folder, [signer.vkey]).by_whom.answer is Answer.NO


def test_signature_of_a_stranger_beside_a_true_one_is_passed_over(folder: Path, signer: Signer) -> None:
    note = json.loads((folder / "manifest.json").read_bytes())["checkpoint"]
    text = note_text(Checkpoint(ORIGIN, COUNT, ROOT))
    stranger = assemble(text, "witness.example/w1", bytes(32), bytes(64)).split("\n\n")[1]
    change_manifest(folder, checkpoint=note + stranger)
    assert verify_export(folder, [signer.vkey]).accepted


@pytest.mark.parametrize(
    "checkpoint",
    [Checkpoint(ORIGIN, COUNT, bytes(32)), Checkpoint(ORIGIN, COUNT - 1, ROOT), Checkpoint(ORIGIN, COUNT + 1, ROOT)],
    ids=["root", "smaller", "larger"],
)
def test_true_checkpoint_of_other_entries_is_a_no(folder: Path, signer: Signer, checkpoint: Checkpoint) -> None:
    change_manifest(folder, checkpoint=signer.note(checkpoint))
    verdict = verify_export(folder, [signer.vkey], allow_unanchored=True)
    assert not verdict.accepted
    assert verdict.by_whom.answer is Answer.NO
    assert "another tree" in verdict.by_whom.sentence


@pytest.mark.parametrize(
    "checkpoint", ["", "signed, honestly", "a\n1\n\n— n AAAA\n", "\ud800\n\n— n AAAAAAAA\n"], ids=ascii
)
def test_checkpoint_that_cannot_be_read_is_a_no(folder: Path, signer: Signer, checkpoint: str) -> None:
    change = json.loads((folder / "manifest.json").read_bytes()) | {"checkpoint": checkpoint}
    (folder / "manifest.json").write_text(json.dumps(change))
    verdict = verify_export(folder, [signer.vkey], allow_unanchored=True)
    assert not verdict.accepted
    assert verdict.by_whom.answer is Answer.NO


def test_whole_folder_forged_by_a_stranger_is_unanchored(tmp_path: Path, signer: Signer) -> None:
    """Whoever rewrites everything can make it fit together, but cannot sign it."""
    forged = sealed(some_drafts(COUNT)[:-1])
    stranger = Signer()
    verdict = verify_export(export(tmp_path / "out", forged, stranger), [signer.vkey])
    assert verdict.intact.answer is Answer.OK
    assert not verdict.accepted
    assert verdict.by_whom.answer is Answer.UNANCHORED


def test_own_key_that_is_malformed_is_the_callers_mistake(good: Path) -> None:
    with pytest.raises(NoteError):
        verify_export(good, ["demo.example/journal+00000000+AAAA"])


def test_name_of_a_stranger_cannot_move_the_cursor(folder: Path, signer: Signer) -> None:
    text = note_text(Checkpoint(ORIGIN, COUNT, ROOT))
    change_manifest(folder, checkpoint=assemble(text, "\x9b2J\u202e" * 100, bytes(32), bytes(64)))
    sentence = verify_export(folder, []).by_whom.sentence
    assert sentence.isascii()
    assert sentence.isprintable()
    assert len(sentence) < 1000
