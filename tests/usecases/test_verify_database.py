"""The journal verified where it is stored: each kind of damage done with SQL is found, and the first broken entry named."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.adapters.store.sealed_before import as_before
from tests.checkpointing import a_signer, checkpointing
from tests.clocks import ManualClock
from tests.contract.facts import a_consent, a_decision, append, draft_about, save
from tests.damage import unguarded
from tests.journal.drafts import ORIGIN, Signer
from tests.postgres import as_service, query
from tracker.adapters.clock import SystemIds
from tracker.adapters.secret_keys import SecretKeys
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.safe import LockedKeyError
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.vault import Vault
from tracker.journal.checkpoint import Checkpoint
from tracker.journal.published import Published
from tracker.journal.verify import Answer, Verdict
from tracker.usecases import verify_database
from tracker.usecases.proofs import Proofs
from tracker.usecases.verify_database import Anchors, DatabaseVerification

COUNT = 300


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_database, "_PAGE", 70)


async def _fill(store: SqlStore, count: int = COUNT) -> None:
    """Two consents whose entries take turns, with private values; the tree over all but the last ones."""
    consents = [a_consent("one"), a_consent("two")]
    for consent in consents:
        await save(store, consent, decision=a_decision())
    values = {"private": {"user_ref": "customer-7", "Amount": 12.5}, "private_salt": bytes(32)}
    drafts = [draft_about(consents[n % 2], **(values if n % 7 == 0 else {})) for n in range(count)]
    await append(store, *drafts[: count - 20])
    await Proofs(store).extend()
    await append(store, *drafts[count - 20 :])


@pytest_asyncio.fixture
async def store(database: Path) -> AsyncIterator[SqlStore]:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    await _fill(store)
    yield store
    await store.close()


async def verified(store: SqlStore, **anchors: Any) -> Verdict:
    return await DatabaseVerification(store, store.audited).verify(Anchors(**anchors))


def refused(verdict: Verdict, *words: str) -> None:
    assert (verdict.intact.answer, verdict.accepted) == (Answer.NO, False), verdict
    for word in words:
        assert word in verdict.intact.sentence, verdict.intact.sentence


async def published(store: SqlStore, signer: Signer, size: int = COUNT - 20) -> Published:
    return Published.read(signer.note(Checkpoint(ORIGIN, size, await Proofs(store).root(size))))


# ------------------------------------------------------------------------------------------ as it should be


async def test_an_intact_database_is_unanchored_without_a_checkpoint(store: SqlStore) -> None:
    verdict = await verified(store)
    assert verdict.intact.sentence.startswith("yes: 300 entries, 1 to 300, root ")
    assert (verdict.accepted, verdict.by_whom.answer) == (False, Answer.UNANCHORED)
    assert (await verified(store, allow_unanchored=True)).accepted
    assert len(verdict.lines()) == 3


async def test_a_checkpoint_and_its_key_anchor_it(store: SqlStore) -> None:
    signer = Signer()
    checkpoint = await published(store, signer)
    verdict = await verified(store, vkeys=[signer.vkey], published=checkpoint)
    assert verdict.accepted
    assert "entries 1 to 280 are those of the checkpoint given" in verdict.intact.sentence
    assert verdict.by_whom.sentence.endswith("entries 1 to 280; entries 281 to 300 came after it")
    other = await verified(store, vkeys=[Signer().vkey], published=checkpoint, allow_unanchored=True)
    assert (other.accepted, other.by_whom.answer) == (False, Answer.NO)
    nobody = await verified(store, published=checkpoint)
    assert (nobody.accepted, nobody.by_whom.answer) == (False, Answer.UNANCHORED)


async def test_an_empty_journal_is_intact(another_database: Callable[[str], Path]) -> None:
    store = SqlStore(SqliteDatabase(another_database("empty.db")), SystemIds())
    assert (await verified(store, allow_unanchored=True)).accepted
    await store.close()


async def test_what_is_written_meanwhile_is_left_for_the_next_time(store: SqlStore) -> None:
    reached: list[int] = []
    consent = a_consent("meanwhile")
    await save(store, consent, decision=a_decision())
    read = store.audited.rows

    async def rows(after: int, limit: int, up_to: int) -> Any:
        found = await read(after, limit, up_to)
        await append(store, draft_about(consent))
        await Proofs(store).extend()
        return found

    store.audited.rows = rows  # type: ignore[method-assign]
    verification = DatabaseVerification(store, store.audited)
    verdict = await verification.verify(Anchors(allow_unanchored=True), lambda done, _: reached.append(done))
    assert verdict.accepted, verdict
    assert reached == [70, 140, 210, 280, 300]
    assert await store.head() > COUNT


async def test_postgres_is_verified_by_the_services_role(another_postgres: Callable[[], str]) -> None:
    store = SqlStore(PostgresDatabase(as_service(another_postgres())), SystemIds())
    await _fill(store)
    verdict = await verified(store, allow_unanchored=True)
    await store.close()
    assert verdict.accepted, verdict
    assert verdict.intact.sentence.startswith("yes: 300 entries")


# ------------------------------------------------------------------------------------------ damage, one of each kind

DAMAGE = {
    "a byte of an entry": ("UPDATE entry SET leaf = replace(leaf, 'Authorized', 'Suspended') WHERE sequence = 77", 77),
    "a byte of a hash": ("UPDATE entry SET leaf_hash = zeroblob(32) WHERE sequence = 78", 78),
    "a hash of no length": ("UPDATE entry SET leaf_hash = x'' WHERE sequence = 78", 78),
    "a leaf that is text": ("UPDATE entry SET leaf = CAST(leaf AS text) WHERE sequence = 79", 79),
    "a leaf that is nothing": ("UPDATE entry SET leaf = x'' WHERE sequence = 79", 79),
    "an entry removed": ("DELETE FROM entry WHERE sequence = 80", 80),
    "the first entry removed": ("DELETE FROM entry WHERE sequence = 1", 1),
    "the last entry removed": ("DELETE FROM entry WHERE sequence = 300", 300),
    "the end removed": ("DELETE FROM entry WHERE sequence > 290", 291),
    "two swapped": (
        (
            "UPDATE entry SET sequence = -1 WHERE sequence = 81; UPDATE entry SET sequence = 81 WHERE sequence = 82;"
            " UPDATE entry SET sequence = 82 WHERE sequence = -1"
        ),
        81,
    ),
    "two leaves swapped": (
        (
            "CREATE TABLE kept AS SELECT * FROM entry WHERE sequence IN (81, 82);"
            " UPDATE entry SET leaf = (SELECT leaf FROM kept WHERE kept.sequence = 163 - entry.sequence),"
            " leaf_hash = (SELECT leaf_hash FROM kept WHERE kept.sequence = 163 - entry.sequence)"
            " WHERE sequence IN (81, 82)"
        ),
        81,
    ),
    "another id in the column": ("UPDATE entry SET id = 'x' WHERE sequence = 83", 83),
    "another consent in the column": (
        "UPDATE entry SET tracking_id = (SELECT tracking_id FROM entry WHERE sequence = 85) WHERE sequence = 84",
        84,
    ),
    "another time in the column": (
        "UPDATE entry SET recorded_at = '1999-01-01T00:00:00.000000+00:00' WHERE sequence = 86",
        86,
    ),
    "no time in the column": ("UPDATE entry SET recorded_at = 'yesterday' WHERE sequence = 86", 86),
    "a sealed value": (
        (
            "UPDATE entry SET private_salt = CAST(substr(private_salt, 1, 60) || x'00' || substr(private_salt, 62) AS blob)"
            " WHERE sequence = 71"
        ),
        71,
    ),
    "a sealed value cut off": ("UPDATE entry SET private_salt = substr(private_salt, 1, 30) WHERE sequence = 71", 71),
    "another's sealed value": (
        "UPDATE entry SET private_salt = (SELECT private_salt FROM entry WHERE sequence = 85) WHERE sequence = 71",
        71,
    ),
    "a key of no length": ("UPDATE consent_key SET key = x''", 1),
    "a private value": ('UPDATE entry SET private = \'{"user_ref": "x"}\' WHERE sequence = 71', 71),
    "a private value that is no JSON": ("UPDATE entry SET private = '{' WHERE sequence = 71", 71),
    "a salt": ("UPDATE entry SET private_salt = zeroblob(31) WHERE sequence = 71", 71),
    "a salt that is text": ("UPDATE entry SET private_salt = 'salt' WHERE sequence = 71", 71),
    "a private value where none was": (
        "UPDATE entry SET private = '{}', private_salt = zeroblob(32) WHERE sequence = 87",
        87,
    ),
    "a hash in the stored tree": (
        (
            "UPDATE tile SET hashes = CAST(substr(hashes, 1, 320) || zeroblob(32) || substr(hashes, 353) AS blob)"
            " WHERE level = 0 AND position = 0"
        ),
        11,
    ),
}


@pytest.mark.parametrize(("statements", "broken"), DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_found_and_the_first_broken_entry_named(
    store: SqlStore, database: Path, statements: str, broken: int
) -> None:
    with unguarded(database) as connection:
        for statement in statements.split(";"):
            connection.execute(statement)
    refused(await verified(store, allow_unanchored=True), f"no: entry {broken}")


OTHER_DAMAGE = {
    "the head moved back": ("UPDATE journal SET next_sequence = 295", "entry 295 is beyond the journal's head"),
    "the head moved on": ("UPDATE journal SET next_sequence = 400", "entry 301 is missing"),
    "the head's time": (
        "UPDATE journal SET recorded_at = '1999-01-01T00:00:00.000000+00:00'",
        "head is of a time before that of entry 300",
    ),
    "another journal": ("UPDATE journal SET journal_id = '0198f1c2-0000-7000-8000-000000000001'", "entry 1: "),
    "a tile missing": ("DELETE FROM tile WHERE level = 0 AND position = 1", "tile 1 of level 0 of the stored tree"),
    "a tile above": ("UPDATE tile SET hashes = zeroblob(32) WHERE level = 1", "tile 0 of level 1 of the stored tree"),
    "a tile cut off": (
        "UPDATE tile SET hashes = substr(hashes, 1, 32) WHERE level = 0 AND position = 1",
        "entry 258: the stored tree does not have its hash",
    ),
    "end and head cut off": (
        "DELETE FROM entry WHERE sequence > 100; UPDATE journal SET next_sequence = 101",
        "entry 101 is missing: the stored tree is over 280 entries",
    ),
}


@pytest.mark.parametrize(("statements", "words"), OTHER_DAMAGE.values(), ids=OTHER_DAMAGE.keys())
async def test_damage_to_the_journal_as_a_whole_is_found(
    store: SqlStore, database: Path, statements: str, words: str
) -> None:
    with unguarded(database) as connection:
        for statement in statements.split(";"):
            connection.execute(statement)
    refused(await verified(store, allow_unanchored=True), words)


async def test_who_also_mends_hashes_head_and_tree_is_found_by_a_published_checkpoint(
    store: SqlStore, database: Path, another_database: Callable[[str], Path]
) -> None:
    """The journal of another database in the place of this one, under this one's name: nothing inside can tell."""
    signer = Signer()
    checkpoint = await published(store, signer)
    other = another_database("other.db")
    forged = SqlStore(SqliteDatabase(other), SystemIds())
    await _fill(forged)
    assert (await verified(forged, allow_unanchored=True)).accepted
    refused(
        await verified(forged, vkeys=[signer.vkey], published=checkpoint),
        "entries 1 to 280 are not those that the checkpoint given is of",
    )
    await forged.close()
    short = SqlStore(SqliteDatabase(another_database("short.db")), SystemIds())
    await _fill(short, 100)
    refused(await verified(short, vkeys=[signer.vkey], published=checkpoint), "truncated: ", "280", "end at 100")
    await short.close()


async def test_an_unreadable_row_does_not_hide_an_earlier_one(store: SqlStore, database: Path) -> None:
    with unguarded(database) as connection:
        connection.execute("UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND position = 0")
        connection.execute("UPDATE entry SET leaf = x'' WHERE sequence = 280")
    refused(await verified(store, allow_unanchored=True), "no: entry 1: the stored tree does not have its hash")


async def test_destroyed_private_values_break_nothing(store: SqlStore, database: Path) -> None:
    with unguarded(database) as connection:
        connection.execute("UPDATE entry SET private = NULL, private_salt = NULL")
    verdict = await verified(store, allow_unanchored=True)
    assert verdict.accepted
    assert "43 entries without the private value" in verdict.intact.sentence


# ------------------------------------------------------------------------------------------ values under keys


async def test_values_are_opened_and_those_under_a_destroyed_key_are_withheld(store: SqlStore, database: Path) -> None:
    assert "without" not in (await verified(store, allow_unanchored=True)).intact.sentence
    with unguarded(database) as connection:
        sealed = "SELECT count(*) FROM entry WHERE private IS NULL AND length(private_salt) > 32"
        assert connection.execute(sealed).fetchone() == (43,)
        mine = "tracking_id = (SELECT tracking_id FROM entry WHERE sequence = 1)"
        assert connection.execute(f"DELETE FROM consent_key WHERE {mine}").rowcount == 1
    verdict = await verified(store, allow_unanchored=True)
    assert verdict.accepted, verdict
    assert "22 entries without the private value" in verdict.intact.sentence


async def test_values_of_before_there_were_keys_are_checked_too(store: SqlStore, database: Path) -> None:
    with one_transaction(database) as connection:
        as_before(connection)
    assert "without" not in (await verified(store, allow_unanchored=True)).intact.sentence
    with unguarded(database) as connection:
        connection.execute('UPDATE entry SET private = \'{"user_ref": "x"}\' WHERE sequence = 71')
    refused(await verified(store, allow_unanchored=True), "no: entry 71: its private value")
    with unguarded(database) as connection:
        connection.execute("UPDATE entry SET private = NULL WHERE sequence = 71")
    refused(await verified(store, allow_unanchored=True), "no: entry 71: what stands for its private value")


async def test_a_changed_key_under_the_ring_is_found_and_a_missing_ring_is_no_damage(database: Path) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds(), Vault(SecretKeys({"ring": b"r" * 32})))
    await _fill(store)
    assert (await verified(store, allow_unanchored=True)).accepted
    without = SqlStore(SqliteDatabase(database), SystemIds())
    with pytest.raises(LockedKeyError, match="which at_rest_keys does not hold"):
        await verified(without, allow_unanchored=True)
    await without.close()
    with unguarded(database) as connection:
        its = "tracking_id = (SELECT tracking_id FROM entry WHERE sequence = 8)"
        connection.execute(
            f"UPDATE consent_key SET key = CAST(x'00' || substr(key, 2) AS blob) WHERE {its} AND substr(key, 1, 1) <> x'00'"
        )
    refused(await verified(store, allow_unanchored=True), "no: entry 8: its private value, or the key that opens it")
    await store.close()


# ------------------------------------------------------------------------------------------ stored checkpoints


@pytest_asyncio.fixture
async def signed(store: SqlStore) -> SqlStore:
    """With checkpoints of 300, 310 and 320 entries."""
    made = checkpointing(store, ManualClock(), a_signer())
    for _ in range(3):
        await made.require_head()
        await append(store, *(draft_about(a_consent("three")) for _ in range(10)))
    return store


async def test_the_last_stored_checkpoint_says_by_whom(signed: SqlStore) -> None:
    verdict = await verified(signed, vkeys=[a_signer().vkey])
    assert verdict.accepted, verdict
    assert verdict.by_whom.sentence.endswith("entries 1 to 320; entries 321 to 330 came after it")
    unknown = await verified(signed, vkeys=[Signer().vkey])
    assert (unknown.accepted, unknown.by_whom.answer) == (False, Answer.UNANCHORED)


async def test_checkpoints_that_are_made_meanwhile_are_left_for_the_next_time(signed: SqlStore) -> None:
    made = [checkpointing(signed, ManualClock(), a_signer(name)) for name in ("journal", "next", "third")]
    read = signed.audited.checkpoints

    async def checkpoints(after: int, limit: int) -> Any:
        found = await read(after, 2)
        if made:
            await made.pop().require_head()
            await append(signed, draft_about(a_consent("three")))
        return found

    signed.audited.checkpoints = checkpoints  # type: ignore[method-assign]
    assert (await verified(signed, vkeys=[a_signer().vkey], allow_unanchored=True)).accepted


CHECKPOINT_DAMAGE = {
    "its root": (
        "UPDATE checkpoint SET root = zeroblob(32) WHERE size = 310",
        "the stored checkpoint of 310 entries is not what was decided",
    ),
    "a root that is text": ("UPDATE checkpoint SET root = 'x' WHERE size = 310", "of 310 entries is not what"),
    "its size": ("UPDATE checkpoint SET size = 311 WHERE size = 310", "of 311 entries is not what was decided"),
    "a signature": (
        (
            "UPDATE checkpoint SET note = substr(note, 1, length(note) - 20) || 'AAAA' || substr(note, length(note) - 15)"
            " WHERE size = 310"
        ),
        "the stored checkpoint of 310 entries has a false signature",
    ),
    "another's signature": (
        "UPDATE checkpoint SET note = replace(note, '— demo.example/journal ', '— demo.example/other ') WHERE size = 310",
        "of 310 entries is by none of the journal's keys",
    ),
    "no note": ("UPDATE checkpoint SET note = NULL WHERE size = 310", "of 310 entries has lost its note"),
    "no note at all": ("UPDATE checkpoint SET note = 'x' WHERE size = 310", "of 310 entries cannot be read"),
    "the last one removed": (
        "DELETE FROM checkpoint WHERE size = 320",
        "the stored checkpoint of 320 entries is missing",
    ),
    "the first one removed": ("DELETE FROM checkpoint WHERE size = 300", "of 300 entries is missing"),
    "a key": ("UPDATE checkpoint_key SET vkey = 'x'", "a key that has signed checkpoints cannot be read"),
    "another checkpoint, not signed": (
        "INSERT INTO checkpoint (size, root) VALUES (305, zeroblob(32))",
        "entries 1 to 305 are not those that the stored checkpoint of 305 is of",
    ),
    "one of more than there is": (
        "INSERT INTO checkpoint (size, root) VALUES (999, zeroblob(32))",
        "truncated: a stored checkpoint is of 999 entries, and here they end at 330",
    ),
}


@pytest.mark.parametrize(("statement", "words"), CHECKPOINT_DAMAGE.values(), ids=CHECKPOINT_DAMAGE.keys())
async def test_a_damaged_checkpoint_is_found_and_named(
    signed: SqlStore, database: Path, statement: str, words: str
) -> None:
    with unguarded(database) as connection:
        assert connection.execute(statement).rowcount == 1
    refused(await verified(signed, vkeys=[a_signer().vkey], allow_unanchored=True), words)


async def test_who_mends_hashes_head_and_tree_is_found_by_a_stored_checkpoint_too(
    signed: SqlStore, another_database: Callable[[str], Path]
) -> None:
    path = another_database("other.db")
    forged = SqlStore(SqliteDatabase(path), SystemIds())
    await _fill(forged, 330)
    kept = await signed.checkpoints.at(310)
    assert kept is not None
    with unguarded(path) as connection:
        connection.execute("INSERT INTO checkpoint (size, root, note) VALUES (310, ?, ?)", (kept.root, kept.note))
        key = (a_signer().vkey, 310, "2026-03-02T06:00:00.000000+00:00", 310, "2026-03-02T06:00:00.000000+00:00")
        connection.execute("INSERT INTO checkpoint_key VALUES (?, ?, ?, ?, ?)", key)
    refused(
        await verified(forged, vkeys=[a_signer().vkey]), "entries 1 to 310 are not those that the stored checkpoint"
    )
    await forged.close()


# ------------------------------------------------------------------------------------------ detached partitions


async def test_detached_entries_are_taken_from_the_stored_tree(another_postgres: Callable[[], str]) -> None:
    """As `tracker db detach-journal` leaves it; a part of 280 instead of fifty millions."""
    url = another_postgres()
    store = SqlStore(PostgresDatabase(as_service(url)), SystemIds())
    await _fill(store)
    query(url, "CREATE TABLE first_part (LIKE entry)")
    query(url, "INSERT INTO first_part SELECT * FROM entry WHERE sequence <= 270")
    query(url, "ALTER TABLE entry DISABLE TRIGGER immutable_delete")
    query(url, "DELETE FROM entry WHERE sequence <= 270")
    query(url, "INSERT INTO journal_detached VALUES ('first_part', 271, now())")
    signer = Signer()
    checkpoint = await published(store, signer)
    verdict = await verified(store, vkeys=[signer.vkey], published=checkpoint)
    assert verdict.accepted, verdict
    assert verdict.intact.sentence.startswith("yes: 30 entries, 271 to 300, root ")
    assert "; of 1 to 270, which are detached, there are the hashes" in verdict.intact.sentence
    query(url, "ALTER TABLE tile DISABLE TRIGGER immutable_update")
    query(url, "UPDATE tile SET hashes = overlay(hashes placing '\\x00' from 9) WHERE level = 0 AND position = 0")
    refused(await verified(store, vkeys=[signer.vkey], published=checkpoint), "tile 0 of level 1 of the stored tree")
    query(url, "UPDATE journal_detached SET below = 290")
    refused(await verified(store, allow_unanchored=True), "entries 1 to 289 are detached, and the stored tree")
    await store.close()


async def test_a_file_has_no_partitions_whatever_is_written_into_it(store: SqlStore, database: Path) -> None:
    with unguarded(database) as connection:
        connection.execute("DELETE FROM entry WHERE sequence <= 270")
        connection.execute("INSERT INTO journal_detached VALUES ('x', 271, '2026-03-02T06:00:00.000000+00:00')")
    refused(await verified(store, allow_unanchored=True), "entry 1: it is missing")
