"""A checkpoint that witnesses have signed too: what an auditor who trusts them is told, and what they cannot stand for."""

from pathlib import Path

import pytest

from tests.journal.drafts import ORIGIN, Signer, a_draft, change_manifest, export, sealed
from tests.tokens import ed_key
from tracker.journal.checkpoint import Checkpoint, parse_note, parse_vkey, vkey
from tracker.journal.note import COSIGNATURE, NoteError, NoteSignature, SignedNote, cosigned
from tracker.journal.tree import root
from tracker.journal.verify import Answer, Verdict, verify_export

WITNESS = vkey("w.example", ed_key("w").public_key().public_bytes_raw(), COSIGNATURE)
TIME = 1_772_450_000


def _line(text: str, time: int = TIME) -> NoteSignature:
    key = parse_vkey(WITNESS)
    return NoteSignature(key.name, key.key_hash, time.to_bytes(8) + ed_key("w").sign(cosigned(text, TIME)))


def _verified(folder: Path, signer: Signer, *keys: str, time: int = TIME, with_ours: bool = True) -> Verdict:
    entries = sealed([a_draft()])
    note = parse_note(signer.note(Checkpoint(ORIGIN, 1, root([entries[0].leaf_hash]))))
    ours = note.signatures if with_ours else ()
    export(folder, entries)
    change_manifest(folder, checkpoint=SignedNote(note.text, (*ours, _line(note.text, time))).written())
    return verify_export(folder, keys)


def test_a_witness_is_named_with_its_time(tmp_path: Path) -> None:
    signer = Signer()
    told = _verified(tmp_path / "e", signer, signer.vkey, WITNESS)
    seen = f"seen by w.example+{parse_vkey(WITNESS).key_hash.hex()}, 2026-03-02 11:13:20 UTC"
    assert (told.accepted, told.by_whom.sentence) == (True, f"{ORIGIN}, key {signer.short}; {seen}")


def test_a_witness_alone_does_not_say_whose_the_journal_is(tmp_path: Path) -> None:
    told = _verified(tmp_path / "e", Signer(), WITNESS, with_ours=False)
    assert (told.accepted, told.by_whom.answer) == (False, Answer.UNANCHORED)


def test_a_witness_that_is_not_trusted_is_passed_over(tmp_path: Path) -> None:
    signer = Signer()
    assert (
        _verified(tmp_path / "e", signer, signer.vkey, time=TIME + 1).by_whom.sentence
        == f"{ORIGIN}, key {signer.short}"
    )


@pytest.mark.parametrize("time", [TIME + 1, 0, 2**63])
def test_a_time_that_the_witness_did_not_sign_spoils_the_note(tmp_path: Path, time: int) -> None:
    signer = Signer()
    assert _verified(tmp_path / "e", signer, signer.vkey, WITNESS, time=time).by_whom.answer is Answer.NO


def test_a_key_of_another_type_is_no_key_of_ours() -> None:
    with pytest.raises(NoteError):
        parse_vkey(WITNESS.replace(parse_vkey(WITNESS).key_hash.hex(), "00000000"))
    assert parse_vkey(WITNESS).is_witness
