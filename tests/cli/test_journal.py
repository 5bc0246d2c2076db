"""`tracker journal`: what leaves the house can be checked by others, and what was changed is found out."""

import gzip
import json
import os
import shutil
import subprocess

import pytest

from tests.cli.conftest import PROGRAM
from tests.cli.histories import authorized, tell
from tests.damage import unguarded


@pytest.fixture
def told(filled, key_folder):
    tell(filled / "tracker.db", key_folder, authorized)
    return filled


@pytest.fixture
def vkey(run, told):
    return json.loads(run("keys", "public").out)["checkpoint_vkey"]


@pytest.fixture
def exported(run, told):
    done = run("journal", "export", "--out", "export")
    assert (done.status, done.lines) == (0, ["export: 2 entries, signed."])
    return told / "export"


def starts(done):
    """The first word of each of the three answers."""
    labels = ("intact         ", "by whom        ", "holder's word  ")
    assert done.err == ""
    lines = done.out.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(label) for line, label in zip(lines, labels, strict=True))
    return [line[15:].split()[0].rstrip(":,") for line in lines]


def test_an_export_verifies_with_our_key(run, exported, vkey):
    done = run("journal", "verify", exported, "--key", vkey)
    assert (done.status, starts(done)) == (0, ["yes", "tracker.example/journal", "not"])
    answer = json.loads(run("journal", "verify", exported, "--key", vkey, "--json").out)
    assert answer.keys() == {"intact", "by_whom", "holders_word", "accepted"}
    assert (answer["accepted"], answer["intact"]["answer"], answer["by_whom"]["answer"]) == (True, "ok", "ok")


def test_verifying_needs_neither_configuration_nor_database(run, exported, vkey):
    for path in ("tracker.toml", "tracker.db"):
        (exported.parent / path).unlink()
    shutil.rmtree(exported.parent / "keys")
    assert run("journal", "verify", exported, "--key", vkey).status == 0


def test_without_a_key_it_is_unanchored(run, exported):
    done = run("journal", "verify", exported)
    assert (done.status, starts(done)) == (1, ["yes", "unanchored", "not"])
    assert run("journal", "verify", exported, "--json").status == 1
    allowed = run("journal", "verify", exported, "--allow-unanchored")
    assert (allowed.status, allowed.out) == (0, done.out)


def test_another_key_of_the_same_name_is_not_enough(run, exported, vkey):
    assert run("keys", "make", "checkpoint", "--out", "other.json").status == 0
    file = exported.parent / "tracker.toml"
    file.write_text(file.read_text().replace("keys/checkpoint.jwk.json", "other.json"))
    other = json.loads(run("keys", "public").out)["checkpoint_vkey"]
    assert run("journal", "verify", exported, "--key", other).status == 1
    assert run("journal", "verify", exported, "--key", other, "--key", vkey).status == 0


def _change_an_entry(folder):
    file = folder / "entries.jsonl.gz"
    text = gzip.decompress(file.read_bytes())
    assert b'"to":"Authorized"' in text
    file.write_bytes(gzip.compress(text.replace(b'"to":"Authorized"', b'"to":"Revoked"'), mtime=0))


def _put_a_folder_in_place_of_the_manifest(folder):
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        _change_an_entry,
        _put_a_folder_in_place_of_the_manifest,
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text('{"\x1b[2J": 1}'),
        lambda folder: (folder / "entries.jsonl.gz").write_bytes(b""),
    ],
    ids=["changed entry", "manifest a folder", "no manifest", "hostile manifest", "no entries"],
)
def test_a_changed_folder_is_found_out(run, exported, vkey, spoil):
    spoil(exported)
    done = run("journal", "verify", exported, "--key", vkey, "--allow-unanchored")
    assert (done.status, starts(done)) == (1, ["no", "unknown", "unknown"])
    assert "\x1b" not in done.out


@pytest.mark.parametrize("key", ["nonsense", "a+b+c", "\x1b[2J"])
def test_a_key_that_is_none_is_wrong_usage(run, exported, key):
    done = run("journal", "verify", exported, "--key", key)
    assert done.status == 2
    assert done.says.startswith("One --key is no VKEY: ")


def test_a_folder_that_is_none_is_wrong_usage(run, told):
    for name in ("nowhere", "tracker.toml"):
        done = run("journal", "verify", name)
        assert (done.status, done.says) == (
            2,
            f"{name} is no folder; name the one that `tracker journal export` made.",
        )


def test_an_export_is_never_added_to(run, exported):
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    done = run("journal", "export", "--out", exported)
    assert done.status == 2
    assert done.says.endswith("is not empty: name a new folder, an export never adds to one.")
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before


def test_an_export_onto_a_file_is_refused(run, told):
    done = run("journal", "export", "--out", "tracker.toml")
    assert done.status == 2
    assert "tracker.toml cannot be written" in done.says


def test_an_empty_journal_can_be_exported_and_verified(run, filled):
    assert run("journal", "export", "--out", "export").lines == ["export: 0 entries, signed."]
    vkey = json.loads(run("keys", "public").out)["checkpoint_vkey"]
    assert run("journal", "verify", "export", "--key", vkey).status == 0


def test_without_a_checkpoint_key_the_export_says_that_it_is_not_signed(run, told):
    file = told / "tracker.toml"
    file.write_text(file.read_text().partition("[audit]")[0])
    assert run("journal", "export", "--out", "export").lines == [
        "export: 2 entries, not signed: there is no [audit] checkpoint_key.",
    ]
    assert run("journal", "verify", "export").status == 1
    assert run("journal", "verify", "export", "--allow-unanchored").status == 0


def test_progress_is_for_terminals_only(told):
    plain = subprocess.run((*PROGRAM, "journal", "export", "--out", "a"), capture_output=True, text=True, check=False)
    assert (plain.returncode, plain.stdout, plain.stderr) == (0, "a: 2 entries, signed.\n", "")
    main, terminal = os.openpty()
    shown = subprocess.run(
        (*PROGRAM, "journal", "export", "--out", "b"), stdout=subprocess.PIPE, stderr=terminal, text=True, check=False
    )
    os.close(terminal)
    bar = os.read(main, 65536)
    os.close(main)
    assert (shown.returncode, shown.stdout) == (0, "b: 2 entries, signed.\n")
    assert b"exporting" in bar


# ---------------------------------------------------------------------------------------------- published checkpoints


@pytest.fixture
def checkpoint(exported):
    """The checkpoint of two entries, as somebody published it."""
    file = exported.parent / "checkpoint.txt"
    file.write_text(json.loads((exported / "manifest.json").read_text())["checkpoint"])
    return file


def test_an_export_is_held_against_a_published_checkpoint(run, exported, vkey, checkpoint):
    done = run("journal", "verify", exported, "--key", vkey, "--checkpoint", checkpoint)
    assert done.status == 0
    assert "entries 1 to 2 are those of the checkpoint given" in done.lines[0]
    shorter = exported.parent / "empty"
    for file in exported.parent.glob("tracker.db*"):
        file.unlink()
    assert run("db", "upgrade").status == 0
    assert run("journal", "export", "--out", shorter).status == 0
    assert run("journal", "verify", shorter, "--key", vkey).status == 0
    done = run("journal", "verify", shorter, "--key", vkey, "--checkpoint", checkpoint)
    assert (done.status, starts(done)) == (1, ["no", "unknown", "unknown"])
    assert "truncated: the checkpoint given is of 2 entries, and here they end at 0" in done.lines[0]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"x" * 2_000_000])
def test_a_checkpoint_that_is_none_is_wrong_usage(run, exported, checkpoint, content):
    checkpoint.write_bytes(content)
    done = run("journal", "verify", exported, "--checkpoint", checkpoint)
    assert done.status == 2
    assert "checkpoint.txt is no checkpoint: " in done.says
    checkpoint.unlink()
    assert "cannot be read" in run("journal", "verify", exported, "--checkpoint", checkpoint).says


# ---------------------------------------------------------------------------------------------- the database


def test_the_database_is_verified(run, exported, vkey, checkpoint):
    done = run("journal", "verify", "--database")
    assert (done.status, starts(done)) == (1, ["yes", "unanchored", "not"])
    assert run("journal", "verify", "--database", "--allow-unanchored").status == 0
    done = run("journal", "verify", "--database", "--checkpoint", checkpoint, "--key", vkey)
    assert (done.status, starts(done)) == (0, ["yes", "tracker.example/journal", "not"])
    answer = json.loads(run("journal", "verify", "--database", "--allow-unanchored", "--json").out)
    assert answer["intact"]["answer"] == "ok"


def test_a_changed_database_is_found_out(run, told):
    with unguarded(told / "tracker.db") as connection:
        connection.execute("UPDATE entry SET leaf = replace(leaf, 'Authorized', 'Suspended') WHERE sequence = 2")
    done = run("journal", "verify", "--database", "--allow-unanchored")
    assert (done.status, starts(done)) == (1, ["no", "unknown", "unknown"])
    assert done.lines[0].startswith("intact         no: entry 2: ")


def test_one_thing_is_verified_at_a_time(run, exported):
    for arguments in ((), (exported, "--database")):
        assert run("journal", "verify", *arguments).says == "Name the folder of an export, or say --database."


# ---------------------------------------------------------------------------------------------- after a restore


def test_a_restored_journal_goes_on_behind_its_checkpoint(run, exported, vkey, checkpoint, folder):
    done = run("db", "after-restore", "--checkpoint", checkpoint)
    assert done.status == 1
    assert done.says.startswith(
        "The journal has all 2 entries that the checkpoint is of, and ends at 2. If it was restored"
    )
    done = run("db", "after-restore", "--checkpoint", checkpoint, "--margin", "3")
    assert done.lines[0].startswith(
        "entries 3 to 5 are lost, as entry 6 declares; the journal goes on at 7. Publish a new"
    )
    assert run("db", "after-restore", "--checkpoint", checkpoint, "--margin", "3").status == 1
    done = run("journal", "verify", "--database", "--checkpoint", checkpoint, "--key", vkey)
    assert done.status == 0
    assert "entries 3 to 5 are lost, as entry 6 declares" in done.lines[0]
    assert run("journal", "export", "--out", "later").lines == ["later: 3 entries, signed."]
    done = run("journal", "verify", "later", "--checkpoint", checkpoint, "--key", vkey)
    assert done.status == 0
    assert "yes: 3 entries, 1 to 6, " in done.lines[0]


def test_a_jump_needs_a_checkpoint_of_our_own(run, exported, checkpoint, folder):
    assert run("keys", "make", "checkpoint", "--out", "other.json").status == 0
    file = folder / "tracker.toml"
    own = file.read_text()
    file.write_text(own.replace("keys/checkpoint.jwk.json", "other.json"))
    done = run("db", "after-restore", "--checkpoint", checkpoint, "--margin", "3")
    assert done.status == 2
    assert done.says.startswith("The checkpoint is by no key that is trusted here: ")
    file.write_text(own.partition("[audit]")[0])
    assert "with --key" in run("db", "after-restore", "--checkpoint", checkpoint, "--margin", "3").says
    assert "is no VKEY" in run("db", "after-restore", "--checkpoint", checkpoint, "--key", "x").says


def test_a_part_is_exported_and_verified(run, told, vkey):
    done = run(
        "journal", "export", "--out", "part", "--from", "2020-01-01T00:00:00+04:00", "--to", "2100-01-01T00:00:00Z"
    )
    assert done.lines == ["part: 2 entries of 2, signed."]
    found = run("journal", "verify", "part", "--key", vkey)
    assert (found.status, starts(found)) == (0, ["yes", "tracker.example/journal", "not"])
    assert "without a gap" in found.out
    assert run("journal", "export", "--out", "filter", "--provider", "demobank").lines == [
        "filter: 2 entries of 2, signed."
    ]
    found = run("journal", "verify", "filter", "--key", vkey)
    assert found.status == 0
    assert "each proved" in found.out
    assert "Not shown: that nothing else is" in found.out


@pytest.mark.parametrize("form", ["csv", "parquet", "consent-records"])
def test_tables_and_records_are_for_reading(run, told, vkey, form):
    assert run("journal", "export", "--out", "out", "--format", form).status == 0
    found = run("journal", "verify", "out", "--key", vkey)
    assert (found.status, starts(found)) == (1, ["not", "unanchored", "not"])
    assert run("journal", "verify", "out", "--allow-unanchored").status == 0


def test_consent_records_say_what_is_known_and_nothing_else(run, told):
    done = run("journal", "export", "--out", "out", "--format", "consent-records")
    assert done.lines == ["out: 1 consent record, to be read; what is proved is --format jsonl."]
    (line,) = gzip.decompress((told / "out" / "consent-records.jsonl.gz").read_bytes()).splitlines()
    record = json.loads(line)
    assert set(record) == {"record_header", "pii_processing", "party_identification", "events", "consent_tracker"}
    assert [event["event_state"] for event in record["events"]] == ["NotStaged", "Authorized"]
    assert record["events"][1]["entity_id"] == "demobank"
    (purpose,) = record["pii_processing"]["purposes"]
    assert purpose["lawful_basis"] == "consent"
    assert purpose["retention_period"] is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--format", "xml"), "--format is jsonl, csv, parquet, consent-records, not 'xml'"),
        (("--from", "yesterday"), "--from is a time with its offset"),
        (("--to", "2026-03-02T10:00:00"), "--to is a time with its offset"),
        (("--consent", "c-1"), "Name a consent as PROVIDER/CONSENT_ID"),
        (("--consent", "demobank/c-1", "--provider", "other"), "--consent names another provider"),
        (("--from", "2026-03-02T10:00:00Z", "--to", "2026-03-02T10:00:00Z"), "lies after the one from which"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(run, told, options, says):
    done = run("journal", "export", "--out", "out", *options)
    assert done.status == 2
    assert says in done.says
    assert not (told / "out").exists()


def test_an_export_of_a_consent_that_is_not_there_is_not_found(run, told):
    assert run("journal", "export", "--out", "out", "--consent", "demobank/none").status == 1
