"""The same migrations on PostgreSQL, with something in every table; and two who upgrade at once."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from tests.contract.facts import DEMOBANK, START
from tests.migrations import manners
from tests.migrations.chained import BEFORE_0010, PLANNED_AT_0010, planned_for_0010, save_some_for_0010
from tests.migrations.filled import fill
from tests.migrations.paused import BEFORE_0011, add_some_for_0011, after_the_way_down_and_up
from tests.migrations.sent import BEFORE_0013, add_some_for_0013, require_what_is_left
from tests.migrations.test_migrations import REVISIONS
from tests.postgres import PostgresServer, query
from tracker.adapters.clock import SystemIds
from tracker.adapters.store import migrate
from tracker.adapters.store.partitions import partition_names
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import metadata
from tracker.app.database import downgrade_database, require_schema, schema_revisions, upgrade_database
from tracker.domain.errors import ConfigurationError
from tracker.settings import Settings, load_settings


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture
def settings(empty: str, tmp_path: Path) -> Settings:
    return load_settings({"TRACKER_DATABASE__URL": empty}, tmp_path)


def schema(connection: Connection) -> dict[str, Any]:
    """Every table with its columns, keys and indexes."""
    seen, parts = inspect(connection), partition_names(connection)
    return {
        table: (
            {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in seen.get_columns(table)},
            seen.get_pk_constraint(table),
            sorted(map(str, seen.get_indexes(table))),
        )
        for table in seen.get_table_names()
        if table != "alembic_version" and table not in parts
    }


async def test_each_revision_goes_up_and_down_again(empty: str) -> None:
    seen: list[dict[str, Any]] = [{}]
    for revision in REVISIONS:
        await in_one_transaction(empty, lambda connection, to=revision: migrate.upgrade(connection, to))
        seen.append(await in_one_transaction(empty, schema))
    assert set(seen[-1]) == set(metadata.tables)
    for before, expected in zip([*REVISIONS[-2::-1], "base"], seen[-2::-1], strict=True):
        await in_one_transaction(empty, lambda connection, to=before: migrate.downgrade(connection, to))
        assert await in_one_transaction(empty, schema) == expected
    await in_one_transaction(empty, migrate.upgrade)
    assert await in_one_transaction(empty, schema) == seen[-1]


async def test_alembic_finds_no_difference_between_migrations_and_tables(another_postgres: Callable[[], str]) -> None:
    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts=migrate.compared(connection))
        return compare_metadata(context, metadata)

    assert await in_one_transaction(another_postgres(), compare) == []


async def test_a_database_with_something_in_every_table_goes_down_and_up_again(
    another_postgres: Callable[[], str],
) -> None:
    url = another_postgres()
    await fill(PostgresDatabase(url))
    whole = await in_one_transaction(url, schema)
    for table in metadata.tables:
        assert query(url, f"SELECT 1 FROM {table}"), "Fill the new table too."
    for revision in [*REVISIONS[-2::-1], "base"]:
        await in_one_transaction(url, lambda connection, to=revision: migrate.downgrade(connection, to))
    assert await in_one_transaction(url, schema) == {}
    for revision in REVISIONS:
        await in_one_transaction(url, lambda connection, to=revision: migrate.upgrade(connection, to))
    assert await in_one_transaction(url, schema) == whole


async def test_partitions_are_made_of_tables_and_tables_of_partitions_with_all_that_is_in_them(
    another_postgres: Callable[[], str],
) -> None:
    url = another_postgres()
    await fill(PostgresDatabase(url))
    cut = ("entry", "report", "confirmation")

    def content() -> dict[str, list[Any]]:
        return {table: [dict(row) for row in query(url, f"SELECT * FROM {table}")] for table in cut}

    await in_one_transaction(url, lambda connection: migrate.downgrade(connection, "0015"))  # as it was without keys
    before = content()
    for go, revision in ((migrate.downgrade, "0004"), (migrate.upgrade, "0005"), (migrate.downgrade, "0004")):
        await in_one_transaction(url, lambda connection, go=go, to=revision: go(connection, to))
        assert content() == before
    await in_one_transaction(url, migrate.upgrade)
    assert query(url, "SELECT nextval('confirmation_id_seq')")[0][0] == before["confirmation"][0]["id"] + 1
    parts = await in_one_transaction(url, partition_names)
    assert {name.split("_")[0] for name in parts} == {*cut, "access"}
    filled = {name for name in parts if query(url, f"SELECT 1 FROM {name}")}
    assert not [name for name in filled if name.endswith("_rest")]


async def test_what_ended_lately_and_what_is_in_a_chain_is_planned_above_0010(
    another_postgres: Callable[[], str],
) -> None:
    url, now = another_postgres(), datetime.now(UTC)  # the database's clock decides
    store = SqlStore(PostgresDatabase(url), SystemIds())
    await save_some_for_0010(store, now)
    await store.close()
    for _ in range(2):
        await in_one_transaction(url, lambda connection: migrate.downgrade(connection, BEFORE_0010))
        await in_one_transaction(url, migrate.upgrade)
    store = SqlStore(PostgresDatabase(url), SystemIds())
    assert await planned_for_0010(store, now) == PLANNED_AT_0010
    await store.close()


async def test_what_is_paused_is_disabled_below_0011(another_postgres: Callable[[], str]) -> None:
    url = another_postgres()
    store = SqlStore(PostgresDatabase(url), SystemIds())
    paused, told = await add_some_for_0011(store)
    await store.close()
    await in_one_transaction(url, lambda connection: migrate.downgrade(connection, BEFORE_0011))
    await in_one_transaction(url, migrate.upgrade)
    store = SqlStore(PostgresDatabase(url), SystemIds())
    assert await store.subscriptions() == [after_the_way_down_and_up(paused), told]
    await store.close()


async def test_what_has_no_order_is_told_in_order_below_0012_and_nothing_is_lost(
    another_postgres: Callable[[], str],
) -> None:
    url = another_postgres()
    store = SqlStore(PostgresDatabase(url), SystemIds())
    told = await manners.add_some_for_0012(store)
    await store.close()
    await in_one_transaction(url, lambda connection: migrate.downgrade(connection, manners.BEFORE_0012))
    await in_one_transaction(url, migrate.upgrade)
    store = SqlStore(PostgresDatabase(url), SystemIds())
    expected, rows = manners.after_the_way_down_and_up(told)
    assert (await store.subscriptions(), await store.parked(told.id)) == ([expected], rows)
    await store.close()


async def test_who_could_not_be_told_as_they_wish_is_disabled_below_0013(another_postgres: Callable[[], str]) -> None:
    url = another_postgres()
    store = SqlStore(PostgresDatabase(url), SystemIds())
    made = await add_some_for_0013(store)
    await store.close()
    await in_one_transaction(url, lambda connection: migrate.downgrade(connection, BEFORE_0013))
    await in_one_transaction(url, migrate.upgrade)
    store = SqlStore(PostgresDatabase(url), SystemIds())
    await require_what_is_left(store, made)
    await store.close()


async def test_a_revocation_that_was_asked_for_is_taken_up_again_after_a_way_down_and_up(
    another_postgres: Callable[[], str],
) -> None:
    url = another_postgres()
    await fill(PostgresDatabase(url))
    await in_one_transaction(url, lambda connection: migrate.downgrade(connection, "0005"))
    assert [row[0] for row in query(url, "SELECT revoking FROM consent")] == [True]
    await in_one_transaction(url, migrate.upgrade)
    store = SqlStore(PostgresDatabase(url), SystemIds())
    (found,) = await store.transact(lambda t: t.lock_due_revocations(DEMOBANK, START + timedelta(days=1), 9))
    await store.close()
    assert found.overlay.revoking
    assert found.overlay.revocation is not None
    assert found.overlay.revocation.sent_at is not None  # so that the holder is asked first


async def test_an_upgrade_that_fails_leaves_nothing_half_done(empty: str) -> None:
    def fail_halfway(connection: Connection) -> None:
        migrate.upgrade(connection)
        raise LookupError

    with pytest.raises(LookupError):
        await in_one_transaction(empty, fail_halfway)
    assert await in_one_transaction(empty, schema) == {}


# ------------------------------------------------------------------------------------------ by the configuration


def test_the_configured_database_goes_up_and_down(settings: Settings) -> None:
    newest = migrate.newest()
    assert schema_revisions(settings) == (None, newest)
    assert upgrade_database(settings, "head") == newest
    require_schema(settings)
    assert downgrade_database(settings, "base", delete_journal=False) is None
    assert upgrade_database(settings, REVISIONS[0]) == REVISIONS[0]
    with pytest.raises(ConfigurationError, match=f"at schema {REVISIONS[0]}.*tracker db upgrade"):
        require_schema(settings)


def test_a_service_migrates_no_empty_server_by_itself(settings: Settings, empty: str) -> None:
    with pytest.raises(ConfigurationError, match=r"at schema none.*tracker db upgrade"):
        require_schema(settings)
    assert asyncio.run(in_one_transaction(empty, schema)) == {}


def test_two_places_race_to_upgrade_and_both_find_it_done(settings: Settings, empty: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        reached = list(threads.map(lambda _: upgrade_database(settings, "head"), range(4)))
    assert reached == [migrate.newest()] * 4
    assert [row[0] for row in query(empty, "SELECT count(*) FROM journal")] == [1]


def test_no_journal_is_deleted_by_the_way(settings: Settings, empty: str) -> None:
    upgrade_database(settings, "head")
    asyncio.run(fill(PostgresDatabase(empty)))
    with pytest.raises(ConfigurationError, match="--delete-journal"):
        downgrade_database(settings, "base", delete_journal=False)
    assert schema_revisions(settings) == (migrate.newest(), migrate.newest())
    assert downgrade_database(settings, "base", delete_journal=True) is None


def test_a_database_of_another_program_is_left_alone(settings: Settings, empty: str) -> None:
    query(empty, "CREATE TABLE theirs (a int)")
    for deed in (require_schema, schema_revisions, lambda s: upgrade_database(s, "head")):
        with pytest.raises(ConfigurationError, match="another program's"):
            deed(settings)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "postgresql://tracker:hunter2@127.0.0.1:1/consents",
            "PostgreSQL consents at 127.0.0.1 cannot be used: .*refused",
        ),
        ("postgresql://tracker:hunter2@/consents?host=/nowhere", "PostgreSQL consents at /nowhere cannot be used: "),
        ("postgresql://tracker:hunter2@127.0.0.1:1/consents?sslmode=always", "cannot be used: "),
    ],
)
def test_a_database_that_is_not_there_is_told_in_one_sentence_without_the_password(
    url: str, reason: str, tmp_path: Path
) -> None:
    chosen = load_settings({"TRACKER_DATABASE__URL": url}, tmp_path)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        schema_revisions(chosen)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_database_and_a_wrong_user_are_told_in_the_servers_words(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    chosen = load_settings({"TRACKER_DATABASE__URL": postgres.url_of("not_there")}, tmp_path)
    with pytest.raises(ConfigurationError, match='database "not_there" does not exist'):
        schema_revisions(chosen)
