"""Whatever a command shows of a consent is in the access record, and what it asked for in vain too."""

import json

import pytest

from tests.cli.histories import CONSENT, at, authorized, tell
from tests.usecases.bench import NOW
from tests.usecases.keeping import PERSON, a_life

NAME = f"demobank/{CONSENT}"


async def history(bench):
    at(bench, NOW.isoformat())
    await a_life(bench)


@pytest.fixture
def consents(filled, key_folder):
    tell(filled / "tracker.db", key_folder, authorized)
    return filled


@pytest.fixture
def lived(filled, key_folder):
    tell(filled / "tracker.db", key_folder, history)
    return filled


def looks(run, *options):
    items = json.loads(run("audit", "access", *options, "--json").out)["items"]
    return [(item["what"], item["status"]) for item in items if item["what"] != "audit.access"]


def test_an_evidence_pack_is_a_look_at_its_consent(consents, run):
    assert run("evidence", "pack", NAME, "--out", "pack.json").status == 0
    assert looks(run, "--consent", NAME) == [("evidence.pack", 200)]


def test_what_is_asked_about_a_person_is_a_look_without_the_person(lived, run):
    assert run("privacy", "export", "--user", PERSON, "--out", f"{PERSON}.json").status == 0
    run("privacy", "erase", "--user", PERSON, "--dry-run")
    run("privacy", "erase", "--user", PERSON, "--yes")
    run("privacy", "erasures")
    run("privacy", "hold", "--user", PERSON, "--reason", "case 17")
    run("privacy", "holds")
    expected = ["holds", "hold", "erasures", "erase", "erase", "erase", "export"]
    assert [what for what, _ in looks(run, "--consent", NAME)] == [f"privacy.{one}" for one in expected]
    assert PERSON not in run("audit", "access", "--json").out


def test_what_is_not_tracked_was_asked_for(consents, run):
    for words in (("show",), ("timeline",), ("was-usable", "--at", "2026-03-02T10:42:00Z"), ("group",), ("pause",)):
        assert run("consents", words[0], "demobank/nobody-knows-it", *words[1:]).status != 0
    run("payments", "list", "demobank/nobody-knows-it")
    run("evidence", "pack", "demobank/nobody-knows-it", "--out", "pack.json")
    run("consents", "show", NAME, "--known-at", "2000-01-01T00:00:00Z")
    items = json.loads(run("audit", "access", "--json").out)["items"]
    assert [(item["what"], item["consent_id"], item["status"]) for item in items] == [
        ("consent.show", CONSENT, 404),
        ("evidence.pack", "nobody-knows-it", 404),
        ("payment.list", "nobody-knows-it", 404),
        ("consent.pause", "nobody-knows-it", 404),
        ("consent.group", "nobody-knows-it", 404),
        ("consent.was_usable", "nobody-knows-it", 404),
        ("consent.timeline", "nobody-knows-it", 404),
        ("consent.show", "nobody-knows-it", 404),
    ]


def test_an_import_is_a_look_at_those_that_it_names(consents, run):
    row = {"provider": "demobank", "kind": "account-access", "consent_id": CONSENT}
    (consents / "rows.jsonl").write_text(json.dumps(row) + "\n")
    run("consents", "import", "rows.jsonl", "--dry-run")
    assert looks(run, "--consent", NAME) == [("consent.register_batch", 200)]
