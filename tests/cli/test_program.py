"""What holds for every command: its help, its exit status, and that what goes wrong is told in one sentence."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import typer.main

from tests.cli.conftest import PROGRAM
from tracker.cli import running
from tracker.cli.main import app

READ_COMMANDS = {
    ("check",),
    ("db", "current"),
    ("consents", "list"),
    ("consents", "show"),
    ("consents", "group"),
    ("consents", "timeline"),
    ("consents", "refresh"),
    ("consents", "revoke"),
    ("consents", "pause"),
    ("consents", "resume"),
    ("subscriptions", "list"),
    ("subscriptions", "failures"),
    ("subscriptions", "jobs"),
    ("subscriptions", "preview"),
    ("subscriptions", "replay"),
    ("subscriptions", "completions"),
    ("quarantine", "list"),
    ("quarantine", "show"),
    ("payments", "list"),
    ("payments", "show"),
    ("providers", "list"),
    ("providers", "show"),
    ("journal", "verify"),
    ("consents", "was-usable"),
    ("audit", "access"),
    ("evidence", "verify"),
    ("keys", "list"),
    ("keys", "in-use"),
    ("privacy", "erase"),
    ("privacy", "erasures"),
    ("privacy", "hold"),
    ("privacy", "holds"),
}


def walk(command, path=()):
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from walk(sub, (*path, name))


TREE = dict(walk(typer.main.get_command(app)))


def test_the_tree_has_the_commands_of_this_step():
    leaves = {path for path, command in TREE.items() if not getattr(command, "commands", {})}
    assert leaves == READ_COMMANDS | {
        ("demo",),
        ("serve",),
        ("db", "upgrade"),
        ("db", "downgrade"),
        ("db", "after-restore"),
        ("db", "grants"),
        ("consents", "import"),
        ("subscriptions", "add"),
        ("subscriptions", "challenge"),
        ("subscriptions", "delete"),
        ("subscriptions", "cancel"),
        ("subscriptions", "pause"),
        ("subscriptions", "resume"),
        ("subscriptions", "rotate-secret"),
        ("subscriptions", "test"),
        ("quarantine", "retry"),
        ("journal", "export"),
        ("journal", "checkpoint"),
        ("evidence", "pack"),
        ("evidence", "show"),
        ("evidence", "schema"),
        ("keys", "add-api-key"),
        ("keys", "revoke"),
        ("keys", "make", "signing"),
        ("keys", "make", "encryption"),
        ("keys", "make", "checkpoint"),
        ("keys", "make", "notifications"),
        ("keys", "make", "secrets"),
        ("keys", "seal"),
        ("keys", "public"),
        ("sandbox", "hub"),
        ("sandbox", "register"),
        ("privacy", "export"),
        ("privacy", "release"),
        ("db", "detach-journal"),
    }


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_help_shows_an_example_of_the_command(run, path):
    done = run(*path, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"Example: {'TRACKER_CONFIG=/etc/tracker.toml ' if path == ('serve',) else ''}tracker {' '.join(path)}" in (
        " ".join(done.out.split())
    )


@pytest.mark.parametrize("path", sorted(READ_COMMANDS), ids=" ".join)
def test_every_read_command_has_json(run, path):
    assert "--json" in run(*path, "--help").out


def test_help_imports_no_heavy_library():
    code = (
        "import sys; sys.argv = ['tracker', 'consents', 'list', '--help']\n"
        "from tracker.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'aiohttp', 'sqlalchemy', 'alembic', 'jwcrypto', 'cryptography', 'apscheduler', 'rich.progress'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


# ---------------------------------------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("consents", "list", "--foo"), "No such option: --foo; see `tracker consents list --help`."),
        (("consents", "lst"), "No such command 'lst'"),
        (("consents", "show"), "Missing argument"),
        (("consents", "list", "--limit", "0"), "--limit"),
        (("consents", "list", "--limit", "many"), "--limit"),
        (("consents", "list", "--status", "Foo"), "There is no status 'Foo'; there are NotStaged, "),
        (("consents", "list", "--effective-status", "Foo"), "There is no status 'Foo'; there are NotStaged, "),
        (("consents", "list", "--holder-status", "Foo"), "There is no status 'Foo'; there are NotStaged, "),
        (
            ("consents", "list", "--status", "Expired", "--effective-status", "Revoked"),
            "--status is short for --effective-status: give one of them.",
        ),
        (
            ("consents", "list", "--expiring-before", "2026-03-02"),
            "--expiring-before '2026-03-02' is no time with an offset; write 2026-03-02T10:15:00Z, or ",
        ),
        (
            ("consents", "list", "--updated-since", "2026-02-30T10:15:00Z"),
            "--updated-since '2026-02-30T10:15:00Z' is no",
        ),
        (("consents", "list", "--updated-since", "a\x1b[2J"), "is no time with an offset"),
        (("consents", "list", "--provider", "Demo Bank"), "No consent can have this --provider; correct it."),
        (("consents", "list", "--user-ref", "a\x1b[2J"), "No consent can have this --user-ref; correct it."),
        (("consents", "list", "--cursor", "AAAA"), "This --cursor is not of this list"),
        (("consents", "show", "demobank"), "Name a consent as PROVIDER/CONSENT_ID, not 'demobank'."),
        (("consents", "show", "/x"), "Name a consent as PROVIDER/CONSENT_ID, not '/x'."),
        (("consents", "show", "demobank/"), "Name a consent as PROVIDER/CONSENT_ID, not 'demobank/'."),
        (("serve", "--roles", "worker"), "On SQLite one process has all roles: leave --roles out."),
        (("serve", "--roles", "cook"), "--roles takes receiver, api, worker, separated by commas."),
        (("sandbox", "hub", "--port", "65536"), "--port"),
        (("\x1b[2J",), "No such command"),
    ],
    ids=lambda value: " ".join(value).replace("\x1b", "ESC") if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_one_sentence_and_exit_status_2(run, filled, arguments, sentence):
    done = run(*arguments)
    assert done.status == 2
    assert sentence in done.says
    assert "\x1b" not in done.err


GROUPS = [path for path, command in TREE.items() if getattr(command, "commands", {}) and path != ("providers",)]


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_a_group_alone_shows_its_help(run, path):
    done = run(*path)
    assert done.status == 2
    assert "Usage: tracker" in done.out + done.err
    assert done.err.count("tracker:") == 0


# ---------------------------------------------------------------------------------------------- bad configuration


def _set(folder, old, new):
    file = folder / "tracker.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def _open_key(folder):
    (folder / "keys" / "signing.jwks.json").chmod(0o644)


def _no_database(folder):
    (folder / "tracker.db").unlink()


TROUBLES = {
    "a typo": (lambda f: _set(f, "[audit]", "[adit]"), "tracker.toml: adit is not a setting; perhaps audit was meant"),
    "no TOML": (lambda f: (f / "tracker.toml").write_text("[["), "tracker.toml is not valid TOML"),
    "no text": (lambda f: (f / "tracker.toml").write_bytes(b"\xff"), "tracker.toml is not valid TOML in UTF-8."),
    "a folder": (
        lambda f: ((f / "tracker.toml").unlink(), (f / "tracker.toml").mkdir()),
        "tracker.toml cannot be read",
    ),
    "http issuer": (lambda f: _set(f, "https://", "http://"), "should begin with https://"),
    "no key file": (lambda f: (f / "keys" / "signing.jwks.json").unlink(), "signing_jwks names no file"),
    "a key file that is a folder": (lambda f: _set(f, "keys/signing.jwks.json", "keys"), "signing_jwks names no file"),
    "a key file open to all": (_open_key, "run `chmod 600 "),
    "no folder of the database": (
        lambda f: _set(f, "[audit]", '[database]\nurl = "sqlite:///away/tracker.db"\n[audit]'),
        "The folder of the database away/tracker.db is not there; make it, or change [database] url.",
    ),
    "no database": (_no_database, "There is no database tracker.db: correct [database] url or the working directory"),
    "a database that is a folder": (
        lambda f: (_no_database(f), (f / "tracker.db").mkdir()),
        "The database tracker.db is a folder; name a file in [database] url.",
    ),
    "no SQLite": (lambda f: (f / "tracker.db").write_bytes(b"x" * 9000), "The database tracker.db cannot be used"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_bad_configuration_is_one_sentence_and_exit_status_2(run, filled, name):
    spoil, sentence = TROUBLES[name]
    spoil(filled)
    before = sorted(path.name for path in filled.iterdir())
    done = run("consents", "list")
    assert done.status == 2
    assert sentence in done.says
    assert sorted(path.name for path in filled.iterdir()) == before


def test_a_named_configuration_must_exist(run, filled, monkeypatch):
    monkeypatch.setenv("TRACKER_CONFIG", str(filled / "other.toml"))
    done = run("consents", "list")
    assert (done.status, "other.toml, which does not exist; correct it." in done.says) == (2, True)


def test_a_variable_that_is_no_setting_is_refused(run, filled, monkeypatch):
    monkeypatch.setenv("TRACKER_HTTP__PROT", "1")
    done = run("consents", "list")
    assert (done.status, done.says) == (
        2,
        "TRACKER_HTTP__PROT is not a setting; perhaps TRACKER_HTTP__PORT was meant.",
    )


def test_unforeseen_errors_are_told_in_a_sentence_too(run, filled, monkeypatch):
    def stumble(*_):
        raise ValueError("x\x1b\n")

    monkeypatch.setattr(running, "load", stumble)
    done = run("consents", "list")
    assert done.status == 2
    assert "python -X dev -m tracker" in done.says
    assert "\x1b" not in done.err


# ---------------------------------------------------------------------------------------------- processes


def test_the_real_program_prints_no_traceback_and_exits_with_2(filled):
    _set(filled, "[audit]", "[adit]")
    done = subprocess.run((*PROGRAM, "consents", "list"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tracker: tracker.toml: adit is not a setting; perhaps audit was meant.\n"


@pytest.mark.parametrize("arguments", [("consents", "list"), ("consents", "list", "--json"), ("keys", "public")])
def test_a_reader_that_went_away_is_no_error_worth_a_word(filled, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run((*PROGRAM, *arguments), stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_terminal_that_lacks_letters_gets_something_all_the_same(filled):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    for arguments in (("keys", "add-api-key", "--name", "\u0645\u0631"), ("keys", "list")):
        done = subprocess.run((*PROGRAM, *arguments), capture_output=True, text=True, check=False, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
    assert "\\u0645\\u0631" in done.stdout


def test_ctrl_c_is_told_in_a_sentence(filled):
    # The database is held by somebody else, so that the command is still at work when it is interrupted.
    import sqlite3

    holder = sqlite3.connect(filled / "tracker.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    process = subprocess.Popen(
        (*PROGRAM, "keys", "add-api-key", "--name", "x"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whatever runs in the background of a script has been told to ignore it, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread of ours holds a lock
    )
    try:
        _until_it_waits(process, filled / "tracker.db")
        before = _switches(process)
        process.send_signal(signal.SIGINT)
        _until(
            lambda: _switches(process) > before
        )  # it has woken up, seen the signal, and waits for the database again
        holder.execute("ROLLBACK")
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        holder.close()
    assert (process.returncode, out) == (130, "")
    assert err == "tracker: interrupted.\n"


def _until_it_waits(process: "subprocess.Popen[str]", database: Path) -> None:
    """Wait until the process has the database open."""

    def is_open() -> bool:
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(OSError):  # it is closed by now
                if link.readlink() == database.resolve():
                    return True
        return False

    _until(is_open)


def _switches(process: "subprocess.Popen[str]") -> int:
    """How often its main thread has gone to sleep, when it sleeps; -1 while it is awake."""
    status = Path(f"/proc/{process.pid}/task/{process.pid}/status").read_text()
    sleeps = re.search(r"^State:\s+S", status, re.MULTILINE)
    switches = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)
    assert switches is not None
    return int(switches[1]) if sleeps else -1


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)
