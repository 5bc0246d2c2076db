"""`tracker subscriptions completions`: what subscribers must do."""

import json
import re
import sqlite3
from contextlib import closing

URL = "https://crm.example/hooks"
WORK = ("--work", "data_deleted", "--work", "data_access_stopped", "--work-on", "Revoked", "--within", "3600")


def test_what_is_asked_for_is_said_when_subscribing(run, filled):
    made = json.loads(run("subscriptions", "add", URL, *WORK, "--json").out)
    assert made["completion"] == {
        "types": ["consent.status_changed"],
        "to": ["Revoked"],
        "work": ["data_deleted", "data_access_stopped"],
        "within_seconds": 3600,
    }
    assert json.loads(run("subscriptions", "add", URL, "--json").out)["completion"] is None
    assert "is no word for work" in run("subscriptions", "add", URL, "--work", "Data!").says
    assert "each once" in run("subscriptions", "add", URL, "--work", "a", "--work", "a").says
    assert "'Gone' is no status" in run("subscriptions", "add", URL, "--work", "a", "--work-on", "Gone").says
    assert run("subscriptions", "add", URL, "--work", "a", "--within", "5").status == 2
    assert "400 days" in run("subscriptions", "add", URL, "--work", "a", "--within", "99999999").says


def test_work_is_listed(run, filled):
    one = json.loads(run("subscriptions", "add", URL, *WORK, "--json").out)["id"]
    assert run("subscriptions", "completions", one).lines == ["There is nothing that it must do."]
    with closing(sqlite3.connect("tracker.db")) as connection, connection:
        due, done = "2026-03-02T11:20:00.000000+00:00", "2026-03-02T10:00:00.000000+00:00"
        for row in (
            (one, 7, "data_deleted", "e", "t-1", "demobank", due, None, None, None, None),
            (one, 9, "data_deleted", "f", "t-2", "demobank", due, None, "https://crm.example/1", done, done),
        ):
            connection.execute(f"INSERT INTO completion VALUES ({', '.join('?' * 11)})", row)
    late, done = (re.split(r"\s{2,}", line) for line in run("subscriptions", "completions", one).lines[1:])
    assert late == ["7", "t-1", "data_deleted", "overdue", "2026-03-02 11:20:00", "–"]
    assert done[3:] == ["done", "2026-03-02 11:20:00", "2026-03-02 10:00:00", "https://crm.example/1"]
    (item,) = json.loads(run("subscriptions", "completions", one, "--status", "done", "--json").out)["items"]
    assert (item["sequence"], item["status"]) == (f"{9:020}", "done")
    unknown = run("subscriptions", "completions", "none")
    assert (unknown.status, "There is no subscription none" in unknown.err) == (1, True)
