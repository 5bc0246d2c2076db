"""A journal restored from an older copy goes on behind all that was told of it, and says what is lost."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.checkpointing import a_signer, checkpointing
from tests.clocks import ManualClock
from tests.contract.facts import START, a_consent, a_decision, append, draft_about, save
from tests.damage import unguarded
from tests.journal.drafts import ORIGIN, Signer
from tests.postgres import as_service
from tests.usecases.telling import telling
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.replays import first_since
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import Database, SqlStore
from tracker.app.database import require_own_past
from tracker.domain.checkpoint_errors import JournalForkedError
from tracker.domain.consent import TrackingId
from tracker.domain.errors import ConfigurationError, InconsistentRowError, InvalidRequestError
from tracker.journal.checkpoint import Checkpoint
from tracker.journal.entry import Entry
from tracker.journal.gap import Gap, gap_of
from tracker.journal.published import Published
from tracker.journal.verify import verify_export
from tracker.ports import Progress
from tracker.settings import load_settings
from tracker.usecases.after_restore import MARGIN, AfterRestore, NothingToJumpError
from tracker.usecases.export import Exporting
from tracker.usecases.proofs import Proofs
from tracker.usecases.verify_database import Anchors, DatabaseVerification

KEPT, PUBLISHED = 20, 30
ROOT = bytes(range(32))
SIGNER = Signer()


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest) -> Callable[[], Database]:
    """Opens a database, as one more process would."""
    if request.param == "sqlite":
        path: Path = request.getfixturevalue("database")
        return lambda: SqliteDatabase(path)
    url: str = as_service(request.getfixturevalue("another_postgres")())
    return lambda: PostgresDatabase(url)


@pytest_asyncio.fixture
async def open_store(opened: Callable[[], Database]) -> AsyncIterator[Callable[[], SqlStore]]:
    """The same with twenty entries in it."""
    stores: list[SqlStore] = []

    def open_one() -> SqlStore:
        stores.append(SqlStore(opened(), SystemIds()))
        return stores[-1]

    await fill(open_one())
    yield open_one
    for store in stores:
        await store.close()


async def fill(store: SqlStore) -> None:
    consent = a_consent()
    await save(store, consent, decision=a_decision())
    await append(store, *(draft_about(consent) for _ in range(KEPT)))


def restoring(store: SqlStore) -> AfterRestore:
    return AfterRestore(store.restored, Proofs(store), ManualClock(START), SystemIds())


def published(size: int = PUBLISHED, root: bytes = ROOT) -> Published:
    return Published.read(SIGNER.note(Checkpoint(ORIGIN, size, root)))


async def jump(store: SqlStore, of: Published | None = None, margin: int | None = 5, *, again: bool = False) -> Entry:
    return await restoring(store).jump(of or published(), [SIGNER.vkey], margin=margin, again=again)


async def test_the_journal_goes_on_behind_the_checkpoint_and_the_margin(
    open_store: Callable[[], SqlStore], tmp_path: Path
) -> None:
    store = open_store()
    older = await Proofs(store).extend()
    old_root = await Proofs(store).root(older)
    entry = await jump(store)
    assert gap_of(entry.leaf) == Gap(first=21, last=35, size=PUBLISHED, root=ROOT)
    assert (entry.sequence, entry.previous, entry.type) == (36, None, "journal.gap")
    assert (await store.entries_after(KEPT, 9))[0] == entry
    (before,) = (await store.entries_at([KEPT])).values()
    consent = replace(a_consent(), tracking_id=TrackingId(str(before.tracking_id)))
    (following,) = await append(store, draft_about(consent))
    assert (following.sequence, following.previous) == (37, KEPT)
    # The tree goes on, is all that it was, and every verifier accepts it and says what is lost.
    proofs = Proofs(store)
    assert await proofs.extend() == 37
    assert await proofs.root(older) == old_root
    verification = DatabaseVerification(store, store.audited)
    verdict = await verification.verify(Anchors(vkeys=[SIGNER.vkey], published=published()))
    assert verdict.accepted is True, verdict
    assert "yes: 22 entries, 1 to 37, root " in verdict.intact.sentence
    assert "entries 21 to 35 are lost, as entry 36 declares" in verdict.intact.sentence
    ours = a_signer()
    await Exporting(store, Proofs(store), checkpointing(store, ManualClock(START), ours)).export(tmp_path / "export")
    verdict = verify_export(tmp_path / "export", [SIGNER.vkey, ours.vkey], published=published())
    assert verdict.accepted, verdict
    assert (await proofs.root(37)).hex() in verdict.intact.sentence


async def test_without_a_margin_many_are_given_up(open_store: Callable[[], SqlStore]) -> None:
    assert (await jump(open_store(), margin=None)).sequence == PUBLISHED + MARGIN + 1


async def test_it_is_done_once_for_each_restore(open_store: Callable[[], SqlStore]) -> None:
    store = open_store()
    await jump(store)
    with pytest.raises(NothingToJumpError, match="entry 36 declares 21 to 35 as lost"):
        await jump(store)
    assert await store.head() == 36
    assert (await jump(store, again=True)).sequence == 36 + 5 + 1


async def test_two_who_jump_at_once_jump_once(open_store: Callable[[], SqlStore]) -> None:
    came = await asyncio.gather(*(jump(open_store()) for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in came) == ["Entry", *["NothingToJumpError"] * 3]
    assert await open_store().head() == 36


async def test_what_fails_on_the_way_leaves_all_as_it_was(open_store: Callable[[], SqlStore]) -> None:
    store = open_store()
    gap = Gap(first=21, last=35, size=PUBLISHED, root=ROOT)
    with pytest.raises(ValueError, match="UUID"):  # once the head was moved
        await store.restored.jump(lambda _head, _gaps: gap, "none", START)
    assert await store.head() == KEPT
    assert (await jump(store)).sequence == 36


async def test_a_journal_with_all_of_the_checkpoint_jumps_only_when_told_how_far(
    open_store: Callable[[], SqlStore],
) -> None:
    store = open_store()
    await Proofs(store).extend()
    own = published(15, await Proofs(store).root(15))
    with pytest.raises(NothingToJumpError, match=r"has all 15 entries.*ends at 20"):
        await jump(store, own, margin=None)
    with pytest.raises(NothingToJumpError, match="margin of 0"):
        await jump(store, own, margin=0)
    entry = await jump(store, own, margin=7)
    assert gap_of(entry.leaf) == Gap(first=21, last=27, size=15, root=own.checkpoint.root)


async def test_a_journal_that_went_on_after_the_restore_is_refused(open_store: Callable[[], SqlStore]) -> None:
    with pytest.raises(JournalForkedError, match="Entries 1 to 15 of the journal are not those"):
        await jump(open_store(), published(15))


async def test_a_checkpoint_by_nobody_we_know_moves_nothing(open_store: Callable[[], SqlStore]) -> None:
    store = open_store()
    thief = Published.read(Signer().note(Checkpoint(ORIGIN, 10**15, ROOT)))
    with pytest.raises(InvalidRequestError, match="by no key that is trusted"):
        await jump(store, thief)
    for margin in (-1, 10**7):
        with pytest.raises(InvalidRequestError, match="margin is 0 to"):
            await jump(store, margin=margin)
    assert await store.head() == KEPT


async def test_a_head_that_does_not_fit_the_entries_is_for_somebody_to_look_at(database: Path) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    await fill(store)
    with unguarded(database) as connection:
        connection.execute("UPDATE journal SET next_sequence = 19")
    with pytest.raises(InconsistentRowError):
        await jump(store)
    await store.close()


# ------------------------------------------------------------------------------------------ those who read it


async def test_subscribers_hear_of_the_gap_and_of_what_comes_after(database: Path) -> None:
    async with telling(database) as world:
        await world.subscribe()
        await world.append(1, 2, 3)
        await world.turn()
        await jump(world.real_store, published(5), margin=2)
        await world.append(1, 2)
        await world.turns(3)
        assert world.subscriber.taken == [1, 2, 3, 8, 9, 10]
        assert (await world.saved()).cursor == 10


async def test_a_place_of_before_the_crash_is_kept_and_one_in_the_gap_is_passed(database: Path) -> None:
    """Somebody was told 4 and 5 before the database was lost, and says so to the older one."""
    async with telling(database) as world:
        subscription = await world.subscribe()
        await world.append(1, 2, 3)
        await jump(world.real_store, published(5), margin=2)
        lag = (await world.real_store.lags())[subscription.id]
        assert lag.waits_since is not None
        assert await world.real_store.save_progress(Progress(subscription=replace(subscription, cursor=5)))
        lag = (await world.real_store.lags())[subscription.id]
        assert (lag.entries, lag.waits_since is not None) == (3, True)
        await world.append(1)
        assert [entry.sequence for entry in await world.real_store.entries_after(5, 9)] == [8, 9]


async def test_a_replay_finds_its_first_entry_on_either_side_of_the_gap(database: Path) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    await fill(store)
    gap = await jump(store)
    (last,) = await append(store, draft_about(a_consent()))

    async def first(time: object) -> int:
        return await store._database.read(lambda connection: first_since(connection, time))  # type: ignore[arg-type]

    entries = await store.entries_after(0, 99)
    assert await first(entries[0].recorded_at) == 1
    assert await first(last.recorded_at) in range(1, 38)
    assert await first(gap.recorded_at.replace(year=2999)) == 38
    await store.close()


# ------------------------------------------------------------------------------------------ before it is run


async def test_a_service_does_not_start_on_a_journal_that_is_older_than_its_readers(
    database: Path, tmp_path: Path
) -> None:
    settings = load_settings({"TRACKER_DATABASE__URL": f"sqlite:///{database}"}, tmp_path)
    copy = tmp_path / "copy.db"
    async with telling(database) as world:
        await world.subscribe()
        await world.append(1, 2, 3)
        await world.turn()
    require_own_past(settings)
    with unguarded(database) as connection:
        connection.execute("DELETE FROM entry WHERE sequence > 1")
        connection.execute("UPDATE journal SET next_sequence = 2")
    shutil.copy(database, copy)
    with pytest.raises(ConfigurationError, match=r"ends at 1, and a subscription was told 3: .*after-restore"):
        require_own_past(settings)
    store = SqlStore(SqliteDatabase(database), SystemIds())
    await jump(store, published(3), margin=1)
    await store.close()
    require_own_past(settings)


async def test_a_service_does_not_start_on_a_copy_that_is_older_as_a_whole(database: Path, tmp_path: Path) -> None:
    """All that is in the database is of one time; what was published is of a later one."""
    file = tmp_path / "checkpoint.txt"
    environment = {
        "TRACKER_DATABASE__URL": f"sqlite:///{database}",
        "TRACKER_AUDIT__PUBLISH_TO": str(file),
        "TRACKER_AUDIT__ORIGIN": ORIGIN,
    }
    settings = load_settings(environment, tmp_path)
    store = SqlStore(SqliteDatabase(database), SystemIds())
    await fill(store)
    for nothing in (None, b"", b"\xff", SIGNER.note(Checkpoint("another/journal", 99, ROOT)).encode()):
        if nothing is not None:
            file.write_bytes(nothing)
        require_own_past(settings)
    file.write_text(SIGNER.note(Checkpoint(ORIGIN, KEPT, ROOT)))
    require_own_past(settings)
    file.write_text(SIGNER.note(Checkpoint(ORIGIN, PUBLISHED, ROOT)))
    with pytest.raises(
        ConfigurationError, match=r"ends at 20, and the checkpoint in .* is of 30 entries: .*after-restore"
    ):
        require_own_past(settings)
    await jump(store)
    await store.close()
    require_own_past(settings)
