"""The service's own role on PostgreSQL: it does all that a service does, and can change nothing that was written down."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from tests.contract.facts import START, a_consent, a_decision, append, draft_about, save
from tests.postgres import MAKE_SERVICE_ROLE, SERVICE_ROLE, PostgresServer, as_service, query
from tracker.adapters.clock import SystemIds
from tracker.adapters.store import grants, immutable, migrate
from tracker.adapters.store.partitions import ENTRIES_IN_ONE
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.app.database import grant_to_service, journal_standing, require_schema, service_role, upgrade_database
from tracker.app.journal_checks import journal_finding
from tracker.domain.errors import ConfigurationError
from tracker.settings import Settings, load_settings

REFUSED = {
    "DELETE FROM entry": "permission denied for table entry",
    "UPDATE entry SET leaf = leaf": "permission denied for table entry",
    "UPDATE entry SET leaf_hash = leaf": "permission denied for table entry",
    "UPDATE entry SET sequence = sequence": "permission denied for table entry",
    "UPDATE entry SET private = NULL, tracking_id = 'x'": "permission denied for table entry",
    "TRUNCATE entry": "permission denied for table entry",
    "DROP TABLE entry": "must be owner of table entry",
    "ALTER TABLE entry DISABLE TRIGGER ALL": "must be owner of table entry",
    f"ALTER TABLE entry DETACH PARTITION entry_before_{ENTRIES_IN_ONE}": "must be owner of table entry",
    f"DELETE FROM entry_before_{ENTRIES_IN_ONE}": "permission denied for table entry_before",
    f"TRUNCATE entry_before_{ENTRIES_IN_ONE}": "permission denied for table entry_before",
    "DROP TRIGGER immutable_delete ON entry": "must be owner of relation entry",
    "CREATE TABLE mine (a int)": "permission denied for schema public",
    "UPDATE journal SET next_sequence = 1": "journal is written once",
    "UPDATE journal SET journal_id = 'x'": "permission denied for table journal",
    "DELETE FROM journal": "permission denied for table journal",
    "INSERT INTO journal VALUES (2, 'x', 1)": "permission denied for table journal",
    "TRUNCATE tile": "permission denied for table tile",
    "DELETE FROM tile": "permission denied for table tile",
    "DELETE FROM tree": "permission denied for table tree",
    "UPDATE tree SET size = -1": "tree is written once",
    "DELETE FROM checkpoint": "permission denied for table checkpoint",
    "UPDATE checkpoint SET root = root": "permission denied for table checkpoint",
    "UPDATE checkpoint_key SET vkey = vkey": "permission denied for table checkpoint_key",
    "UPDATE access_record SET who = who": "permission denied for table access_record",
    "DELETE FROM access_record": "permission denied for table access_record",
    "UPDATE access_shown SET id = id": "permission denied for table access_shown",
    "INSERT INTO journal_detached VALUES ('x', 2, now())": "permission denied for table journal_detached",
    "UPDATE alembic_version SET version_num = '0001'": "permission denied for table alembic_version",
    "ALTER FUNCTION tracker_refuse() RENAME TO other": "must be owner of function tracker_refuse",
    "CREATE OR REPLACE FUNCTION tracker_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'": (
        "permission denied for schema public|must be owner"
    ),
    "SET session_replication_role = replica": "permission denied to set parameter",
    "SELECT tracker_add_partition('consent', 'consent_before_1', '0', '1')": "no partition of that name is made",
    "SELECT tracker_add_partition('entry', 'entry', '0', '1')": "no partition of that name is made",
    "SELECT tracker_drop_partition('entry_rest')": "only days of confirmations and months of looks are dropped",
    "SELECT tracker_drop_partition('confirmation_before_20260101; DROP TABLE entry')": "only days",
}


@pytest.fixture
def url(another_postgres: Callable[[], str]) -> str:
    """The owner's URL of a database with three entries, written by the service."""
    made = another_postgres()
    asyncio.run(_fill(as_service(made)))
    return made


async def _fill(url: str, name: str = "consent-1") -> None:
    store = SqlStore(PostgresDatabase(url), SystemIds())
    consent = a_consent(name)
    await save(store, consent, decision=a_decision())
    await append(store, *(draft_about(consent) for _ in range(3)))
    if name == "consent-1":
        await store.extend_tree(9)
    await store.close()


def execute(url: str, statement: str) -> None:
    asyncio.run(in_one_transaction(url, lambda connection: connection.exec_driver_sql(statement)))


@pytest.mark.parametrize("statement", REFUSED)
def test_the_service_cannot_change_what_was_written(url: str, statement: str) -> None:
    with pytest.raises(ConfigurationError, match=REFUSED[statement]):
        execute(as_service(url), statement)


def test_the_service_destroys_private_values(url: str) -> None:
    execute(as_service(url), "UPDATE entry SET private = NULL, private_salt = NULL WHERE sequence = 2")


@pytest.mark.parametrize("has_rest", [False, True])
async def test_the_service_makes_partitions_and_forgets_days(url: str, *, has_rest: bool) -> None:
    near = ENTRIES_IN_ONE + (5 if has_rest else -5)
    query(url, f"UPDATE journal SET next_sequence = {near}")
    await _fill(as_service(url), "consent-2")
    store = SqlStore(PostgresDatabase(as_service(url)), SystemIds())
    for days in (0, 3, 500, 900):
        await store.trim(START + timedelta(days=days))
    await store.close()
    assert await in_one_transaction(as_service(url), immutable.unguarded) == []
    names = {row[0] for row in query(url, "SELECT relid::regclass::text FROM pg_partition_tree('entry')")}
    assert f"entry_before_{2 * ENTRIES_IN_ONE}" in names
    await _fill(as_service(url), "consent-3")


async def test_what_the_role_could_do_is_told(url: str) -> None:
    told = await in_one_transaction(as_service(url), grants.standing)
    assert told == grants.Standing(SERVICE_ROLE, ())
    owner = await in_one_transaction(url, grants.standing)
    assert owner is not None
    assert owner.reasons
    for right, words in (
        ("UPDATE (leaf, leaf_hash)", "it may UPDATE entry (leaf, leaf_hash)"),
        ("DELETE", "it may DELETE entry"),
        ("TRUNCATE", "it may TRUNCATE entry"),
    ):
        query(url, f"GRANT {right} ON entry TO {SERVICE_ROLE}")
        told = await in_one_transaction(as_service(url), grants.standing)
        assert told is not None
        assert words in told.reasons
    await in_one_transaction(url, lambda connection: grants.grant(connection, SERVICE_ROLE))
    assert await in_one_transaction(as_service(url), grants.standing) == grants.Standing(SERVICE_ROLE, ())


async def test_who_is_a_member_of_the_owners_role_owns(url: str, postgres: PostgresServer) -> None:
    owner, member = "tracker_tests_owner", "tracker_tests_member"
    for statement in (f"CREATE ROLE {owner}", f"CREATE ROLE {member} LOGIN PASSWORD 'tests' IN ROLE {owner}"):
        postgres.execute(statement)
    try:
        query(url, f"ALTER TABLE tile OWNER TO {owner}")
        theirs = make_url(url).set(username=member, password="tests").render_as_string(hide_password=False)
        told = await in_one_transaction(theirs, grants.standing)
        assert told == grants.Standing(member, ("it owns tile",))
    finally:
        query(url, "ALTER TABLE tile OWNER TO CURRENT_USER")
        for role in (member, owner):
            postgres.execute(f"DROP ROLE {role}")


# ------------------------------------------------------------------------------------------ by the configuration


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[str]:
    postgres.execute(MAKE_SERVICE_ROLE)
    made = postgres.create()
    yield made
    postgres.drop(made)


def settings_of(folder: Path, url: str, migration_url: str | None = None) -> Settings:
    more = {} if migration_url is None else {"TRACKER_DATABASE__MIGRATION_URL": migration_url}
    return load_settings({"TRACKER_DATABASE__URL": url} | more, folder)


def test_an_upgrade_by_the_owner_leaves_the_service_what_it_needs(empty: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, as_service(empty), empty)
    assert service_role(settings) == SERVICE_ROLE
    assert upgrade_database(settings, "0016") == "0016"
    assert upgrade_database(settings, "head") == migrate.newest()
    require_schema(settings)
    assert journal_standing(settings) == (grants.Standing(SERVICE_ROLE, ()), [])
    finding = journal_finding(settings)
    assert (finding.ok, finding.warns) == (True, False)
    asyncio.run(_fill(as_service(empty)))


def test_check_warns_of_a_service_that_owns_its_tables(url: str, tmp_path: Path) -> None:
    finding = journal_finding(settings_of(tmp_path, url))
    assert (finding.ok, finding.warns) == (True, True)
    assert "could change entries" in finding.text
    query(url, "ALTER TABLE entry DISABLE TRIGGER immutable_delete")
    finding = journal_finding(settings_of(tmp_path, url))
    assert not finding.ok
    assert finding.text.startswith("entry, entry_before_")


def test_the_owner_is_given_no_less_and_who_is_not_there_nothing(url: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, url)
    owner = make_url(url).username
    with pytest.raises(ConfigurationError, match="owns the tables"):
        grant_to_service(settings, str(owner))
    with pytest.raises(ConfigurationError, match="There is no role 'nobody_of_ours'"):
        grant_to_service(settings, "nobody_of_ours")


async def test_statements_are_those_that_are_run_and_can_be_run_again(url: str) -> None:
    def run(connection: Connection) -> None:
        for statement in grants.statements(SERVICE_ROLE) * 2:
            connection.execute(text(statement))

    await in_one_transaction(url, run)
    assert await in_one_transaction(as_service(url), grants.standing) == grants.Standing(SERVICE_ROLE, ())


def test_names_of_roles_are_quoted() -> None:
    assert 'TO "a;b"' in grants.statements("a;b")[-1]
