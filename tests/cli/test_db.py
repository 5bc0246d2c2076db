"""`tracker db`: the schema goes up and down, never under a running service, never in somebody else's file."""

import json
import sqlite3

import pytest

from tests.postgres import SERVICE_ROLE, as_service
from tracker.adapters.store import migrate
from tracker.adapters.store.service_lock import ServiceLock

NEWEST = migrate.newest()


def tables(file):
    with sqlite3.connect(file) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return found


def execute(file, sql):
    with sqlite3.connect(file) as connection:
        connection.execute(sql)
    connection.close()


def test_up_and_down_and_up(run, folder):
    assert run("db", "upgrade").lines == [f"tracker.db is at schema {NEWEST}."]
    assert "consent" in tables(folder / "tracker.db")
    assert run("db", "current").lines == [f"tracker.db is at schema {NEWEST}; this version works on {NEWEST}."]
    assert run("db", "downgrade", "base").lines == ["tracker.db is at schema none."]
    assert "consent" not in tables(folder / "tracker.db")
    assert run("db", "upgrade", NEWEST).lines == [f"tracker.db is at schema {NEWEST}."]
    assert run("consents", "list").lines == ["No consents found."]


def test_current_of_nothing_is_a_no_and_makes_nothing(run, folder):
    done = run("db", "current")
    assert (done.status, done.lines) == (1, [f"tracker.db is at schema none; this version works on {NEWEST}."])
    as_json = run("db", "current", "--json")
    assert as_json.status == 1
    assert json.loads(as_json.out) == {"database": "tracker.db", "schema": None, "needed": NEWEST}
    assert not (folder / "tracker.db").exists()


@pytest.mark.parametrize("command", ["upgrade", "downgrade"])
def test_an_unknown_schema_is_refused(run, filled, command):
    done = run("db", command, "nope")
    assert (done.status, done.says) == (2, f"There is no schema 'nope' to go to; this version knows up to {NEWEST}.")


@pytest.mark.parametrize("arguments", [("upgrade",), ("downgrade", "base")])
def test_a_running_service_keeps_its_schema(run, filled, arguments):
    with ServiceLock(filled / "tracker.db"):
        done = run("db", *arguments)
        assert done.status == 2
        assert "Another service runs on tracker.db: stop it" in done.says
    assert run("db", "current").status == 0


def test_a_downgrade_makes_no_database(run, folder):
    done = run("db", "downgrade", "base")
    assert (done.status, done.says) == (2, "There is no database tracker.db; correct [database] url.")
    assert not (folder / "tracker.db").exists()


@pytest.mark.parametrize("arguments", [("upgrade",), ("downgrade", "base"), ("current",)])
def test_a_database_of_another_program_is_left_alone(run, folder, arguments):
    execute(folder / "tracker.db", "CREATE TABLE theirs (a)")
    done = run("db", *arguments)
    assert done.status == 2
    assert done.says == "The database tracker.db is another program's; name one of its own in [database] url."
    assert tables(folder / "tracker.db") == {"theirs"}
    assert run("consents", "list").says == done.says


def test_a_schema_that_is_behind_is_refused_with_the_way_out(run, filled, monkeypatch):
    monkeypatch.setattr(migrate, "newest", lambda: "0999")
    done = run("consents", "list")
    assert done.status == 2
    assert done.says == (
        f"The database is at schema {NEWEST} and this version works on 0999; run `tracker db upgrade`."
    )
    assert run("db", "current").status == 1


def test_a_schema_of_a_newer_version_is_refused_with_the_way_out(run, filled):
    execute(filled / "tracker.db", "UPDATE alembic_version SET version_num = '9999'")
    for arguments in (("consents", "list"), ("db", "upgrade"), ("db", "current")):
        done = run(*arguments)
        assert done.status == 2
        assert "at schema 9999 of a newer version; install that one" in done.says


def test_a_folder_that_is_missing_is_named(run, folder):
    with (folder / "tracker.toml").open("a") as file:
        file.write('[database]\nurl = "sqlite:///away/tracker.db"\n')
    for arguments in (("upgrade",), ("downgrade", "base"), ("current",)):
        done = run("db", *arguments)
        assert done.status == 2
        assert "The folder of the database away/tracker.db is not there; make it" in done.says


def test_grants_are_printed_for_a_role_on_postgresql(run, folder, monkeypatch):
    assert run("db", "grants", "--role", "tracker_service").says.startswith("SQLite knows no roles")
    monkeypatch.setenv("TRACKER_DATABASE__URL", "postgresql://service@host/consents")
    assert "--role" in run("db", "grants").says
    done = run("db", "grants", "--role", "tracker_service")
    assert done.status == 0
    assert all(line.endswith(";") for line in done.lines)
    assert any(
        line.startswith("GRANT SELECT, INSERT, UPDATE (private, private_salt) ON public.entry TO")
        for line in done.lines
    )
    monkeypatch.setenv("TRACKER_DATABASE__MIGRATION_URL", "postgresql://owner@host/consents")
    assert [line for line in run("db", "grants").lines if "service" not in line] == [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;",
    ]


def test_grants_are_applied_by_the_owner(run, folder, monkeypatch, another_postgres):
    url = another_postgres()
    monkeypatch.setenv("TRACKER_DATABASE__URL", as_service(url))
    monkeypatch.setenv("TRACKER_DATABASE__MIGRATION_URL", url)
    done = run("db", "grants", "--apply")
    assert done.status == 0
    assert done.lines[0].startswith(f"{SERVICE_ROLE} has the rights of a service on PostgreSQL ")
    assert run("db", "upgrade").status == 0
    assert run("journal", "verify", "--database", "--allow-unanchored").status == 0
