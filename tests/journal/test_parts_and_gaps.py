"""Parts of a journal with a declared gap in, before or after them, and parts held against a published checkpoint."""

from pathlib import Path

import pytest

from tests.journal.drafts import (
    COUNT,
    ENTRIES,
    JOURNAL_ID,
    ROOT,
    START,
    Signer,
    export_part,
    leaves_of,
    read_lines,
    refused,
    uuid,
    write_lines,
)
from tests.journal.test_published import GAP, accepted, published, restored
from tracker.journal.export import EntryWriter, row_of
from tracker.journal.folder import ExportError, ExportFolder
from tracker.journal.gap import Gap
from tracker.journal.manifest import parse_manifest
from tracker.journal.selection import Part, Selection
from tracker.journal.verify import verify_export

RESTORED = restored(7, GAP)
SIZE = RESTORED[-1].sequence
BY_TIME = Selection(since=START)


def part_of(first: int, last: int, size: int = SIZE, selection: Selection = BY_TIME) -> Part:
    return Part(journal_id=JOURNAL_ID, selection=selection, first=first, last=last, tree_size=size)


@pytest.fixture
def signer() -> Signer:
    return Signer()


# ------------------------------------------------------------------------------------------ gaps


@pytest.mark.parametrize(
    ("first", "last", "count", "lost"),
    [
        (3, 303, 8, 293),
        (8, 302, 2, 293),
        (100, 302, 2, 201),
        (301, 303, 3, 0),
        (302, 304, 3, 0),
        (2, 7, 6, 0),
    ],
    ids=["inside", "at the beginning", "begins before", "right before", "before", "after"],
)
def test_a_part_of_a_restored_journal_is_right(
    tmp_path: Path, signer: Signer, first: int, last: int, count: int, lost: int
) -> None:
    folder = export_part(tmp_path / "part", RESTORED, part_of(first, last), signer)
    verdict = verify_export(folder, [signer.vkey])
    told = ["entries 8 to 300 are lost, as entry 301 declares"] if first <= 301 <= last else []
    accepted(verdict, f"yes: {count} entries, {first} to {last}", f"of {SIZE} in the journal", *told)
    assert ("without a gap" in verdict.intact.sentence) is not bool(told)
    manifest = parse_manifest((folder / "manifest.json").read_bytes())
    assert (manifest.count, manifest.lost) == (count, lost)


def test_a_filter_leaves_gaps_out_and_its_proofs_lead_past_them(tmp_path: Path, signer: Signer) -> None:
    chosen = part_of(1, SIZE, selection=Selection(provider="demobank"))
    folder = export_part(tmp_path / "part", RESTORED, chosen, signer)
    accepted(verify_export(folder, [signer.vkey]), "yes: 10 entries, each proved")


def test_all_that_was_not_moved_out_is_a_stretch_up_to_the_end(tmp_path: Path, signer: Signer) -> None:
    folder = export_part(tmp_path / "part", ENTRIES, part_of(6, COUNT, COUNT, Selection()), signer)
    accepted(verify_export(folder, [signer.vkey]), "yes: 7 entries, 6 to 12 without a gap, of 12 in the journal")
    short = export_part(tmp_path / "short", ENTRIES, part_of(6, COUNT - 1, COUNT, Selection()), signer)
    refused(verify_export(short, [signer.vkey]), "nothing was chosen")


@pytest.mark.parametrize("first", [5, 100])
def test_an_entry_that_is_missing_beside_a_gap_is_found(tmp_path: Path, signer: Signer, first: int) -> None:
    folder = export_part(tmp_path / "part", RESTORED, part_of(first, 303), signer)
    lines = read_lines(folder)
    without = lines[:2] + lines[3:] if first == 5 else lines[1:]
    write_lines(folder, without, count=len(without))
    said = "declares entries 8 to 300 as lost, and 7 is missing" if first == 5 else "entry 100: it is missing"
    refused(verify_export(folder, [signer.vkey]), said)


@pytest.mark.parametrize("without", [6, 7, 8])
def test_what_is_missing_and_not_declared_is_not_written(tmp_path: Path, without: int) -> None:
    part = part_of(2, SIZE)
    rows = [row_of(entry) for entry in RESTORED]
    with EntryWriter(ExportFolder(tmp_path / "out", part.members()), part, left=leaves_of(RESTORED[:1])) as writer:
        writer.add(rows[1:5])
        with pytest.raises(ExportError, match="is missing"):
            writer.add([*rows[5:without], *rows[without + 1 :]])


# ------------------------------------------------------------------------------------------ published checkpoints


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (12, "entries 6 to 9 are among the 12 of the checkpoint given"),
        (7, "entries 6 to 7 are among the 7 of the checkpoint given"),
        (10, "entries 6 to 9 are among the 10 of the checkpoint given"),
        (5, "the journal begins with the 5 entries of the checkpoint given, and none of these is among them"),
        (4, "the journal begins with the 4 entries of the checkpoint given"),
        (0, "the journal begins with the 0 entries of the checkpoint given"),
        (
            3,
            "not held against the checkpoint given: it is of 3 entries, and what lies between it and these is not here",
        ),
        (
            11,
            "not held against the checkpoint given: it is of 11 entries, and what lies between these and its end is not",
        ),
    ],
)
def test_a_stretch_is_held_against_a_checkpoint_as_far_as_it_can_be(
    tmp_path: Path, signer: Signer, size: int, words: str
) -> None:
    folder = export_part(tmp_path / "part", ENTRIES, part_of(6, 9, COUNT), signer)
    accepted(verify_export(folder, [signer.vkey], published=published(signer, size)), words)
    if "not held" not in words and size:
        others = [leaf[::-1] for leaf in leaves_of(ENTRIES)]
        verdict = verify_export(folder, [signer.vkey], published=published(signer, size, others))
        refused(verdict, f"entries 1 to {size} are not those that the checkpoint given is of")


def test_a_filter_is_held_against_a_checkpoint_of_its_own_tree(tmp_path: Path, signer: Signer) -> None:
    chosen = Selection(user_ref="customer-1", tracking_ids=(uuid(101),))
    folder = export_part(tmp_path / "part", ENTRIES, part_of(1, COUNT, COUNT, chosen), signer)
    same, fewer = published(signer, COUNT), published(signer, 5)
    accepted(verify_export(folder, [signer.vkey], published=same), "is of the tree that they are in")
    accepted(verify_export(folder, [signer.vkey], published=fewer), "not held against the checkpoint given")
    other = published(signer, COUNT, [leaf[::-1] for leaf in leaves_of(ENTRIES)])
    refused(verify_export(folder, [signer.vkey], published=other), "are not those that the checkpoint given is of")


def test_a_part_of_a_journal_that_was_cut_off_is_told(tmp_path: Path, signer: Signer) -> None:
    folder = export_part(tmp_path / "part", ENTRIES[:10], part_of(6, 9, 10), signer)
    refused(verify_export(folder, [signer.vkey], published=published(signer, COUNT)), "truncated: the checkpoint")


@pytest.mark.parametrize("chosen", [BY_TIME, Selection(provider="demobank")])
def test_a_published_checkpoint_of_its_tree_anchors_a_part_that_nobody_signed(
    tmp_path: Path, signer: Signer, chosen: Selection
) -> None:
    folder = export_part(tmp_path / "part", ENTRIES, part_of(6, 9, COUNT, chosen))
    assert verify_export(folder, [signer.vkey], published=published(signer, COUNT)).accepted
    assert not verify_export(folder, [signer.vkey], published=published(signer, 7)).accepted
    assert not verify_export(folder, [signer.vkey]).accepted


def test_a_checkpoint_that_a_gap_in_the_part_has_taken_cannot_be_compared(tmp_path: Path, signer: Signer) -> None:
    folder = export_part(tmp_path / "part", RESTORED, part_of(5, 303), signer)
    words = "entries 8 to 12 of the checkpoint given are lost, as entry 301 declares"
    accepted(verify_export(folder, [signer.vkey], published=published(signer, COUNT)), words)
    assert Gap(first=8, last=300, size=COUNT, root=ROOT) == GAP
