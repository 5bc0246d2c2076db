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


def _spoil(packed):
    packed.write_bytes(packed.read_bytes().replace(b'"to":"Authorized"', b'"to":"Buthorized"', 1))


def test_a_changed_pack_is_found_out(run, packed, vkey):
    _spoil(packed)
    done = run("evidence", "verify", packed, "--key", vkey, "--allow-unanchored")
    assert (done.status, starts(done)) == (1, ["no", "unknown", "unknown"])
    assert "entry 2: what it says is not what its leaf_hash was made of" in done.out


def test_a_page_is_made_of_it(run, packed, vkey):
    done = run("evidence", "show", packed, "--out", "page.html", "--key", vkey, "--holder-keys", "holder.jwks.json")
    assert (done.status, starts(done)[0]) == (0, "yes")
    shown = (packed.parent / "page.html").read_text()
    assert "<h2>Verified</h2>" in shown
    assert "customer-42" in shown
    assert (packed.parent / "page.html").stat().st_mode & 0o077 == 0
    _spoil(packed)
    spoilt = run("evidence", "show", packed, "--out", "spoilt.html", "--key", vkey)
    assert spoilt.status == 1
    assert "customer-42" not in (packed.parent / "spoilt.html").read_text()


def test_nothing_is_written_over(run, packed):
    before = packed.read_bytes()
    for command in (("pack", NAME), ("show", packed)):
        done = run("evidence", *command, "--out", packed)
        assert done.status == 2
        assert done.says.endswith("is there already: name a new file.")
    assert packed.read_bytes() == before
    assert run("evidence", "pack", NAME, "--out", "nowhere/pack.json").status == 2


def test_without_private_nothing_personal_leaves(run, packed):
    assert run("evidence", "pack", NAME, "--out", "bare.json", "--without-private").status == 0
    assert b"customer-42" in packed.read_bytes()
    assert b"customer-42" not in (packed.parent / "bare.json").read_bytes()


def test_a_pack_is_tied_to_a_published_checkpoint(run, packed, vkey):
    note = json.loads(packed.read_bytes())["pack"]["tree"]["checkpoint"]
    (packed.parent / "published.txt").write_text(note)
    given = ("--key", vkey, "--holder-keys", "holder.jwks.json", "--checkpoint", "published.txt")
    done = run("evidence", "verify", packed, *given)
    assert done.status == 0
    assert "all entries are in the published checkpoint over 2 entries" in done.out
    assert run("evidence", "pack", NAME, "--out", "again.json", "--checkpoint", "published.txt").status == 0
    assert run("evidence", "verify", "again.json", *given).status == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("verify", "nowhere.json"), "nowhere.json is no file that can be read"),
        (("verify", "pack.json", "--key", "nonsense"), "One --key is no VKEY"),
        (("verify", "pack.json", "--holder-keys", "nowhere"), "nowhere is no file"),
        (("verify", "pack.json", "--holder-keys", "tracker.toml"), "The file of holders' keys cannot be read"),
        (("verify", "pack.json", "--holder-keys", "list.json"), "The file of holders' keys is"),
        (("verify", "pack.json", "--checkpoint", "tracker.toml"), "no signed checkpoint"),
        (("verify", "pack.json", "--checkpoint", "binary"), "is not UTF-8"),
        (("pack", "demobank", "--out", "new.json"), "Name a consent as PROVIDER/CONSENT_ID"),
        (("pack", NAME, "--out", "new.json", "--checkpoint", "tracker.toml"), "is no signed checkpoint"),
    ],
)
def test_what_cannot_be_used_is_wrong_usage(run, packed, arguments, words):
    (packed.parent / "list.json").write_text("[]")
    (packed.parent / "binary").write_bytes(b"\xff")
    done = run("evidence", *arguments)
    assert done.status == 2
    assert words in done.says


def test_a_consent_that_is_not_tracked_has_no_pack(run, told):
    done = run("evidence", "pack", "demobank/none", "--out", "pack.json")
    assert (done.status, done.says) == (1, "This consent is not tracked.")
    assert not (told / "pack.json").exists()


def test_the_schema_is_printed(run, bare):
    done = run("evidence", "schema")
    assert json.loads(done.out)["title"] == "Evidence pack, version 1"
