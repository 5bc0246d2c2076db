"""Checkpoints: one root for a size, whoever dies when and however many try; none of a journal that is not what was signed."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from tests.checkpointing import ORIGIN, a_signer, checkpointing
from tests.clocks import START, ManualClock
from tests.contract.facts import IDS, NewDatabase, a_consent, append, draft_about, save
from tests.damage import damage
from tests.tokens import ed_key
from tracker.adapters.checkpoint_file import CheckpointFile
from tracker.adapters.checkpoint_signer import is_signed
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import entry
from tracker.adapters.store.tile_tables import tile
from tracker.adapters.store.tile_tables import tree as tree_table
from tracker.domain.checkpoint_errors import (
    CheckpointNotFoundError,
    CosignatureRefusedError,
    JournalForkedError,
    NotSignedError,
    PublishingError,
    TimestampError,
)
from tracker.journal import tree
from tracker.journal.checkpoint import Checkpoint, note_text, parse_checkpoint, parse_note, parse_vkey, vkey
from tracker.journal.gap import GAP_HASH, Gap
from tracker.journal.note import COSIGNATURE, NoteSignature, SignedNote, cosigned
from tracker.journal.tiles import FULL_BYTES, TornTreeError
from tracker.ports.checkpoints import CheckpointBook, StoredCheckpoint
from tracker.ports.restored import Decide
from tracker.usecases.proofs import Proofs
from tracker.usecases.witnessing import Witnessing

_CONSENT = a_consent()


@pytest.fixture
async def leaves(store: SqlStore) -> list[bytes]:
    await save(store, _CONSENT)
    return []


async def _tell(store: SqlStore, leaves: list[bytes], count: int) -> None:
    leaves += [one.leaf_hash for one in await append(store, *(draft_about(_CONSENT) for _ in range(count)))]


def _signs(stored: StoredCheckpoint, *names: str) -> bool:
    """Whether exactly these keys have signed, in this order, and all signatures hold."""
    assert stored.note is not None
    note = parse_note(stored.note)
    assert parse_checkpoint(note.text) == Checkpoint(ORIGIN, stored.size, stored.root)
    keys = [parse_vkey(a_signer(name).vkey) for name in names]
    pairs = zip(note.signatures, keys, strict=True)
    return all(
        one.claims_to_be_by(key) and is_signed(key.public_key, *one.to_check(key, note.text)) for one, key in pairs
    )


# ------------------------------------------------------------------------------------------------ making them


async def test_size_and_root_are_signed_once_for_all_entries(store: SqlStore, leaves: list[bytes]) -> None:
    made = checkpointing(store, ManualClock(), a_signer())
    assert await made.latest() is None
    await _tell(store, leaves, 5)
    first = await made.require_head()
    assert (first.size, first.root, first.signed_at) == (5, tree.root(leaves), START)
    assert _signs(first, "journal")
    assert await made.at_head() == first  # nothing is new
    await _tell(store, leaves, 300)
    second = await made.require_head()
    assert (second.size, second.root) == (305, tree.root(leaves))
    assert await made.latest() == await made.at(305) == second
    assert await made.at(5) == first
    with pytest.raises(CheckpointNotFoundError):
        await made.at(6)
    (history,) = await made.keys()
    assert (history.vkey, history.first_size, history.last_size) == (a_signer().vkey, 5, 305)


async def test_without_a_key_there_are_none(store: SqlStore, leaves: list[bytes]) -> None:
    made = checkpointing(store, ManualClock())
    await _tell(store, leaves, 1)
    assert await made.at_head() is None
    assert await made.run_once() is None
    with pytest.raises(NotSignedError):
        await made.require_head()


async def test_they_are_made_when_it_is_time_and_something_is_new(store: SqlStore, leaves: list[bytes]) -> None:
    clock = ManualClock()
    made = checkpointing(store, clock, a_signer(), every=timedelta(minutes=5))
    assert await made.run_once() is None
    assert await store.checkpoints.last() is None  # nothing has happened: there is nothing to sign
    await _tell(store, leaves, 2)
    assert (await made.run_once() or await made.at(0)).size == 2
    await _tell(store, leaves, 2)
    clock.advance(299)
    assert await made.run_once() is None
    clock.advance(1)
    again = checkpointing(store, clock, a_signer(), every=timedelta(minutes=5))  # whichever process
    assert (await again.run_once() or await made.at(0)).size == 4
    clock.advance(1000)
    assert (await made.run_once() or await made.at(0)).size == 4


async def test_a_clock_that_was_ahead_does_not_keep_us_from_signing(store: SqlStore, leaves: list[bytes]) -> None:
    clock = ManualClock()
    clock.advance(timedelta(days=365).total_seconds())
    await _tell(store, leaves, 1)
    assert (await checkpointing(store, clock, a_signer()).run_once() or await store.checkpoints.at(0)) is not None
    await _tell(store, leaves, 1)
    right = checkpointing(store, ManualClock(), a_signer())
    made = await right.run_once()
    assert made is not None
    assert made.size == 2


def test_a_link_is_published_through_and_none_is_followed_elsewhere(tmp_path: Path) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "checkpoint"
    elsewhere.mkdir()
    link.symlink_to(elsewhere / "shown")
    outlet = CheckpointFile(link)

    async def show() -> None:
        await asyncio.gather(*(outlet.show(f"{n}\n") for n in range(20)))

    asyncio.run(show())
    assert link.is_symlink()
    assert (elsewhere / "shown").read_text().endswith("\n")
    assert [file.name for file in elsewhere.iterdir()] == ["shown"]


async def test_many_who_try_at_once_make_one_line_of_checkpoints(store: SqlStore, leaves: list[bytes]) -> None:
    makers = [checkpointing(store, ManualClock(), a_signer()) for _ in range(6)]

    async def tell() -> None:
        for _ in range(8):
            await _tell(store, leaves, 3)

    found = await asyncio.gather(tell(), *(maker.require_head() for maker in makers * 4))
    last = await makers[0].require_head()
    sizes = {one.size: one for one in [*found[1:], last] if one is not None}
    for size, one in sizes.items():
        assert one.root == tree.root(leaves[:size])
        assert await makers[0].at(size) == one


# ------------------------------------------------------------------------------------------------ dying on the way


@dataclass
class _Dying:
    """A book at which the process dies before or after one of its writes."""

    book: CheckpointBook
    at: str
    is_after: bool

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.book, name)
        if name != self.at:
            return method

        async def dies(*given: Any, **named: Any) -> None:
            if self.is_after:
                await method(*given, **named)
            raise KeyboardInterrupt

        return dies


@pytest.mark.parametrize("at", ["propose", "keep_note"])
@pytest.mark.parametrize("is_after", [False, True])
async def test_a_process_that_dies_leaves_no_fork(
    store: SqlStore, leaves: list[bytes], at: str, is_after: bool
) -> None:
    await _tell(store, leaves, 3)
    dying: Any = _Dying(store.checkpoints, at, is_after)
    with pytest.raises(KeyboardInterrupt):
        await checkpointing(store, ManualClock(), a_signer(), book=dying).at_head()
    decided = await store.checkpoints.last()
    await _tell(store, leaves, 4)  # life goes on before anybody looks
    made = checkpointing(store, ManualClock(), a_signer())
    last = await made.require_head()
    assert (last.size, last.root) == (7, tree.root(leaves))
    if decided is not None:
        kept = await store.checkpoints.at(3)
        assert kept is not None
        assert kept.root == decided.root == tree.root(leaves[:3])


async def test_what_was_decided_and_not_signed_is_signed_by_the_next(store: SqlStore, leaves: list[bytes]) -> None:
    await _tell(store, leaves, 3)
    dying: Any = _Dying(store.checkpoints, "propose", is_after=True)
    with pytest.raises(KeyboardInterrupt):
        await checkpointing(store, ManualClock(), a_signer(), book=dying).at_head()
    assert await checkpointing(store, ManualClock(), a_signer()).latest() is None
    signed = await checkpointing(store, ManualClock(), a_signer()).require_head()
    assert (signed.size, _signs(signed, "journal")) == (3, True)


# ------------------------------------------------------------------------------------------------ never of another journal


async def _refused(store: SqlStore, **terms: Any) -> str:
    made = checkpointing(store, ManualClock(), a_signer(), **terms)
    before = await store.checkpoints.last()
    for deed in (made.at_head, made.examine):
        with pytest.raises((JournalForkedError, TornTreeError)) as refused:
            await deed()
    assert await store.checkpoints.last() == before
    return str(refused.value)


async def test_a_changed_journal_is_never_signed(
    store: SqlStore, leaves: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    await _tell(store, leaves, 10)
    await checkpointing(store, ManualClock(), a_signer()).require_head()
    await _tell(store, leaves, 10)
    # Somebody changes entry 4, and has the tree made anew, so that the two agree.
    await damage(store, update(entry).where(entry.c.sequence == 4).values(leaf_hash=bytes(32)))
    await damage(store, delete(tile))
    await damage(store, update(tree_table).values(size=0))
    assert "The first 10 entries are not those of the last checkpoint" in await _refused(store)
    assert "No checkpoint is signed: The first 10 entries" in caplog.text


async def test_a_changed_tile_is_noticed(store: SqlStore, leaves: list[bytes]) -> None:
    await _tell(store, leaves, 300)
    await checkpointing(store, ManualClock(), a_signer()).require_head()
    await damage(store, update(tile).where(tile.c.level == 1).values(hashes=bytes(32)))
    assert "The first 300 entries are not those" in await _refused(store)
    await damage(store, update(tile).where(tile.c.level == 1).values(hashes=bytes(FULL_BYTES)))
    await _tell(store, leaves, 300)
    assert "Tile 0 of level 1" in await _refused(store)


async def test_a_journal_that_was_cut_off_is_never_signed(store: SqlStore, leaves: list[bytes]) -> None:
    await _tell(store, leaves, 10)
    await checkpointing(store, ManualClock(), a_signer()).require_head()
    await damage(store, delete(entry).where(entry.c.sequence > 8))
    await damage(store, delete(tile))
    await damage(store, update(tree_table).values(size=0))
    assert "The journal has 8 entries, and the last checkpoint that we signed is over 10" in await _refused(store)


async def test_a_database_set_back_is_noticed_by_what_is_published(
    new_database: NewDatabase, leaves: list[bytes], store: SqlStore, tmp_path: Path
) -> None:
    outlet = CheckpointFile(tmp_path / "checkpoint")
    await _tell(store, leaves, 10)
    shown = await checkpointing(store, ManualClock(), a_signer(), outlet=outlet).require_head()
    assert await outlet.shown() == shown.note
    back = new_database()()  # as it was before
    try:
        await save(back, _CONSENT)
        await _tell(back, [], 9)
        assert "the checkpoint that is published is over 10" in await _refused(back, outlet=outlet)
        await _tell(back, [], 9)
        assert "not those of the checkpoint that is published" in await _refused(back, outlet=outlet)
    finally:
        await back.close()


async def _set_back(store: SqlStore, path: Path, kept: int = 6) -> CheckpointFile:
    """A journal that was restored from a copy with so many entries, and whose last published checkpoint is of ten."""
    outlet = CheckpointFile(path)
    await _tell(store, [], kept)
    await checkpointing(store, ManualClock(), a_signer()).require_head()
    text = note_text(Checkpoint(ORIGIN, 10, bytes(range(32))))
    key = parse_vkey(a_signer().vkey)
    line = NoteSignature(key.name, key.key_hash, a_signer().sign(text))
    await outlet.show(SignedNote(text, (line,)).written())
    return outlet


def _declare(size: int, root: bytes, margin: int = 5) -> Decide:
    return lambda head, _: Gap(first=head + 1, last=max(head, size) + margin, size=size, root=root)


async def test_a_declared_gap_that_names_what_is_published_is_gone_on_from(
    store: SqlStore, leaves: list[bytes], tmp_path: Path
) -> None:
    outlet = await _set_back(store, tmp_path / "checkpoint")
    assert "the checkpoint that is published is over 10" in await _refused(store, outlet=outlet)
    gap = await store.restored.jump(_declare(10, bytes(range(32))), IDS.ordered(), START)
    await _tell(store, leaves, 2)
    made = checkpointing(store, ManualClock(), a_signer(), outlet=outlet)
    assert (await made.examine() or await made.at(0)).size == 6
    after = await made.require_head()
    assert (after.size, gap.sequence) == (18, 16)
    assert await outlet.shown() == after.note
    # From here on what is published is held as ever.
    await _tell(store, leaves, 300)
    last = await made.require_head()
    proofs = Proofs(store)
    for old in range(1, last.size):
        proof = await proofs.consistency(old, last.size)
        assert tree.is_consistent(old, await proofs.root(old), last.size, last.root, proof)
    proven = await proofs.inclusions([1, 6, 7, 15, 16, 17, 318], last.size)
    for sequence, path in proven.items():
        leaf = await proofs.leaf(sequence)
        assert (leaf == GAP_HASH) == (6 < sequence < 16)
        assert tree.is_included(leaf, sequence - 1, last.size, path, last.root)


@pytest.mark.parametrize(
    ("size", "root"), [(10, bytes(32)), (9, bytes(range(32))), (6, bytes(range(32)))], ids=["root", "size", "both"]
)
async def test_a_gap_that_names_anything_else_stays_a_fork(
    store: SqlStore, leaves: list[bytes], tmp_path: Path, size: int, root: bytes
) -> None:
    outlet = await _set_back(store, tmp_path / "checkpoint")
    await store.restored.jump(_declare(size, root, 9), IDS.ordered(), START)
    await _tell(store, leaves, 2)
    assert "The first 10 entries are not those of the checkpoint that is published" in await _refused(
        store, outlet=outlet
    )


async def test_a_gap_behind_entries_that_differ_from_what_is_published_stays_a_fork(
    store: SqlStore, leaves: list[bytes], tmp_path: Path
) -> None:
    outlet = await _set_back(store, tmp_path / "checkpoint", 12)
    await store.restored.jump(_declare(10, bytes(range(32))), IDS.ordered(), START)
    await _tell(store, leaves, 2)
    assert "not those of the checkpoint that is published" in await _refused(store, outlet=outlet)


async def test_a_gap_that_was_changed_to_name_what_is_published_stays_a_fork(
    store: SqlStore, leaves: list[bytes], tmp_path: Path
) -> None:
    outlet = await _set_back(store, tmp_path / "checkpoint")
    gap = await store.restored.jump(_declare(10, bytes(32)), IDS.ordered(), START)
    await _tell(store, leaves, 2)
    await Proofs(store).extend()
    leaf = gap.leaf_bytes.replace(bytes(32).hex().encode(), bytes(range(32)).hex().encode())
    await damage(store, update(entry).where(entry.c.sequence == gap.sequence).values(leaf=leaf))
    assert (await store.checkpoints.gaps())[0][0].root == bytes(range(32))
    assert "not those of the checkpoint that is published" in await _refused(store, outlet=outlet)


# ------------------------------------------------------------------------------------------------ publishing


async def test_the_published_file_follows_and_never_goes_back(
    store: SqlStore, leaves: list[bytes], tmp_path: Path
) -> None:
    clock, file = ManualClock(), tmp_path / "checkpoint"
    made = checkpointing(store, clock, a_signer(), outlet=CheckpointFile(file))
    await _tell(store, leaves, 1)
    first = await made.require_head()
    assert file.read_text() == first.note
    await _tell(store, leaves, 1)
    second = await made.require_head()
    await made._publish(first)  # a process that was slow
    assert file.read_text() == second.note
    file.unlink()  # a process died before it published
    await made.run_once()
    assert file.read_text() == second.note
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".checkpoint")] == []


async def test_what_cannot_be_published_is_signed_all_the_same(
    store: SqlStore, leaves: list[bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = checkpointing(store, ManualClock(), a_signer(), outlet=CheckpointFile(tmp_path / "missing" / "checkpoint"))
    await _tell(store, leaves, 1)
    assert (await made.require_head()).note is not None
    assert "A checkpoint is not published" in caplog.text
    unreadable = checkpointing(store, ManualClock(), a_signer(), outlet=CheckpointFile(tmp_path))
    with pytest.raises(PublishingError):
        await unreadable.require_head()


# ------------------------------------------------------------------------------------------------ keys come and go


async def test_both_keys_sign_while_one_comes_and_one_goes(store: SqlStore, leaves: list[bytes]) -> None:
    clock = ManualClock()
    made = checkpointing(store, clock, a_signer())
    await _tell(store, leaves, 3)
    assert _signs(await made.require_head(), "journal")
    clock.advance(60)
    made.sign_with([a_signer(), a_signer("next")])
    both = await made.require_head()  # over the same entries, which are signed by both from now on
    assert (both.size, both.signed_at) == (3, START)
    assert _signs(both, "journal", "next")
    assert await made.at_head() == both
    await _tell(store, leaves, 1)
    assert _signs(await made.require_head(), "journal", "next")
    made.sign_with([a_signer("next")])
    await _tell(store, leaves, 1)
    assert _signs(await made.require_head(), "next")
    assert {(one.vkey, one.first_size, one.last_size) for one in await made.keys()} == {
        (a_signer("next").vkey, 3, 5),
        (a_signer().vkey, 3, 4),
    }


async def test_a_checkpoint_keeps_the_name_that_the_journal_had(store: SqlStore, leaves: list[bytes]) -> None:
    await _tell(store, leaves, 3)
    first = await checkpointing(store, ManualClock(), a_signer()).require_head()
    renamed = checkpointing(store, ManualClock(), a_signer(origin="other.example"), origin="other.example")
    assert await renamed.at_head() == first
    await _tell(store, leaves, 1)
    assert (await renamed.require_head()).note is not None


# ------------------------------------------------------------------------------------------------ witnesses and time stamps


def _witness(name: str) -> str:
    return vkey(f"{name}.example", ed_key(name).public_key().public_bytes_raw(), COSIGNATURE)


def _cosigned(note: str, name: str, time: int) -> str:
    """The note with a cosignature under it, as a witness makes it."""
    parsed, key = parse_note(note), parse_vkey(_witness(name))
    signed = time.to_bytes(8) + ed_key(name).sign(cosigned(parsed.text, time))
    return replace(parsed, signatures=(*parsed.signatures, NoteSignature(key.name, key.key_hash, signed))).written()


async def test_cosignatures_of_witnesses_are_kept_the_latest_of_each(store: SqlStore, leaves: list[bytes]) -> None:
    made = checkpointing(store, ManualClock(), a_signer())
    keys = [parse_vkey(_witness(name)) for name in ("w1", "w2")]
    witnessing = Witnessing(store.checkpoints, ManualClock(), is_signed, keys)
    await _tell(store, leaves, 3)
    note = str((await made.require_head()).note)
    once = await witnessing.keep(_cosigned(note, "w1", 1_700_000_000))
    assert once.note == _cosigned(note, "w1", 1_700_000_000)
    both = await witnessing.keep(_cosigned(_cosigned(note, "w2", 5), "stranger", 7))
    assert both.note == _cosigned(str(once.note), "w2", 5)
    assert await witnessing.keep(_cosigned(note, "w2", 4)) == both  # an older one says nothing new
    later = await witnessing.keep(_cosigned(note, "w2", 6))
    assert later.note == _cosigned(str(once.note), "w2", 6)
    assert await made.at_head() == later
    made.sign_with([a_signer(), a_signer("next")])
    signed = parse_note(str((await made.require_head()).note))
    assert len(signed.signatures) == 4


async def test_what_no_witness_has_signed_is_refused(store: SqlStore, leaves: list[bytes]) -> None:
    made = checkpointing(store, ManualClock(), a_signer())
    witnessing = Witnessing(store.checkpoints, ManualClock(), is_signed, [parse_vkey(_witness("w1"))])
    await _tell(store, leaves, 3)
    stored = await made.require_head()
    note = str(stored.note)
    good = _cosigned(note, "w1", 9)
    other_tree = note_text(Checkpoint(ORIGIN, 3, bytes(32)))
    false_line = replace(parse_note(good).signatures[-1], signature=bytes(72))
    for refused in (
        note,
        _cosigned(note, "stranger", 9),
        SignedNote(parse_note(note).text, (false_line,)).written(),
        SignedNote(parse_note(note).text, (replace(false_line, signature=b"short"),)).written(),
        _cosigned(SignedNote(other_tree, parse_note(note).signatures).written(), "w1", 9),
    ):
        with pytest.raises(CosignatureRefusedError):
            await witnessing.keep(refused)
    elsewhere = note_text(Checkpoint(ORIGIN, 2, stored.root))
    with pytest.raises(CheckpointNotFoundError):
        await witnessing.keep(_cosigned(SignedNote(elsewhere, parse_note(note).signatures).written(), "w1", 9))
    assert await made.latest() == stored


@dataclass
class _Authority:
    """Stamps, or does not."""

    fails: int = 0
    asked: int = 0

    async def stamp(self, text: bytes) -> bytes:
        self.asked += 1
        if self.asked <= self.fails:
            raise TimestampError("Not now.")
        return b"stamp of " + text


async def test_the_latest_is_stamped_and_what_fails_is_tried_again(
    store: SqlStore, leaves: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    authority = _Authority(fails=1)
    made = checkpointing(store, ManualClock(), a_signer(), authority=authority)
    await _tell(store, leaves, 3)
    await made.run_once()
    assert "A checkpoint is not stamped: Not now." in caplog.text
    await made.run_once()
    await made.run_once()
    stored = await made.at(3)
    assert stored.timestamp == b"stamp of " + parse_note(str(stored.note)).text.encode()
    assert authority.asked == 2
