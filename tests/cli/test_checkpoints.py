"""`tracker journal checkpoint`, and keys that come and go: as an operator and an auditor see it."""

import json

import pytest

from tests.cli.histories import authorized, tell
from tests.damage import unguarded


@pytest.fixture
def told(filled, key_folder):
    tell(filled / "tracker.db", key_folder, authorized)
    return filled


def test_a_checkpoint_is_signed_and_printed_and_the_same_again(run, told):
    done = run("journal", "checkpoint")
    assert (done.status, done.lines[:2]) == (0, ["tracker.example/journal", "2"])
    assert done.lines[4].startswith("— tracker.example/journal ")
    assert run("journal", "checkpoint").out == done.out
    shown = json.loads(run("journal", "checkpoint", "--json").out)
    assert (shown["size"], shown["note"]) == (2, done.out)
    refused = run("journal", "checkpoint", "--timestamp", "token")
    assert (refused.status, "No time-stamping authority" in refused.err) == (1, True)


def test_without_a_key_there_is_none(run, told):
    file = told / "tracker.toml"
    file.write_text(file.read_text().replace("checkpoint_key = ", "# checkpoint_key = "))
    done = run("journal", "checkpoint")
    assert (done.status, "[audit] has no checkpoint_key" in done.err) == (1, True)


def test_an_export_is_verified_by_either_key_while_both_sign(run, told):
    assert run("keys", "make", "checkpoint", "--out", "keys/next.jwk.json").status == 0
    file = told / "tracker.toml"
    line = 'checkpoint_key = "keys/checkpoint.jwk.json"'
    file.write_text(file.read_text().replace(line, line + '\ncheckpoint_key_next = "keys/next.jwk.json"'))
    public = json.loads(run("keys", "public").out)
    assert run("journal", "export", "--out", "export").status == 0
    for key in (public["checkpoint_vkey"], public["checkpoint_vkey_next"]):
        done = run("journal", "verify", "export", "--key", key)
        assert (done.status, "+".join(key.split("+", 2)[:2]) in done.out) == (0, True)


def test_check_says_whether_the_journal_is_what_was_signed(run, told):
    assert "none is signed yet" in run("check").out
    run("journal", "checkpoint")
    assert "the last one is over 2 entries" in run("check").out
    with unguarded(told / "tracker.db") as connection:
        connection.execute("UPDATE checkpoint SET root = zeroblob(32)")
    done = run("check")
    (line,) = [line for line in done.lines if "checkpoints" in line and line.startswith("FAIL")]
    assert (done.status, "were changed" in line) == (1, True)
    refused = run("journal", "export", "--out", "export")
    assert (refused.status, "were changed" in refused.err, (told / "export").exists()) == (1, True, False)


def test_a_time_stamp_needs_both_files_and_must_hold(run, told):
    run("journal", "export", "--out", "export")
    assert run("journal", "verify", "export", "--timestamp", "token").status == 2
    assert run("journal", "verify", "export", "--timestamp", "token", "--timestamp-ca", "ca.pem").status == 2
    (told / "token").write_bytes(b"none")
    (told / "ca.pem").write_bytes(b"none")
    done = run("journal", "verify", "export", "--allow-unanchored", "--timestamp", "token", "--timestamp-ca", "ca.pem")
    assert (done.status, done.lines[-1].split()[:2]) == (1, ["stamped", "no:"])
