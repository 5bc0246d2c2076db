"""The schema on its way: up, down, up again; and what the migrations make is what the tables say."""

import os
import re
import shutil
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from tests.contract.facts import DEMOBANK, START, a_consent, a_decision, at
from tests.migrations import manners
from tests.migrations.chained import BEFORE_0010, PLANNED_AT_0010, planned_for_0010, save_some_for_0010
from tests.migrations.filled import counts
from tests.migrations.paused import BEFORE_0011, add_some_for_0011, after_the_way_down_and_up
from tests.migrations.sent import BEFORE_0013, add_some_for_0013, require_what_is_left
from tracker.adapters.clock import SystemIds
from tracker.adapters.store import migrate
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import metadata
from tracker.app.database import downgrade_database, require_schema, schema_revisions, upgrade_database
from tracker.domain.condition import HEALTHY
from tracker.domain.consent import Status
from tracker.domain.errors import ConfigurationError
from tracker.domain.schedule import Pace, tempo
from tracker.domain.tracked import Asking, TrackedConsent
from tracker.ports import AskLine, Transaction
from tracker.settings import Settings, load_settings

MIGRATIONS = Path(__file__).parents[2] / "migrations"
REVISIONS = [script.revision for script in reversed(list(ScriptDirectory(str(MIGRATIONS)).walk_revisions()))]


def tables(path: Path) -> set[str]:
    return set(schema(path)) & set(metadata.tables)


def schema(path: Path) -> dict[str, str]:
    """Every table and index with the statement that makes it, white space and the order of constraints apart."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: _lines(sql) for name, sql in rows if not name.startswith(("sqlite_", "alembic_"))}


def _lines(statement: str) -> str:
    # A column that was added later stands in the line of the one before it.
    parts = re.split(r"[,\n]", statement.rstrip(" \n)")) if "CREATE TABLE" in statement else statement.splitlines()
    lines = (re.sub(r"\s+", " ", line).strip(" ,)") for line in parts)
    return "\n".join(sorted(line for line in lines if line))


def test_revisions_follow_one_another_in_one_line() -> None:
    directory = ScriptDirectory(str(MIGRATIONS))
    assert [directory.get_current_head()] == REVISIONS[-1:] == [migrate.newest()]
    assert directory.get_bases() == REVISIONS[:1]
    assert sorted(REVISIONS) == REVISIONS
    for path in (MIGRATIONS / "versions").glob("*.py"):
        assert path.stem.split("_")[0] in REVISIONS


def test_each_revision_goes_up_and_down_again(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    seen: list[dict[str, str]] = [{}]
    for revision in REVISIONS:
        with one_transaction(path) as connection:
            migrate.upgrade(connection, revision)
            assert migrate.current(connection) == revision
        seen.append(schema(path))
    assert tables(path) == set(metadata.tables)
    for before, expected in zip([*REVISIONS[-2::-1], "base"], seen[-2::-1], strict=True):
        with one_transaction(path) as connection:
            migrate.downgrade(connection, before)
        assert schema(path) == expected
    with one_transaction(path) as connection:
        assert migrate.current(connection) is None
        assert migrate.is_empty(connection)
        migrate.upgrade(connection)
        assert not migrate.is_empty(connection)
    assert schema(path) == seen[-1]


def test_a_database_with_something_in_every_table_goes_down_and_up_again(full_database: Path) -> None:
    assert set(counts(full_database)) == set(metadata.tables)
    whole = schema(full_database)
    for revision in [*REVISIONS[-2::-1], "base"]:
        with one_transaction(full_database) as connection:
            migrate.downgrade(connection, revision)
    assert schema(full_database) == {}
    for revision in REVISIONS:
        with one_transaction(full_database) as connection:
            migrate.upgrade(connection, revision)
    assert schema(full_database) == whole
    assert {table: n for table, n in counts(full_database).items() if n} == {
        "journal": 1,
        "journal_reading": 1,
        "tree": 1,
    }


async def test_a_revocation_that_was_asked_for_is_taken_up_again_after_a_way_down_and_up(full_database: Path) -> None:
    with one_transaction(full_database) as connection:
        migrate.downgrade(connection, "0005")
        assert connection.exec_driver_sql("SELECT revoking FROM consent").scalars().all() == [1]
        migrate.upgrade(connection)
    store = SqlStore(SqliteDatabase(full_database), SystemIds())
    (found,) = await store.transact(lambda t: t.lock_due_revocations(DEMOBANK, START + timedelta(days=1), 9))
    await store.close()
    assert found.overlay.revoking
    assert found.overlay.revocation is not None
    assert found.overlay.revocation.sent_at is not None  # so that the holder is asked first


def test_upgrading_what_is_newest_changes_nothing(full_database: Path) -> None:
    before = counts(full_database)
    with one_transaction(full_database) as connection:
        migrate.upgrade(connection)
    assert counts(full_database) == before


def test_each_new_schema_has_a_journal_of_its_own(tmp_path: Path) -> None:
    found = []
    for name in ("one.db", "two.db"):
        with one_transaction(tmp_path / name) as connection:
            migrate.upgrade(connection)
            row = connection.exec_driver_sql("SELECT id, journal_id, next_sequence FROM journal").one()
        assert (row[0], row[2]) == (1, 1)
        assert str(uuid.UUID(row[1])) == row[1]
        found.append(row[1])
    assert found[0] != found[1]


def test_alembic_finds_no_difference_between_migrations_and_tables(database: Path) -> None:
    with one_transaction(database) as connection:
        context = MigrationContext.configure(connection, opts=migrate.compared(connection))
        assert compare_metadata(context, metadata) == []


def test_migrations_and_tables_make_the_same_statements(database: Path, tmp_path: Path) -> None:
    """Alembic does not compare everything: not the conditions of indexes, not the names of constraints."""
    path = tmp_path / "made.db"
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    made = {name: sql for name, sql in schema(database).items() if "CREATE TRIGGER" not in sql}  # of migrations alone
    assert made == schema(path)


def test_an_upgrade_that_fails_leaves_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"

    def fail_halfway() -> None:
        with one_transaction(path) as connection:
            migrate.upgrade(connection)
            raise LookupError

    with pytest.raises(LookupError):
        fail_halfway()
    assert schema(path) == {}


@pytest.mark.parametrize("go", [migrate.upgrade, migrate.downgrade])
def test_a_schema_that_there_is_not_is_named(database: Path, go: type) -> None:
    with pytest.raises(ConfigurationError, match=f"'9999'.* up to {migrate.newest()}"), one_transaction(database) as c:
        go(c, "9999")


# ------------------------------------------------------------------------------------------ by the configuration


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TRACKER_DATABASE__URL": f"sqlite:///{tmp_path / 'chosen.db'}"}, tmp_path)


def test_the_configured_database_goes_up_and_down(settings: Settings, tmp_path: Path) -> None:
    newest = migrate.newest()
    assert schema_revisions(settings) == (None, newest)
    assert not (tmp_path / "chosen.db").exists()
    assert upgrade_database(settings, "head") == newest
    assert schema_revisions(settings) == (newest, newest)
    assert downgrade_database(settings, "base", delete_journal=False) is None
    assert schema_revisions(settings) == (None, newest)
    assert upgrade_database(settings, REVISIONS[0]) == REVISIONS[0]
    assert "journal" in tables(tmp_path / "chosen.db") < set(metadata.tables)


def test_a_database_that_we_make_is_nobody_elses(settings: Settings, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        require_schema(settings)
    finally:
        os.umask(before)
    with sqlite3.connect(tmp_path / "chosen.db") as connection:
        connection.execute("CREATE TABLE another (x)")
        assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("chosen.db*") if path.suffix != ".lock"} == {
            0o600
        }
    connection.close()


def test_no_journal_is_deleted_by_the_way(settings: Settings, tmp_path: Path, full_database: Path) -> None:
    shutil.copy(full_database, tmp_path / "chosen.db")
    with pytest.raises(ConfigurationError, match="--delete-journal"):
        downgrade_database(settings, "base", delete_journal=False)
    assert schema_revisions(settings) == (migrate.newest(), migrate.newest())
    assert tables(tmp_path / "chosen.db") == set(metadata.tables)
    assert downgrade_database(settings, "base", delete_journal=True) is None


def test_an_empty_file_is_given_the_schema_and_one_that_is_behind_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    require_schema(settings)
    require_schema(settings)
    path = tmp_path / "chosen.db"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    with pytest.raises(ConfigurationError, match="0000"):
        require_schema(settings)
    assert tables(path) == set(metadata.tables)


async def test_what_waits_in_the_queue_is_asked_about_below_0003_too(database: Path) -> None:
    store, queued = SqlStore(SqliteDatabase(database), SystemIds()), a_consent("queued", imported=True)
    await store.transact(
        lambda transaction: transaction.save(
            queued, a_decision(), next_ask_at=None, next_tick_at=None, queued_ask_at=START
        )
    )
    await store.close()
    with one_transaction(database) as connection:
        migrate.downgrade(connection, "0001")
        assert connection.exec_driver_sql("SELECT next_ask_at FROM consent").scalar() == START.isoformat(
            timespec="microseconds"
        )
        migrate.upgrade(connection)
        assert connection.exec_driver_sql("SELECT imported, queued_ask_at FROM consent").one() == (0, None)


async def test_what_ended_lately_and_what_is_in_a_chain_is_planned_above_0010(database: Path) -> None:
    store, now = SqlStore(SqliteDatabase(database), SystemIds()), datetime.now(UTC)  # the database's clock decides
    await save_some_for_0010(store, now)
    await store.close()
    for _ in range(2):
        with one_transaction(database) as connection:
            migrate.downgrade(connection, BEFORE_0010)
            migrate.upgrade(connection)
    store = SqlStore(SqliteDatabase(database), SystemIds())
    assert await planned_for_0010(store, now) == PLANNED_AT_0010
    await store.close()


async def test_what_is_paused_is_disabled_below_0011(database: Path) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    paused, told = await add_some_for_0011(store)
    await store.close()
    with one_transaction(database) as connection:
        migrate.downgrade(connection, BEFORE_0011)
        migrate.upgrade(connection)
    store = SqlStore(SqliteDatabase(database), SystemIds())
    assert await store.subscriptions() == [after_the_way_down_and_up(paused), told]
    await store.close()


async def test_what_has_no_order_is_told_in_order_below_0012_and_nothing_is_lost(database: Path) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    told = await manners.add_some_for_0012(store)
    await store.close()
    with one_transaction(database) as connection:
        migrate.downgrade(connection, manners.BEFORE_0012)
        migrate.upgrade(connection)
    store = SqlStore(SqliteDatabase(database), SystemIds())
    expected, rows = manners.after_the_way_down_and_up(told)
    assert (await store.subscriptions(), await store.parked(told.id)) == ([expected], rows)
    await store.close()


async def test_who_could_not_be_told_as_they_wish_is_disabled_below_0013(database: Path) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    made = await add_some_for_0013(store)
    await store.close()
    with one_transaction(database) as connection:
        migrate.downgrade(connection, BEFORE_0013)
        migrate.upgrade(connection)
    store = SqlStore(SqliteDatabase(database), SystemIds())
    await require_what_is_left(store, made)
    await store.close()


async def test_what_waits_for_a_base_interval_or_is_urgent_is_asked_about_below_0006_too(database: Path) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    due = {"steady": (None, None, at(5)), "urgent": (None, at(3), at(5)), "ordinary": (at(1), at(3), at(5))}
    for name, times in due.items():
        await store.transact(lambda t, name=name, times=times: _save(t, a_consent(name), *times))
    suspected = a_consent("suspected", asking=Asking(suspected_at=at(2)))
    await store.transact(lambda t: _save(t, suspected, None, None, at(5)))
    await store.close()
    with one_transaction(database) as connection:
        migrate.downgrade(connection, "0005")
        rows = connection.exec_driver_sql("SELECT consent_id, next_ask_at FROM consent").all()
        expected = {"steady": at(5), "urgent": at(3), "ordinary": at(1), "suspected": at(2)}
        assert dict(map(tuple, rows)) == {
            name: time.isoformat(timespec="microseconds") for name, time in expected.items()
        }
        migrate.upgrade(connection)
    store = SqlStore(SqliteDatabase(database), SystemIds())
    found = await store.transact(
        lambda t: t.lock_due_asks(DEMOBANK, at(9), 9, AskLine.ORDINARY, tempo(Pace(), HEALTHY))
    )
    assert {consent.consent_id for consent in found} == {"steady", "suspected"}  # and these are urgent still:
    found = await store.transact(lambda t: t.lock_due_asks(DEMOBANK, at(9), 9, AskLine.URGENT))
    assert {consent.consent_id for consent in found} == {"urgent", "ordinary"}
    await store.close()


def _save(
    transaction: Transaction,
    consent: TrackedConsent,
    ordinary: datetime | None,
    urgent: datetime | None,
    steady: datetime | None,
) -> None:
    decision = a_decision(Status.AUTHORIZED)
    times = {"next_ask_at": ordinary, "urgent_ask_at": urgent, "steady_ask_at": steady}
    transaction.save(consent, decision, next_tick_at=None, **times)


async def test_the_watch_begins_at_the_end_of_what_there_is(full_database: Path) -> None:
    with one_transaction(full_database) as connection:
        migrate.downgrade(connection, "0005")
        migrate.upgrade(connection, "0007")
        read = connection.exec_driver_sql("SELECT name, sequence FROM journal_reading").all()
    assert read == [("health", 1)]
