"""`tracker subscriptions replay`, `jobs`, `cancel`, `preview`: what the service is asked for, and how it goes."""

import json
import re
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from tracker.cli.output import age_text

URL = "https://crm.example/hooks"


@pytest.fixture
def one(run, filled):
    """A subscription that has gone past five entries, of which it lost two."""
    made = json.loads(run("subscriptions", "add", URL, "--json").out)["id"]
    with closing(sqlite3.connect("tracker.db")) as connection, connection:
        connection.execute("UPDATE journal SET next_sequence = 6")
        connection.execute("UPDATE subscription SET cursor = 5")
        for n in (2, 4):
            row = f"'{made}', {n}, 't-{n}', 6, 'x', '2026-03-02T11:20:00.000000+00:00', NULL"
            connection.execute(f"INSERT INTO dead_letter VALUES ({row})")
    return made


@pytest.mark.parametrize(
    ("options", "resends", "total"),
    [
        (("--sequence", "1", "--sequence", "3"), "sequences", 2),
        (("--missing",), "missing", 2),
        (("--failed-since", "2026-03-02T15:20:00+04:00"), "failed", 2),
        (("--failed-since", "2026-03-02T00:00:00Z", "--failed-until", "2026-03-02T11:20:00Z"), "failed", 0),
        (("--from-sequence", "2"), "range", 4),
        (("--from-sequence", "2", "--to-sequence", "3", "--per-second", "1"), "range", 2),
    ],
)
def test_a_job_is_asked_for(run, one, options, resends, total):
    made = json.loads(run("subscriptions", "replay", one, *options, "--json").out)
    assert (made["resends"], made["total"], made["state"]) == (resends, total, "waiting")
    assert json.loads(run("subscriptions", "jobs", one, "--json").out) == {"items": [made], "next_cursor": None}


def test_jobs_are_listed_shown_and_cancelled(run, one):
    assert run("subscriptions", "jobs", one).lines == ["Nothing was asked for again."]
    (line,) = run("subscriptions", "replay", one, "--missing").lines
    job, _, told = line.partition(": ")
    assert told == "waiting, 0 done of 2"
    row = re.split(r"\s{2,}", run("subscriptions", "jobs", one).lines[1])
    assert row[:5] == [job, "missing", "waiting", "0 of 2", "0"]
    assert run("subscriptions", "cancel", one, job).lines == [f"{job}: cancelled, 0 done of 2"]
    with closing(sqlite3.connect("tracker.db")) as connection, connection:
        row = f"'{job}', 2, 't-2', 3, 'The endpoint answered 422.', 'no \\x1b[2J', '2026-03-02T11:20:00.000000+00:00'"
        connection.execute(f"INSERT INTO replay_failure VALUES ({row})")
        connection.execute("UPDATE replay SET failed = 1")
    lines = run("subscriptions", "jobs", one, "--job", job).lines
    assert lines[0] == f"{job}: cancelled, 0 done, 1 failed of 2"
    assert re.split(r"\s{2,}", lines[2]) == ["2", "t-2", "3", "The endpoint answered 422.", "no \\x1b[2J"]
    shown = json.loads(run("subscriptions", "jobs", one, "--job", job, "--json").out)
    assert [failure["attempts"] for failure in shown["failures"]] == [3]


@pytest.mark.parametrize(("state", "failed", "status"), [("done", 0, 0), ("done", 1, 1), ("stopped", 0, 1)])
def test_it_can_be_waited_for(run, one, state, failed, status):
    def finish():
        while True:
            with closing(sqlite3.connect("tracker.db", timeout=20)) as connection, connection:
                end = f"state = '{state}', failed = {failed}, finished_at = created_at WHERE finished_at IS NULL"
                if connection.execute(f"UPDATE replay SET {end}").rowcount:
                    return
            time.sleep(0.02)

    service = threading.Thread(target=finish)
    service.start()
    done = run("subscriptions", "replay", one, "--missing", "--wait")
    service.join()
    assert (done.status, state in done.out) == (status, True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Say one thing to resend"),
        (("--missing", "--sequence", "1"), "Say one thing to resend"),
        (("--sequence", "9"), "from 1 to 5"),
        (("--sequence", "0"), "--sequence cannot be that"),
        (("--missing", "--per-second", "0"), "--per-second cannot be that"),
        (("--failed-since", "yesterday"), "--failed-since cannot be that: write 2026-03-02T10:15:00Z"),
        (("--from-time", "2026"), "--from-time cannot be that: write 2026-03-02T10:15:00Z"),
        (("--failed-until", "2026-03-02T10:15:00Z"), "goes with --failed-since"),
    ],
)
def test_what_cannot_be_is_refused(run, one, options, sentence):
    done = run("subscriptions", "replay", one, *options)
    assert done.status == 2
    assert sentence in done.says


def test_what_there_is_not_is_named(run, one):
    for arguments in (("replay", "none", "--missing"), ("jobs", "none"), ("cancel", "none", "x")):
        done = run("subscriptions", *arguments)
        assert (done.status, "There is no subscription none; `tracker subscriptions list`" in done.says) == (1, True)
    done = run("subscriptions", "cancel", one, "x")
    assert (done.status, done.says) == (
        1,
        f"There is no such job; `tracker subscriptions jobs {one}` shows those that are.",
    )


def test_a_filter_is_tried(run, filled):
    assert run("subscriptions", "preview").lines == ["0 of the last 0 entries would be told."]
    assert json.loads(run("subscriptions", "preview", "--to", "Revoked", "--json").out)["passed"] == 0
    assert run("subscriptions", "preview", "--type", "A").status == 2


def test_ages_are_told_in_two_units():
    told = {0: "–", 0.9: "–", 59: "59 s", 60: "1 min", 61: "1 min 1 s", 7_265: "2 h 1 min", 86_400 * 3 + 60: "3 d"}
    assert {seconds: age_text(seconds) for seconds in told} == told
