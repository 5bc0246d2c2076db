"""`tracker check`: a line for each thing, what to do next, and an exit status that says how bad it is."""

import json
import re
import sqlite3

import pytest

from tests import tokens


def use(folder, issuer):
    file = folder / "tracker.toml"
    file.write_text(file.read_text().replace(tokens.ISSUER, issuer))


def findings(done):
    """Mark and text of each line, by subject."""
    assert done.err == "", done
    subjects = r"configuration|database|keys|clock|tracing|providers|provider \w+|access to \w+"
    lines = [
        re.fullmatch(rf"(ok  |FAIL|next)  (?:({subjects})\s+)?(.*)", line.rstrip()) for line in done.out.splitlines()
    ]
    assert all(lines), done.out
    return {line[2] or "next": (line[1].strip(), line[3]) for line in lines if line}


@pytest.fixture
def joined(filled, hub, run):
    """A database, and a hub that knows us."""
    use(filled, hub)
    assert run("sandbox", "register", "--hub", hub).status == 0
    return filled


def test_all_is_well(run, joined, hub):
    done = run("check")
    found = findings(done)
    assert done.status == 0
    assert list(found) == [
        "configuration",
        "database",
        "keys",
        "clock",
        "provider demobank",
        "access to demobank",
        "next",
    ]
    assert {mark for mark, _ in found.values()} == {"ok", "next"}
    assert found["access to demobank"][1] == "tokens are given for account-access, payment, insurance"
    assert found["provider demobank"][1] == f"discovery and 1 signing key(s) found at {hub}"


def test_a_hub_that_does_not_know_us_is_a_no(run, filled, hub):
    use(filled, hub)
    file = filled / "tracker.toml"
    file.write_text(file.read_text().replace(tokens.CLIENT_ID, "another-client"))
    done = run("check")
    found = findings(done)
    assert (done.status, found["access to demobank"][0]) == (1, "FAIL")
    assert "Are client another-client and the keys of `tracker keys public` registered there?" in done.out
    assert "next" not in found


def test_it_says_what_to_do_next(run, folder, hub, key_folder):
    from tests.cli.histories import tell

    async def begun(bench):
        await bench.register()

    use(folder, hub)
    run("sandbox", "register", "--hub", hub)
    assert findings(run("check"))["next"][1] == "start it: `tracker serve`"
    run("db", "upgrade")
    assert "tracker keys add-api-key" in findings(run("check"))["next"][1]
    run("keys", "add-api-key", "--name", "crm")
    assert "POST /v1/consents" in findings(run("check"))["next"][1]
    tell(folder / "tracker.db", key_folder, begun)
    assert "tracker consents list" in findings(run("check"))["next"][1]


def test_json_says_the_same(run, joined):
    done = run("check", "--json")
    answer = json.loads(done.out)
    assert (done.status, done.err, answer["ok"]) == (0, "", True)
    assert [one["subject"] for one in answer["findings"]] == [
        "configuration",
        "database",
        "keys",
        "clock",
        "provider demobank",
        "access to demobank",
        "next",
    ]
    (joined / "keys" / "signing.jwks.json").chmod(0o644)
    done = run("check", "--json")
    assert (done.status, json.loads(done.out)["ok"]) == (2, False)


def test_no_database_yet_is_well_and_none_is_made(run, folder, hub):
    use(folder, hub)
    run("sandbox", "register", "--hub", hub)
    done = run("check")
    assert done.status == 0
    assert findings(done)["database"] == ("ok", "tracker.db is empty; `tracker serve` makes it")
    assert "clock" not in findings(done)
    assert not list(folder.glob("tracker.db*"))


def test_a_provider_that_is_away_is_a_no(run, filled, unused_tcp_port):
    use(filled, f"http://127.0.0.1:{unused_tcp_port}")
    done = run("check")
    mark, text = findings(done)["provider demobank"]
    assert (done.status, mark) == (1, "FAIL")
    assert f"Check its issuer (http://127.0.0.1:{unused_tcp_port}), certificates and the network." in text


def test_a_provider_that_is_another_is_a_no(run, filled, hub):
    use(filled, f"{hub}/elsewhere")
    done = run("check")
    assert (done.status, findings(done)["provider demobank"][0]) == (1, "FAIL")


def test_no_providers_are_a_no(run, filled):
    (filled / "tracker.toml").write_text("")
    done = run("check")
    assert done.status == 1
    assert findings(done)["providers"] == (
        "FAIL",
        "there are none; add [[client]] and [[provider]] tables to the configuration",
    )


def test_a_clock_behind_the_journal_is_a_no(run, filled, hub, key_folder):
    from tests.cli.histories import at, tell

    async def tomorrow(bench):
        at(bench, "2099-01-01T00:00:00+00:00")
        await bench.register()

    use(filled, hub)
    tell(filled / "tracker.db", key_folder, tomorrow)
    done = run("check")
    mark, text = findings(done)["clock"]
    assert (done.status, mark) == (1, "FAIL")
    assert "behind the journal's last entry; set it right" in text


def _execute(folder, sql):
    with sqlite3.connect(folder / "tracker.db") as connection:
        connection.execute(sql)
    connection.close()


def _make_a_folder(folder):
    (folder / "tracker.db").unlink()
    (folder / "tracker.db").mkdir()


STOPPING = {
    "configuration": (lambda f: (f / "tracker.toml").write_text("[adit]"), "configuration", "perhaps audit was meant"),
    "no SQLite": (lambda f: (f / "tracker.db").write_bytes(b"x" * 9000), "database", "cannot be used"),
    "a folder": (_make_a_folder, "database", "is a folder; name a file"),
    "another's": (lambda f: _execute(f, "DROP TABLE alembic_version"), "database", "is another program's"),
    "newer": (lambda f: _execute(f, "UPDATE alembic_version SET version_num = '9'"), "database", "install that one"),
    "open key": (lambda f: (f / "keys" / "signing.jwks.json").chmod(0o644), "keys", "run `chmod 600 "),
    "broken key": (
        lambda f: (f / "keys" / "encryption.jwks.json").write_text("{}"),
        "keys",
        "make one with `tracker keys make encryption`",
    ),
}


@pytest.mark.parametrize("name", STOPPING)
def test_what_would_stop_the_service_exits_with_2(run, filled, name):
    spoil, subject, words = STOPPING[name]
    spoil(filled)
    done = run("check")
    found = findings(done)
    mark, text = found[subject]
    assert (done.status, mark) == (2, "FAIL")
    assert words in text
    assert list(found)[-1] == subject  # what stands on it is not tried


def test_a_missing_folder_of_the_database_is_not_taken_for_an_empty_database(run, filled):
    with (filled / "tracker.toml").open("a") as file:
        file.write('[database]\nurl = "sqlite:///away/tracker.db"\n')
    done = run("check")
    assert (done.status, findings(done)["database"][0]) == (2, "FAIL")


def test_a_schema_behind_names_the_command(run, filled, monkeypatch):
    from tracker.adapters.store import migrate

    monkeypatch.setattr(migrate, "newest", lambda: "0999")
    done = run("check")
    assert done.status == 2
    assert findings(done)["database"][1].endswith("this version works on 0999; run `tracker db upgrade`")


def test_a_warning_about_an_open_key_is_given_and_is_no_failure(filled, hub):
    import subprocess

    from tests.cli.conftest import PROGRAM

    use(filled, hub)
    (filled / "keys" / "signing.jwks.json").chmod(0o644)
    with (filled / "tracker.toml").open("a") as file:
        file.write('[security]\nkey_file_mode = "warn"\n')
    done = subprocess.run((*PROGRAM, "check"), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert re.fullmatch(r"(tracker: The key file .* run `chmod 600 .*`\.\n)+", done.stderr)


def test_tracing_is_told_and_that_it_lacks_its_extra(run, joined, monkeypatch):
    file = joined / "tracker.toml"
    file.write_text(file.read_text() + '\n[tracing]\nendpoint = "http://127.0.0.1:4318/"\n')
    done = run("check")
    text = "spans go to http://127.0.0.1:4318; nothing waits for whether they are taken"
    assert (done.status, findings(done)["tracing"]) == (0, ("ok", text))
    monkeypatch.setattr("tracker.app.tracing.find_spec", lambda _: None)
    done = run("check")
    mark, text = findings(done)["tracing"]
    assert (done.status, mark) == (2, "FAIL")
    assert 'pip install ".[otel]"' in text
