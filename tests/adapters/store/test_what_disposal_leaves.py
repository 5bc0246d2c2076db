"""Each table of the schema, and what becomes of its rows when a consent is disposed of. A new table is to be thought of here."""

from pathlib import Path

import pytest
from sqlalchemy import select

from tests.contract.test_disposal import GONE, dispose, whole
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import metadata

GOES = "goes"
SEALED = "stays: it is not about one consent"
TABLES = {
    "consent": GOES,
    "consent_key": GOES,
    "identity": GOES,
    "report": GOES,
    "evidence": GOES,
    "other_event": GOES,
    "payment": GOES,
    "confirmation": GOES,
    "belief": GOES,
    "export_job": "stays for its own time: whom it is about is sealed; its files go after `exports_keep_days`, as they were made",
    "quarantine": GOES + ", what names it; what was never believed goes by its age and is closed to everybody else",
    "parked": GOES + "; none can be there, as it stands against disposal",
    "dead_letter": GOES,
    "replay_failure": GOES,
    "completion": GOES,
    "erasure": GOES,
    "legal_hold": "none can be there, as it stands against disposal",
    "entry": "stays: the leaf; its private value and salt go",
    "tile": "stays: hashes of leaves",
    "tree": SEALED,
    "journal": SEALED,
    "batch": SEALED,
    "checkpoint": SEALED,
    "checkpoint_key": SEALED,
    "disposed_consent": "stays: no more than the leaves say",
    "late_event": "stays: digests of what came afterwards and was not kept",
    "access_record": "stays for its own time: who looked, and no value; a person who was searched for is not named",
    "access_shown": "stays with it",
    "inbox": "not opened yet: it is told when it is, as of one that was disposed of, and not kept",
    "awaited_event": "stays: the place of an entry and a time",
    "holder_key": "stays: the holder's public keys",
    "subscription": SEALED,
    "completion_watch": SEALED,
    "pull_window": "stays: places in the journal",
    "replay": "stays for its own time: which part of the journal, by ids that the leaves have",
    "provider_ledger": SEALED,
    "provider_health": SEALED,
    "provider_moves": SEALED,
    "journal_reading": SEALED,
    "journal_detached": SEALED,
    "steady_clock": SEALED,
    "sealing": SEALED,
    "lease": SEALED,
    "api_key": SEALED,
}


def test_each_table_is_thought_of() -> None:
    assert set(TABLES) == set(metadata.tables)


@pytest.mark.parametrize("column", ["tracking_id", "consent_id"])
async def test_nothing_that_goes_names_it_any_more(database: Path, column: str) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    gone, _ = await whole(store)
    value = getattr(GONE, column)

    async def left() -> set[str]:
        named = [table for table in metadata.tables.values() if column in table.c]
        return {
            table.name
            for table in named
            if await store._database.read(lambda c, t=table: c.execute(select(t).where(t.c[column] == value)).first())
        }

    before = await left()
    await dispose(store, gone)
    after = await left()
    assert {name for name in after if TABLES[name].startswith(GOES)} == set()
    assert after <= {"entry", "disposed_consent"}
    assert len(before) >= 4
    await store.close()
