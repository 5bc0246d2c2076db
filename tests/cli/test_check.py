"""`tracker check`: a line for each thing, what to do next, and an exit status that says how bad it is."""

import json
import os
import re
import socket
import sqlite3
from pathlib import Path

import pytest

from tests import tokens
from tracker.adapters.store.service_lock import ServiceLock

pytestmark = pytest.mark.usefixtures("port")

SUBJECTS = [
    "configuration",
    "database",
    "keys",
    "service",
    "clock",
    "journal",
    "secrets",
    "checkpoints",
    "at rest",
    "provider demobank",
    "access to demobank",
    "consents of demobank",
    "next",
]


def use(folder, issuer):
    file = folder / "tracker.toml"
    file.write_text(file.read_text().replace(tokens.ISSUER, issuer))


def findings(done):
    """Mark and text of each line, by subject."""
    assert done.err == "", done
    whole = r"configuration|database|keys|service|clock|journal|secrets|at rest|checkpoints|tracing|providers"
    subjects = rf"{whole}|provider \w+|access to \w+|consents of \w+"
    lines = [
        re.fullmatch(rf"(ok  |warn|FAIL|next)  (?:({subjects})\s+)?(.*)", line.rstrip())
        for line in done.out.splitlines()
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
    assert list(found) == SUBJECTS
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
    assert found["next"][1] == f"tell the simulated hub who we are: `tracker sandbox register --hub {hub}`"


def test_it_says_what_to_do_next(run, folder, port, hub, key_folder):
    from tests.cli.histories import hear, tell
    from tests.usecases.bench import data, event

    async def begun(bench):
        await bench.register()

    async def heard(bench):
        await hear(bench, "Authorized", "2026-03-02T10:15:00+04:00")

    async def forged(bench):
        await bench.deliver(event(data(), key="stranger"))

    def next_step():
        return findings(run("check"))["next"][1]

    use(folder, hub)
    run("sandbox", "register", "--hub", hub)
    assert next_step() == "start it, in a terminal of its own: `tracker serve`"
    run("db", "upgrade")
    assert findings(run("check"))["service"] == ("ok", f"it does not run; 127.0.0.1:{port} is free")
    assert next_step() == "start it, in a terminal of its own: `tracker serve`"
    with ServiceLock(folder / "tracker.db"), socket.create_server(("127.0.0.1", port)):
        assert findings(run("check"))["service"] == ("ok", f"it runs, and listens at 127.0.0.1:{port}")
        assert "tracker keys add-api-key" in next_step()
        run("keys", "add-api-key", "--name", "crm")
        here = f"http://127.0.0.1:{port}"
        assert next_step() == f"register a consent before it is staged: POST {here}/v1/consents; {here}/docs shows how"
        tell(folder / "tracker.db", key_folder, begun)
        assert "no event has come yet" in next_step()
        assert f" {here}/webhooks/uae-v2.1, " in next_step()
        tell(folder / "tracker.db", key_folder, forged)
        assert next_step() == "events have come and were put aside: `tracker quarantine list` says why"
        tell(folder / "tracker.db", key_folder, heard)
        assert next_step() == "nothing; `tracker consents list` shows what is tracked"


def test_a_port_that_is_taken_would_stop_the_service(run, joined, port):
    with socket.create_server(("127.0.0.1", port)):
        done = run("check")
    assert done.status == 2
    assert findings(done)["service"] == (
        "FAIL",
        f"Nothing can listen on 127.0.0.1:{port} (Address already in use); stop what has it, or change the port in [http].",
    )
    assert "then `tracker check` again" in findings(done)["next"][1]


def test_without_a_configuration_it_says_where_to_begin(run, bare):
    done = run("check")
    assert done.status == 1
    line, step = done.lines
    assert line == f"FAIL  configuration         there is no {bare}/tracker.toml, and TRACKER_CONFIG names no other"
    assert step.startswith("next  write tracker.toml, or go to the folder that has it; README.md has a configuration")


def test_every_key_file_that_cannot_be_used_is_told_at_once(run, filled):
    (filled / "keys" / "signing.jwks.json").chmod(0o644)
    (filled / "keys" / "encryption.jwks.json").write_text("-----BEGIN PRIVATE KEY-----")
    (filled / "keys" / "checkpoint.jwk.json").write_text("{}")
    done = run("check")
    told = re.findall(r"^FAIL  keys +(.*)$", done.out, re.MULTILINE)
    assert done.status == 2
    assert [re.search(r"chmod 600|--from|Ed25519", text)[0] for text in told] == ["chmod 600", "--from", "Ed25519"]
    assert done.lines[-1].startswith("next  put the key files right")


@pytest.mark.parametrize(
    ("line", "mark", "words"),
    [
        ('resource_url = "HUB/open-finance"', "warn", "there seems to be nothing at HUB/open-finance/open-finance/"),
        ('resource_url = "HUB"\napi_version = "v9.9"', "warn", "there seems to be nothing at HUB/open-finance/account"),
        ('resource_url = "http://127.0.0.1:FREE"', "FAIL", "Connection refused. Check its resource_url ("),
    ],
)
def test_an_address_without_consents_is_told(run, joined, hub, unused_tcp_port, line, mark, words):
    """A wrong one was taken for well: its 404 is also what a consent gets that was not staged."""
    file = joined / "tracker.toml"
    written = line.replace("HUB", hub).replace("FREE", str(unused_tcp_port))
    file.write_text(file.read_text().replace(f'resource_url = "{hub}"', written))
    done = run("check")
    found = findings(done)
    assert done.status == (1 if mark == "FAIL" else 0)
    assert found["consents of demobank"][0] == mark
    assert words.replace("HUB", hub) in found["consents of demobank"][1]
    assert found["next"][1] == "look at resource_url and api_version of demobank, then `tracker check` again"


def test_an_issuer_that_is_written_otherwise_is_told_as_it_names_itself(run, filled, hub):
    use(filled, hub.replace("127.0.0.1", "localhost"))
    found = findings(run("check"))
    assert f"does not name this issuer, to the letter, but {hub}. Its issuer" in found["provider demobank"][1]
    assert found["next"][1] == "correct the issuer of demobank, then `tracker check` again"


def test_json_says_the_same(run, joined):
    done = run("check", "--json")
    answer = json.loads(done.out)
    assert (done.status, done.err, answer["ok"]) == (0, "", True)
    assert [one["subject"] for one in answer["findings"]] == SUBJECTS
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
    assert f"Connection refused. Check its issuer (http://127.0.0.1:{unused_tcp_port}), certificates and" in text
    start = f"start the simulated hub, in a terminal of its own: `tracker sandbox hub --port {unused_tcp_port}`"
    assert findings(done)["next"][1] == start


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
    assert [one for one in found if one != "service"][-2:] == [subject, "next"]  # what stands on it is not tried


def test_a_missing_folder_of_the_database_is_not_taken_for_an_empty_database(run, filled):
    with (filled / "tracker.toml").open("a") as file:
        file.write('[database]\nurl = "sqlite:///away/tracker.db"\n')
    done = run("check")
    assert (done.status, findings(done)["database"][0]) == (2, "FAIL")


@pytest.mark.parametrize(("place", "what"), [(".", "folder of the database"), ("tracker.db", "database")])
def test_a_database_that_cannot_be_written_is_not_taken_for_well(run, filled, monkeypatch, place, what):
    """It can be read, so that the check was content, and the service did not start."""
    refused = Path(place)
    monkeypatch.setattr("os.access", lambda path, mode: (path, mode) != (refused, os.W_OK))
    done = run("check")
    text = f"The {what} {refused.absolute()} cannot be written to; make the user that runs the tracker its owner."
    assert (done.status, findings(done)["database"]) == (2, ("FAIL", text))


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
