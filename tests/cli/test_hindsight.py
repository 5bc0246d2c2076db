"""`tracker consents was-usable`, `--known-at` and `tracker audit access`: the past, for people and for programs."""

import getpass
import json
import os
import pwd

import pytest

from tests.cli.histories import CONSENT, authorized, tell

NAME = f"demobank/{CONSENT}"


@pytest.fixture
def consents(filled, key_folder):
    tell(filled / "tracker.db", key_folder, authorized)
    return filled


def told_at(run) -> str:
    """When the last entry was written down."""
    items = json.loads(run("consents", "timeline", NAME, "--json").out)["items"]
    return str(max(item["learned_at"] for item in items))


def test_one_paragraph_says_what_was_so_and_what_we_believed(consents, run):
    done = run("consents", "was-usable", NAME, "--at", told_at(run))
    assert (done.status, done.err) == (0, "")
    assert "was usable (Authorized), by all that we know today. We had reason to think so then:" in done.out
    assert "by entry 2 (webhook, recorded" in done.out
    assert done.out.endswith("Nothing that was recorded later speaks of that time.\n")
    whole = json.loads(run("consents", "was-usable", NAME, "--at", told_at(run), "--json").out)
    assert (whole["hindsight"], whole["then"]["word"]["sequence"]) == ("usable_and_believed", 2)


def test_before_it_was_tracked_nobody_thought_so(consents, run):
    done = run("consents", "was-usable", NAME, "--at", "2000-01-01T00:00:00Z")
    assert "We did not think it usable then: it was not tracked yet." in done.out


def test_what_we_believed_is_shown_with_what_is_not_on_record(consents, run):
    then = told_at(run)
    shown = run("consents", "show", NAME, "--known-at", then)
    assert (shown.status, shown.err) == (0, "")
    assert "known at" in shown.out and "not on record" in shown.out and "Authorized" in shown.out
    known = json.loads(run("consents", "show", NAME, "--known-at", then, "--json").out)
    assert (known["effective_status"], known["usable"], known["version"]) == ("Authorized", True, None)
    assert known["known"]["at"] == then
    listed = json.loads(run("consents", "list", "--known-at", then, "--status", "Authorized", "--json").out)
    assert [item["consent_id"] for item in listed["items"]] == [CONSENT]
    assert json.loads(run("consents", "list", "--known-at", then, "--status", "Revoked", "--json").out)["items"] == []
    assert run("consents", "list", "--known-at", "2000-01-01T00:00:00Z").out == "No consents found.\n"
    assert "is no time with an offset" in run("consents", "show", NAME, "--known-at", "yesterday").says
    assert "was not tracked at that time" in run("consents", "show", NAME, "--known-at", "2000-01-01T00:00:00Z").says


def test_both_times_stand_in_the_story(consents, run):
    assert "so since 2026-" in run("consents", "timeline", NAME, "--both-times").out
    assert run("consents", "timeline", NAME, "--known-at", "2000-01-01T00:00:00Z").out == "Nothing happened yet.\n"


def test_who_looked_from_the_command_line_is_the_systems_user(consents, run, monkeypatch):
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert getpass.getuser() == "somebody-else"
    run("consents", "show", NAME)
    run("consents", "list", "--user-ref", "customer-42")
    me = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    items = json.loads(run("audit", "access", "--consent", NAME, "--json").out)["items"]
    assert [(item["who"], item["what"]) for item in items] == [(me, "consent.list"), (me, "consent.show")]
    assert items[0]["asked"] == {"user_ref": True}
    table = run("audit", "access", "--who", me, "--limit", "2")
    assert "consent.list" in table.out and "There are more" in table.out
    assert run("audit", "access", "--who", "cli:nobody").out == "Nobody looked.\n"
    assert "--since" in run("audit", "access", "--since", "yesterday").says


def test_an_export_is_written_down(consents, run):
    assert run("journal", "export", "--out", "export").status == 0
    (item,) = json.loads(run("audit", "access", "--json").out)["items"]
    assert (item["what"], item["asked"]) == ("journal.export", {"out": "export", "entries": "2"})
