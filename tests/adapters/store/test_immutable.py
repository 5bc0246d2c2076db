"""Rows of the journal refuse to be changed, on both databases; what disposal needs stays possible."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.contract.facts import a_consent, a_decision, append, draft_about, save
from tracker.adapters.clock import SystemIds
from tracker.adapters.store import immutable, migrate
from tracker.adapters.store.partitions import ENTRIES_IN_ONE
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import ConfigurationError

Run = Callable[[Callable[[Connection], Any]], Any]


@pytest.fixture(params=["sqlite", "postgres"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs work in a transaction of its own, as the owner, on a database with three entries of one consent."""
    if request.param == "sqlite":
        path: Path = request.getfixturevalue("database")
        asyncio.run(_fill(lambda: SqlStore(SqliteDatabase(path), SystemIds())))

        def on_sqlite(work: Callable[[Connection], Any]) -> Any:
            with one_transaction(path) as connection:
                return work(connection)

        return on_sqlite
    url = request.getfixturevalue("another_postgres")()
    asyncio.run(_fill(lambda: SqlStore(PostgresDatabase(url), SystemIds())))
    return lambda work: asyncio.run(in_one_transaction(url, work))


async def _fill(opened: Callable[[], SqlStore]) -> None:
    store = opened()
    consent = a_consent()
    await save(store, consent, decision=a_decision())
    await append(store, *(draft_about(consent) for _ in range(3)))
    await store.close()


def execute(run: Run, statement: str) -> int:
    return int(run(lambda connection: connection.execute(text(statement)).rowcount))


def refused(run: Run, statement: str, table: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{table}[a-z0-9_]* is written once"):
        execute(run, statement)


@pytest.mark.parametrize(
    "change",
    [
        "sequence = 4",
        "id = 'other'",
        "tracking_id = 'other'",
        "tracking_id = NULL",
        "recorded_at = (SELECT max(recorded_at) FROM journal)",
        "leaf = leaf_hash",
        "leaf_hash = leaf",
        "private = NULL, leaf_hash = leaf",
    ],
)
def test_what_an_entry_says_is_never_changed(run: Run, change: str) -> None:
    if "recorded_at" in change:  # another time than it has
        execute(run, "UPDATE journal SET recorded_at = '2999-01-01T00:00:00.000000+00:00'")
    refused(run, f"UPDATE entry SET {change} WHERE sequence = 3", "entry")


@pytest.mark.parametrize("which", ["WHERE sequence = 2", "WHERE sequence = 3", ""])
def test_no_entry_is_deleted(run: Run, which: str) -> None:
    refused(run, f"DELETE FROM entry {which}", "entry")


def test_private_values_are_destroyed_or_sealed_anew(run: Run) -> None:
    assert execute(run, "UPDATE entry SET private = '{\"a\": 1}', private_salt = leaf_hash") == 3
    assert execute(run, "UPDATE entry SET private = NULL, private_salt = NULL WHERE sequence = 2") == 1


def test_the_head_goes_on_and_never_back(run: Run) -> None:
    refused(run, "UPDATE journal SET next_sequence = next_sequence - 1", "journal")
    refused(run, "UPDATE journal SET recorded_at = '1999-01-01T00:00:00.000000+00:00'", "journal")
    refused(run, "UPDATE journal SET journal_id = 'other'", "journal")
    refused(run, "DELETE FROM journal", "journal")
    assert execute(run, "UPDATE journal SET next_sequence = next_sequence + 1") == 1


def _checkpoint(run: Run, note: str | None = "o\n7\nroot\n\n— o AAAA\n— witness BBBB\n") -> None:
    def add(connection: Connection) -> None:
        at = "'2026-03-02T06:00:00.000000+00:00'"
        new = text("INSERT INTO checkpoint (size, root) SELECT 7, leaf_hash FROM entry WHERE sequence = 1")
        connection.execute(new)
        if note is not None:
            connection.execute(text(f"UPDATE checkpoint SET note = :note, signed_at = {at}"), {"note": note})
        connection.execute(text(f"INSERT INTO checkpoint_key VALUES ('key', 7, {at}, 7, {at})"))

    run(add)


@pytest.mark.parametrize(
    "change",
    [
        "size = 8",
        "root = (SELECT leaf_hash FROM entry WHERE sequence = 2)",
        "note = NULL",
        "note = 'x' || note",
        "note = replace(note, '7', '8')",
        "note = replace(note, 'AAAA', 'AAAB')",
        "note = replace(note, '— witness BBBB', '')",
        "signed_at = NULL",
        "signed_at = '2026-03-02T06:00:00.000001+00:00'",
    ],
)
def test_a_checkpoint_stays_as_it_was_signed(run: Run, change: str) -> None:
    _checkpoint(run)
    refused(run, f"UPDATE checkpoint SET {change}", "checkpoint")


def test_a_checkpoint_is_decided_then_signed_then_seen_and_stamped(run: Run) -> None:
    _checkpoint(run, note=None)
    refused(run, "UPDATE checkpoint SET size = 8", "checkpoint")
    for change in (
        "note = replace('o~7~root~~— o AAAA~', '~', chr(10))",
        "signed_at = '2026-03-02T06:00:00.000000+00:00'",
        "note = note || '— witness BBBB'",
        "note = replace(note, 'BBBB', 'CCCC')",  # a witness has seen it again
        "timestamp = root",
    ):
        on_sqlite = change.replace("chr(", "char(")
        is_postgres = run(lambda connection: connection.dialect.name) == "postgresql"
        assert execute(run, f"UPDATE checkpoint SET {change if is_postgres else on_sqlite}") == 1
    for change in ("timestamp = NULL", "timestamp = (SELECT leaf_hash FROM entry WHERE sequence = 2)"):
        refused(run, f"UPDATE checkpoint SET {change}", "checkpoint")
    refused(run, "DELETE FROM checkpoint", "checkpoint")


def test_what_a_key_has_signed_is_not_forgotten(run: Run) -> None:
    _checkpoint(run)
    for change in ("vkey = 'x'", "first_size = 1", "last_size = 6", "first_at = '2027-03-02T06:00:00.000000+00:00'"):
        refused(run, f"UPDATE checkpoint_key SET {change}", "checkpoint_key")
    refused(run, "DELETE FROM checkpoint_key", "checkpoint_key")
    assert execute(run, "UPDATE checkpoint_key SET last_size = 8") == 1


def test_a_look_is_forgotten_and_never_changed(run: Run) -> None:
    values = {"at": "'2026-03-02T06:00:00.000000+00:00'", "id": "'i'", "who": "'w'", "what": "'x'", "status": "200"}
    names, shown = ", ".join(values), ", ".join(values.values())
    execute(run, f"INSERT INTO access_record ({names}, interaction_id) VALUES ({shown}, 'i')")
    execute(run, f"INSERT INTO access_shown VALUES ('t', {values['at']}, 'i')")
    for change in ("who = 'another'", "what = what"):
        refused(run, f"UPDATE access_record SET {change}", "access_record")
    refused(run, "UPDATE access_shown SET tracking_id = 'another'", "access_shown")
    for table in ("access_record", "access_shown"):
        assert execute(run, f"DELETE FROM {table}") == 1


def test_an_entry_is_not_replaced_on_the_way_in(run: Run) -> None:
    """SQLite's INSERT OR REPLACE deletes without asking who guards against deletes."""
    columns = "sequence, id, tracking_id, recorded_at, leaf, leaf_hash"
    for new in ("2, 'new'", "9, id"):
        values = f"{new}, tracking_id, recorded_at, leaf, leaf_hash FROM entry WHERE sequence = 2"
        with pytest.raises(ConfigurationError):
            execute(run, f"INSERT OR REPLACE INTO entry ({columns}) SELECT {values}")
    assert run(lambda connection: connection.execute(text("SELECT count(*) FROM entry")).scalar()) == 3


def test_all_is_guarded_and_a_missing_trigger_is_noticed(run: Run) -> None:
    assert run(immutable.unguarded) == []
    run(lambda connection: immutable.unguard(connection, "journal"))
    assert run(immutable.unguarded) == ["journal"]
    run(lambda connection: immutable.guard(connection, immutable.HEAD))
    assert run(immutable.unguarded) == []


def test_other_tables_are_guarded_row_by_row_or_under_a_condition(run: Run) -> None:
    """As stored checkpoints and full tiles are."""
    guard = immutable.Guard(table="kept", fixed=("note",), when="OLD.width = 256")

    def make(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE kept (note text, width int, told int)"))
        connection.execute(text("INSERT INTO kept VALUES ('full', 256, 0), ('partial', 7, 0)"))
        immutable.guard(connection, guard)

    run(make)
    refused(run, "UPDATE kept SET note = 'other' WHERE width = 256", "kept")
    refused(run, "UPDATE kept SET note = 'other'", "kept")
    refused(run, "DELETE FROM kept", "kept")
    assert execute(run, "UPDATE kept SET told = 1") == 2
    assert execute(run, "UPDATE kept SET note = 'fuller', width = 256 WHERE width = 7") == 1
    refused(run, "UPDATE kept SET width = 8, note = '' WHERE note = 'fuller'", "kept")
    run(lambda connection: immutable.unguard(connection, "kept"))
    assert execute(run, "DELETE FROM kept") == 2


@pytest.fixture
def url(another_postgres: Callable[[], str]) -> str:
    return another_postgres()


@pytest.mark.parametrize("table", ["entry", "entry_rest", "journal", f"entry_before_{ENTRIES_IN_ONE}"])
async def test_nothing_is_emptied_on_postgres(url: str, table: str) -> None:
    with pytest.raises(ConfigurationError, match="TRUNCATE is refused"):
        await in_one_transaction(url, lambda connection: connection.execute(text(f"TRUNCATE {table} CASCADE")))


@pytest.mark.parametrize("has_rest", [False, True])
async def test_partitions_that_are_made_later_are_guarded_too(url: str, *, has_rest: bool) -> None:
    store = SqlStore(PostgresDatabase(url), SystemIds())
    near = ENTRIES_IN_ONE + (5 if has_rest else -5)

    def move(connection: Connection) -> None:
        connection.execute(text(f"UPDATE journal SET next_sequence = {near}"))

    await in_one_transaction(url, move)
    consent = a_consent()
    await save(store, consent, decision=a_decision())
    await append(store, *(draft_about(consent) for _ in range(3)))
    await store.trim(consent.registered_at)
    await store.close()
    parts = await in_one_transaction(url, lambda c: immutable._with_parts(c, "entry"))
    made = f"entry_before_{2 * ENTRIES_IN_ONE}"
    assert made in parts
    assert await in_one_transaction(url, immutable.unguarded) == []
    for table in ("entry", made if has_rest else f"entry_before_{ENTRIES_IN_ONE}"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = 'x'", f"TRUNCATE {table}"):
            with pytest.raises(ConfigurationError, match="is written once"):
                await in_one_transaction(url, lambda connection, it=statement: connection.execute(text(it)))


async def test_a_partition_can_be_detached_by_its_owner(url: str) -> None:
    """What is disposed of wholly leaves the journal as one table; rows in it are still there to be kept elsewhere."""
    part = f"entry_before_{ENTRIES_IN_ONE}"

    def detach(connection: Connection) -> None:
        connection.execute(text(f"ALTER TABLE entry DETACH PARTITION {part}"))
        connection.execute(text(f"DROP TABLE {part}"))

    await in_one_transaction(url, detach)


async def test_an_older_version_beside_this_one_makes_partitions_that_are_guarded_at_the_next_look(url: str) -> None:
    def make(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE entry_theirs (LIKE entry INCLUDING ALL)"))
        bounds = f"FROM ('{ENTRIES_IN_ONE}') TO ('{2 * ENTRIES_IN_ONE}')"
        connection.execute(text(f"ALTER TABLE entry ATTACH PARTITION entry_theirs FOR VALUES {bounds}"))

    await in_one_transaction(url, make)
    assert await in_one_transaction(url, immutable.unguarded) == ["entry_theirs"]
    await in_one_transaction(url, lambda connection: immutable.guard_parts(connection, "entry"))
    assert await in_one_transaction(url, immutable.unguarded) == []


def test_the_way_down_takes_the_guards_away(run: Run) -> None:
    run(lambda connection: migrate.downgrade(connection, "0023-1"))
    assert execute(run, "DELETE FROM entry") == 3
    run(migrate.upgrade)
    assert run(immutable.unguarded) == []
