"""`tracker evidence`: a consent's proof leaves the house as one file, and others find out whether to believe it."""

import json
import shutil

import pytest

from tests import tokens
from tests.cli.histories import CONSENT, authorized, tell

NAME = f"demobank/{CONSENT}"


@pytest.fixture
def told(filled, key_folder):
    tell(filled / "tracker.db", key_folder, authorized)
    return filled


@pytest.fixture
def vkey(run, told):
    return json.loads(run("keys", "public").out)["checkpoint_vkey"]


@pytest.fixture
def packed(run, told):
    done = run("evidence", "pack", NAME, "--out", "pack.json")
    assert (done.status, len(done.lines)) == (0, 1)
    assert (told / "pack.json").stat().st_mode & 0o077 == 0
    (told / "holder.jwks.json").write_bytes(tokens.hub_jwks())
    return told / "pack.json"


def starts(done):
    """The first word of each of the four answers."""
    labels = ("intact         ", "by whom        ", "holder's word  ", "covers         ")
    assert done.err == ""
    lines = done.out.splitlines()
    assert len(lines) == 4
    assert all(line.startswith(label) for line, label in zip(lines, labels, strict=True))
    return [line[15:].split()[0].rstrip(":,") for line in lines[:3]]


def test_a_pack_verifies_with_our_key_and_the_holders(run, packed, vkey):
    done = run("evidence", "verify", packed, "--key", vkey, "--holder-keys", "holder.jwks.json")
    assert (done.status, starts(done)) == (0, ["yes", "tracker.example/journal", "yes"]), done.out
    answer = json.loads(
        run("evidence", "verify", packed, "--key", vkey, "--holder-keys", "holder.jwks.json", "--json").out
    )
    assert answer["accepted"] is True
    assert [one["word"] for one in answer["entries"]] == ["own", "holders"]


def test_verifying_needs_neither_configuration_nor_database(run, packed, vkey):
    for path in ("tracker.toml", "tracker.db"):
        (packed.parent / path).unlink()
    shutil.rmtree(packed.parent / "keys")
    assert run("evidence", "verify", packed, "--key", vkey, "--holder-keys", "holder.jwks.json").status == 0


def test_what_is_not_anchored_is_no_yes(run, packed, vkey):
    nothing = run("evidence", "verify", packed)
    assert (nothing.status, starts(nothing)) == (1, ["yes", "unanchored", "unanchored"])
    ours = run("evidence", "verify", packed, "--key", vkey)
    assert (ours.status, starts(ours)) == (1, ["yes", "tracker.example/journal", "unanchored"])
    assert "a key that only the pack vouches for" in ours.out
    theirs = run("evidence", "verify", packed, "--holder-keys", "holder.jwks.json")
    assert (theirs.status, starts(theirs)) == (1, ["yes", "unanchored", "yes"])
    for given in ((), ("--key", vkey), ("--holder-keys", "holder.jwks.json")):
        assert run("evidence", "verify", packed, *given, "--allow-unanchored").status == 0
