"""`tracker privacy`: what is held of one person, its erasure, and legal holds."""

import io
import json
import sqlite3
import stat
from contextlib import closing

import pytest

from tests.cli.histories import at, tell
from tests.usecases.bench import CONSENT, NOW
from tests.usecases.keeping import ACCOUNT, PERSON, PURPOSE, a_life
from tracker.web.api.shapes.privacy import FatesOut, HoldsOut


async def history(bench):
    at(bench, NOW.isoformat())
    await a_life(bench)
    await bench.register("never-heard-of", user_ref=PERSON)
    await a_life(bench, "anothers", "another-person")


@pytest.fixture
def lived(filled, key_folder):
    tell(filled / "tracker.db", key_folder, history)
    return filled


def test_all_that_is_held_of_a_person_is_written_into_a_file_that_only_its_owner_reads(run, lived):
    assert run("privacy", "export", "--user", PERSON, "--out", "person.json").lines == ["person.json: 2 consents."]
    path = lived / "person.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    held = json.loads(path.read_text("utf-8"))
    first, second = held["consents"]
    assert (held["format"], held["user_ref"]) == ("consent-tracker/privacy-export/1", PERSON)
    assert first["consent"]["consent_id"] == CONSENT
    assert first["entries"][0]["private"] == {"user_ref": PERSON, "terms": {"accounts": [ACCOUNT]}}
    assert PURPOSE in json.dumps(first["reports"])
    assert len(first["other_records"]["evidence"]) == 2
    assert first["other_records"]["evidence"][0]["jws"].count(".") == 2
    assert first["kept"]["until"]["consent"].startswith("2031-03-02")
    assert second["kept"]["because"] == []
    assert "another-person" not in path.read_text("utf-8")
    again = run("privacy", "export", "--user", PERSON, "--out", "person.json")
    assert (again.status, again.says) == (2, "person.json: File exists.")


def test_an_erasure_says_first_what_goes_and_why_the_rest_stays(run, lived):
    lines = run("privacy", "erase", "--user", PERSON, "--dry-run").lines
    assert [line.split()[:2] for line in lines[1:]] == [
        [f"demobank/{CONSENT}", "stays"],
        ["demobank/never-heard-of", "goes"],
    ]
    assert lines[1].endswith("2031-03-02 06:15:00  it must be kept")
    assert lines[2].endswith("1 values, 0 reports, 0 tokens, 0 payments, 0 events, 1 others")
    assert run("privacy", "erasures").lines == ["Nothing is scheduled."]
    done = run("privacy", "erase", "--user", PERSON, "--yes")
    assert done.lines[-1] == "Erased: 1; scheduled: 1."
    fates = FatesOut.model_validate_json(run("privacy", "erase", "--user", PERSON, "--dry-run", "--json").out)
    assert [one.consent_id for one in fates.items] == [CONSENT]
    assert len(run("privacy", "erasures").lines) == 2
    assert len(json.loads(run("privacy", "erasures", "--json").out)["items"]) == 1
    gone = run("consents", "show", "demobank/never-heard-of")
    assert gone.status == 1
    assert "disposed of" in gone.says


def test_without_a_yes_nothing_is_erased(run, lived, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    done = run("privacy", "erase", "--user", PERSON)
    assert done.status == 1
    assert run("privacy", "erase", "--user", PERSON, "--json").status == 2
    assert run("privacy", "erasures").lines == ["Nothing is scheduled."]
    assert run("privacy", "erase", "--user", "nobody").lines == ["Nothing is held of this person."]


def test_a_hold_is_placed_listed_and_lifted(run, lived):
    placed = run("privacy", "hold", "--user", PERSON, "--reason", "case 17/2031", "--by", "legal", "--json").out
    one, other = HoldsOut.model_validate_json(placed).items
    assert (one.id, one.placed_by) == (other.id, "legal")
    assert len(run("privacy", "holds").lines) == 3
    assert "legal hold" in run("privacy", "erase", "--user", PERSON, "--dry-run").out
    assert run("privacy", "release", one.id, "--reason", "closed").lines == ["Lifted from 2."]
    assert run("privacy", "release", one.id, "--reason", "closed").status == 1
    assert run("privacy", "hold", f"demobank/{CONSENT}", "--reason", "x").status == 0
    assert run("privacy", "hold", "--reason", "x").status == 2
    assert run("privacy", "hold", "demobank/nothing", "--reason", "x").status == 1


def test_each_of_these_is_written_down_with_the_consents_and_without_the_person(run, lived):
    run("privacy", "export", "--user", PERSON, "--out", "person.json")
    run("privacy", "erase", "--user", PERSON, "--dry-run", "--json")
    (hold, _) = json.loads(run("privacy", "hold", "--user", PERSON, "--reason", "x", "--json").out)["items"]
    run("privacy", "holds")
    run("privacy", "release", hold["id"], "--reason", "a reason that is personal")
    run("privacy", "erasures")
    run("evidence", "pack", f"demobank/{CONSENT}", "--out", "pack.json")
    run("journal", "export", "--out", "export")
    with closing(sqlite3.connect(lived / "tracker.db")) as connection:
        found = connection.execute("SELECT what, shown, asked FROM access_record ORDER BY at, id").fetchall()
    assert sorted((what, shown) for what, shown, _ in found) == [
        ("evidence.pack", None),
        ("journal.export", None),
        ("privacy.erase", 2),
        ("privacy.erasures", 0),
        ("privacy.export", 2),
        ("privacy.hold", 2),
        ("privacy.holds", 2),
        ("privacy.release", 2),
    ]
    assert not any(one in repr(found) for one in (PERSON, "a reason that is personal"))
