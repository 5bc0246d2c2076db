"""A key that was destroyed is nowhere in the bytes of a SQLite database: not in the file, not in its log, not in its index."""

import sqlite3
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from tests.contract.facts import START, a_consent, a_report, append, draft_about, name_of, record, save, stored
from tracker.adapters.clock import SystemIds
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys
from tracker.adapters.store import sqlite
from tracker.adapters.store.key_tables import consent_key
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import ConsentId
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Transaction


def every_byte(database: Path) -> bytes:
    return b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))


async def keys_of(store: SqlStore) -> dict[str, bytes]:
    """The keys as they are stored, by tracking id."""
    query = select(consent_key.c.tracking_id, consent_key.c.key).where(consent_key.c.tracking_id.is_not(None))
    return await store._database.read(lambda c: {row.tracking_id: bytes(row.key) for row in c.execute(query)})


async def many(store: SqlStore, count: int, chance: Random) -> list[TrackedConsent]:
    """Consents of which some were heard of before they were registered, in no order, so that pages are split and filled."""
    made = [a_consent(f"{chance.randbytes(8).hex()}", user_ref=f"user-{n}", terms={"n": n}) for n in range(count)]
    for kept in made:
        if chance.random() < 0.3:
            await record(store, stored(a_report(kept.consent_id), name_of(kept)))
    chance.shuffle(made)
    for begin in range(0, count, 50):
        await save(store, *made[begin : begin + 50])
    return made


async def test_destroyed_keys_are_nowhere_in_the_bytes(database: Path) -> None:
    chance = Random(20)
    store = SqlStore(SqliteDatabase(database), SystemIds())
    made = await many(store, 1500, chance)
    bare = await keys_of(store)
    store.vault.use_keys(SecretKeys({"ring": b"r" * 32}))
    gone = made[::3]

    def destroy(transaction: Transaction) -> None:
        transaction.lock_tracked([one.tracking_id for one in gone[:250]])
        for one in gone[:250]:
            assert transaction.destroy_key(one.tracking_id)

    await store.transact(destroy)  # while they stand as they are
    while await store.sealing.step(400) is not None:
        pass
    await store._database.scrub()
    under_the_ring = await keys_of(store)
    seen = every_byte(database)
    assert [one for one in gone[:250] if bare[one.tracking_id] in seen] == []
    # Once they stand under the ring, none of them stands beside that as it was.
    assert [key for key in bare.values() if key[:32] in seen] == []

    def destroy_others(transaction: Transaction) -> None:
        transaction.lock_tracked([one.tracking_id for one in gone[250:]])
        for one in gone[250:]:
            assert transaction.destroy_key(one.tracking_id)

    assert all(under_the_ring[one.tracking_id] in seen for one in gone[250:])
    await store.transact(destroy_others)
    seen = every_byte(database)
    assert [one for one in gone[250:] if under_the_ring[one.tracking_id] in seen] == []
    kept = made[1]
    assert await store.get_consent(kept.tracking_id) == kept
    await store.close()


async def test_a_key_that_somebody_still_reads_is_gone_after_the_next_housekeeping(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    store.vault.use_keys(NO_KEYS)
    kept = a_consent(user_ref="Zoe", consent_id=ConsentId("c"))
    await save(store, kept)
    await append(store, draft_about(kept, private={"user_ref": "Zoe"}, private_salt=b"s" * 32), now=START)
    key = (await keys_of(store))[kept.tracking_id]
    assert key in every_byte(database)

    def destroy(transaction: Transaction) -> None:
        transaction.lock_tracked([kept.tracking_id])
        transaction.destroy_key(kept.tracking_id)

    reader = sqlite3.connect(database)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM consent_key").fetchone()  # from now on it sees what was
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_BUSY_MILLISECONDS", 50)
        await store.transact(destroy)
    assert key in every_byte(database)
    reader.close()
    await store.trim(START)
    assert key[:32] not in every_byte(database)
    assert b"Zoe" not in every_byte(database)
    await store.close()
