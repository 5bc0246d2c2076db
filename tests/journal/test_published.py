"""An export against a checkpoint that the auditor has on another way: cut off, forged, re-signed, or of what is lost."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal.drafts import (
    COUNT,
    ENTRIES,
    JOURNAL_ID,
    ORIGIN,
    ROOT,
    SOURCE,
    START,
    Signer,
    change_manifest,
    export,
    read_lines,
    refused,
    sealed,
    some_drafts,
    uuid,
    write_lines,
)
from tracker.journal.checkpoint import Checkpoint, note_text, parse_note
from tracker.journal.draft import Draft
from tracker.journal.entry import Entry, seal
from tracker.journal.gap import GAP_HASH, Gap, fill, gap_of
from tracker.journal.leaf import leaf_fault
from tracker.journal.published import Published
from tracker.journal.tree import EMPTY_ROOT, Frontier, root
from tracker.journal.verify import Answer, Verdict, verify_export


def published(signer: Signer, size: int, leaves: list[bytes] | None = None) -> Published:
    """What the signer published when there were so many entries."""
    hashes = [entry.leaf_hash for entry in ENTRIES] if leaves is None else leaves
    return Published.read(signer.note(Checkpoint(ORIGIN, size, root(hashes[:size]))))


def accepted(verdict: Verdict, *words: str) -> None:
    assert verdict.accepted, verdict
    for word in words:
        assert word in verdict.intact.sentence


# ------------------------------------------------------------------------------------------ of fewer, as many, more


@pytest.mark.parametrize("size", [0, 1, 5, COUNT - 1, COUNT])
def test_entries_that_begin_with_the_checkpoints_are_accepted(folder: Path, signer: Signer, size: int) -> None:
    verdict = verify_export(folder, [signer.vkey], published=published(signer, size))
    accepted(verdict, f"entries 1 to {size} are those of the checkpoint given")


def test_a_tail_cut_off_is_told_even_if_the_rest_was_signed_anew(tmp_path: Path, signer: Signer) -> None:
    folder = export(tmp_path / "short", ENTRIES[:-2], signer)
    assert verify_export(folder, [signer.vkey]).accepted  # nothing in it could tell
    verdict = verify_export(folder, [signer.vkey], published=published(signer, COUNT))
    refused(verdict, "truncated: the checkpoint given is of 12 entries, and here they end at 10")


def test_another_history_signed_by_the_same_key_is_refused(tmp_path: Path, signer: Signer) -> None:
    others = sealed([*some_drafts(4), *some_drafts(COUNT)[5:], Draft(**_payload(some_drafts(5)[4]))])
    folder = export(tmp_path / "forked", others, signer)
    accepted(verify_export(folder, [signer.vkey], published=published(signer, 4)))
    for size in (5, COUNT):
        verdict = verify_export(folder, [signer.vkey], published=published(signer, size))
        refused(verdict, f"entries 1 to {size} are not those that the checkpoint given is of")


def _payload(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in draft.__slots__ if name != "private_digest"}


# ------------------------------------------------------------------------------------------ forged and re-signed


def test_a_tree_signed_with_another_key_is_refused_by_who_knows_the_key(tmp_path: Path, signer: Signer) -> None:
    thief = Signer()
    folder = export(tmp_path / "stolen", ENTRIES, thief)
    verdict = verify_export(folder, [signer.vkey])
    assert (verdict.accepted, verdict.by_whom.answer) == (False, Answer.UNANCHORED)
    verdict = verify_export(folder, [signer.vkey], published=published(thief, COUNT), allow_unanchored=True)
    assert (verdict.accepted, verdict.by_whom.answer) == (False, Answer.NO)
    assert "by no key that you trust" in verdict.by_whom.sentence
    verdict = verify_export(folder, [])
    assert (verdict.accepted, verdict.by_whom.answer) == (False, Answer.UNANCHORED)


def test_a_published_checkpoint_of_all_anchors_an_export_that_nobody_signed(tmp_path: Path, signer: Signer) -> None:
    folder = export(tmp_path / "plain", ENTRIES)
    assert verify_export(folder, [signer.vkey]).by_whom.answer is Answer.UNANCHORED
    verdict = verify_export(folder, [signer.vkey], published=published(signer, COUNT))
    assert (verdict.accepted, verdict.by_whom.answer) == (True, Answer.OK)
    verdict = verify_export(folder, [signer.vkey], published=published(signer, COUNT - 1))
    assert (verdict.accepted, verdict.by_whom.answer) == (False, Answer.UNANCHORED)  # nobody signed the last


def test_a_forged_checkpoint_is_refused(folder: Path, signer: Signer) -> None:
    """The right signature under another text, in the folder and given."""
    note = signer.note(Checkpoint(ORIGIN, COUNT, ROOT))
    below = note.rpartition("\n\n")[2]
    forged = note_text(Checkpoint(ORIGIN, COUNT - 1, root(e.leaf_hash for e in ENTRIES[:-1]))) + "\n" + below
    verdict = verify_export(folder, [signer.vkey], published=Published.read(forged))
    assert (verdict.accepted, verdict.by_whom.answer) == (False, Answer.NO)
    change_manifest(folder, checkpoint=note.replace(ORIGIN + "\n", ORIGIN + "2\n", 1))
    assert verify_export(folder, [signer.vkey], allow_unanchored=True, published=None).by_whom.answer is not Answer.OK
    assert parse_note(forged).text != parse_note(note).text


# ------------------------------------------------------------------------------------------ every bit


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Path:
    return export(tmp_path_factory.mktemp("whole") / "export", ENTRIES, signer)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_every_flipped_bit_of_an_export_is_found(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, signer: Signer, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["entries.jsonl.gz", "manifest.json"]))
    content = {path.name: path.read_bytes() for path in whole.iterdir()}
    position = data.draw(st.integers(0, 8 * len(content[name]) - 1))
    changed = bytearray(content[name])
    changed[position // 8] ^= 1 << position % 8
    content[name] = bytes(changed)
    folder = tmp_path_factory.mktemp("flipped")
    for file, its in content.items():
        (folder / file).write_bytes(its)
    verdict = verify_export(folder, [signer.vkey])
    assert not verdict.accepted, (name, position)


@given(st.integers(0, 2**62))
@settings(max_examples=300, deadline=None)
def test_every_flipped_bit_of_what_is_packed_is_found_and_the_entry_named(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, signer: Signer, at: int
) -> None:
    """By who also mends what the manifest says of the file: nothing but the entries themselves can tell."""
    text = bytearray(gzip.decompress((whole / "entries.jsonl.gz").read_bytes()))
    at %= 8 * len(text)
    number = text[: at // 8].count(b"\n") + 1
    text[at // 8] ^= 1 << at % 8
    folder = tmp_path_factory.mktemp("flipped")
    (folder / "manifest.json").write_bytes((whole / "manifest.json").read_bytes())
    write_lines(folder, [bytes(text)])
    verdict = verify_export(folder, [signer.vkey])
    assert not verdict.accepted
    assert verdict.intact.answer is Answer.NO
    assert verdict.intact.sentence.startswith(f"no: entry {number}:"), verdict.intact.sentence


# ------------------------------------------------------------------------------------------ declared gaps


def restored(kept: int, gap: Gap, more: int = 3) -> list[Entry]:
    """A journal that lost what came after the first entries, and went on behind a gap."""
    entries = sealed(some_drafts(kept))
    place = {"recorded_at": START.replace(hour=23), "source": SOURCE}
    entries.append(seal(gap.draft(uuid(500), JOURNAL_ID), sequence=gap.last + 1, previous=None, **place))
    last_of = {entry.lane: entry.sequence for entry in entries}
    for number, draft in enumerate(some_drafts(kept + more)[kept:], start=gap.last + 2):
        entries.append(seal(draft, sequence=number, previous=last_of.get(draft.lane), **place))
        last_of[draft.lane] = number
    return entries


GAP = Gap(first=8, last=300, size=COUNT, root=ROOT)


def test_a_declared_gap_is_accepted_and_told(tmp_path: Path, signer: Signer) -> None:
    folder = export(tmp_path / "restored", restored(7, GAP), signer)
    verdict = verify_export(folder, [signer.vkey])
    accepted(verdict, "yes: 11 entries, 1 to 304, ", "entries 8 to 300 are lost, as entry 301 declares")
    assert "304" not in verdict.by_whom.sentence
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert (manifest["count"], manifest["tree_size"], manifest["range"]) == (11, 304, {"from": 1, "to": 304})


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (7, "entries 1 to 7 are those of the checkpoint given"),
        (9, "entries 8 to 9 of the checkpoint given are lost, as entry 301 declares"),
        (COUNT, "entries 8 to 12 of the checkpoint given are lost, as entry 301 declares"),
    ],
)
def test_checkpoints_from_before_agree_as_far_as_they_can(
    tmp_path: Path, signer: Signer, size: int, words: str
) -> None:
    folder = export(tmp_path / "restored", restored(7, GAP), signer)
    accepted(verify_export(folder, [signer.vkey], published=published(signer, size)), words)


def test_a_gap_that_names_another_checkpoint_than_was_published_is_refused(tmp_path: Path, signer: Signer) -> None:
    folder = export(tmp_path / "restored", restored(7, GAP), signer)
    other = [entry.leaf_hash for entry in ENTRIES[::-1]]
    refused(verify_export(folder, [signer.vkey], published=published(signer, COUNT, other)), "another checkpoint")
    longer = [entry.leaf_hash for entry in sealed(some_drafts(20))]
    refused(verify_export(folder, [signer.vkey], published=published(signer, 20, longer)), "another checkpoint")


def test_a_gap_that_nobody_declares_is_refused(tmp_path: Path, signer: Signer) -> None:
    folder = export(tmp_path / "restored", restored(7, GAP), signer)
    lines = read_lines(folder)
    write_lines(folder, [*lines[:7], *lines[8:]], count=10)
    refused(verify_export(folder, [signer.vkey]), "entry 8: it is missing")


@pytest.mark.parametrize("kept", [6, 8])
def test_a_gap_declares_all_that_is_missing_and_no_more(tmp_path: Path, signer: Signer, kept: int) -> None:
    folder = export(tmp_path / "restored", restored(7, GAP), signer)
    lines = read_lines(folder)
    more = sealed(some_drafts(8))[7]
    eighth = read_lines(export(tmp_path / "eight", [*sealed(some_drafts(7)), more]))[7]
    changed = [*lines[:6], *lines[7:]] if kept == 6 else [*lines[:7], eighth, *lines[7:]]
    write_lines(folder, changed, count=len(changed))
    refused(verify_export(folder, [signer.vkey]), "it declares entries 8 to 300 as lost")


@pytest.mark.parametrize(
    "changes",
    [
        {"to_status": "299"},
        {"from_status": "301"},
        {"from_status": "08"},
        {"from_status": None},
        {"reason": "backup_restored"},
        {"reason": f"backup_restored,size_301,root_{ROOT.hex()}"},
    ],
)
def test_a_gap_entry_that_says_otherwise_than_it_should_is_refused(
    tmp_path: Path, signer: Signer, changes: dict[str, Any]
) -> None:
    draft = Draft(**_payload(GAP.draft(uuid(500), JOURNAL_ID)) | changes)
    place = {"recorded_at": START.replace(hour=23), "source": SOURCE}
    wrong = seal(draft, sequence=301, previous=None, **place)
    assert gap_of(wrong.leaf) is None
    assert leaf_fault(wrong.leaf) is None
    right = export(tmp_path / "restored", restored(7, GAP), signer)
    lines = read_lines(right)
    lines[7] = b'{"entry":%b,"leaf_hash":"%b","private":null,"private_salt":null}\n' % (
        wrong.leaf_bytes,
        wrong.leaf_hash.hex().encode(),
    )
    write_lines(right, lines)
    refused(verify_export(right, [signer.vkey]), "entry 8: it declares a gap that is none")


@given(before=st.integers(0, 600), count=st.integers(1, 600), after=st.integers(0, 9))
def test_a_filled_gap_is_so_many_leaves_of_one_hash(before: int, count: int, after: int) -> None:
    filled, plain = Frontier(), Frontier()
    for number in range(before):
        filled.append(number.to_bytes(32))
        plain.append(number.to_bytes(32))
    fill(filled, count)
    for _ in range(count):
        plain.append(GAP_HASH)
    for number in range(after):
        filled.append(number.to_bytes(32))
        plain.append(number.to_bytes(32))
    assert (filled.size, filled.peaks, filled.root()) == (plain.size, plain.peaks, plain.root())
    assert filled.root() != EMPTY_ROOT


def test_the_hash_in_place_of_what_is_lost_is_the_documented_one() -> None:
    assert GAP_HASH.hex() == "c65a4281a7eed3646bf8b33d574c19d154c3162570dd9d10bdfa9580840f6bb0"


def test_a_subtree_begins_only_where_one_can() -> None:
    frontier = Frontier()
    frontier.append(GAP_HASH)
    with pytest.raises(ValueError, match="no complete subtree"):
        frontier.append(GAP_HASH, 1)
