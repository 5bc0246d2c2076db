"""`tracker subscriptions`: who is told; the secret is shown once."""

import json
import re
import sqlite3
from contextlib import closing

import pytest

URL = "https://crm.example/hooks"
NOTHING_BEHIND = {"entries_behind": 0, "seconds_behind": 0.0, "parked_entries": 0, "dead_letters": 0}


def test_the_secret_is_shown_once(run, filled):
    done = run("subscriptions", "add", URL, "--type", "consent.*", "--to", "Revoked", "--description", "[b]CRM[/]")
    assert done.status == 0
    made = dict(line.split() for line in done.lines)
    assert made["secret"].startswith("whsec_")
    listed = run("subscriptions", "list")
    as_json = run("subscriptions", "list", "--json")
    assert made["id"] in listed.out
    assert URL in listed.out
    assert made["secret"] not in listed.out + as_json.out
    answer = json.loads(as_json.out)
    assert answer["next_cursor"] is None
    (item,) = answer["items"]
    assert item["filter"] == {"provider": [], "kind": [], "to": ["Revoked"]}
    assert (item["id"], item["types"], item["description"]) == (made["id"], ["consent.*"], "[b]CRM[/]")


def test_add_gives_the_shape_of_the_api(run, filled):
    made = json.loads(run("subscriptions", "add", URL, "--json").out)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert json.loads(run("subscriptions", "list", "--json").out)["items"] == [made | NOTHING_BEHIND]


def test_what_each_hears_is_listed(run, filled):
    run(
        "subscriptions", "add", URL, "--to", "Revoked", "--to", "Expired", "--kind", "payment", "--provider", "demobank"
    )
    run("subscriptions", "add", "https://crm.example/all")
    some, every = (re.split(r"\s{2,}", line) for line in run("subscriptions", "list").lines[1:])
    assert some[2:5] == ["*", "to Expired or Revoked, from demobank, of payment", "active"]
    assert every[2:4] == ["*", "active"]


def test_add_begins_a_database(run, folder):
    assert run("subscriptions", "add", URL).status == 0
    assert len(run("subscriptions", "list").lines) == 2


def test_there_are_none(run, filled):
    assert run("subscriptions", "list").lines == ["There are no subscriptions."]
    assert json.loads(run("subscriptions", "list", "--json").out) == {"items": [], "next_cursor": None}


def test_a_deleted_one_is_gone(run, filled):
    one = json.loads(run("subscriptions", "add", URL, "--json").out)["id"]
    assert run("subscriptions", "delete", one).lines == [f"{one} is deleted."]
    assert run("subscriptions", "list").lines == ["There are no subscriptions."]
    again = run("subscriptions", "delete", one)
    assert again.status == 1
    assert again.says == f"There is no subscription {one}; `tracker subscriptions list` shows those that are."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("http://127.0.0.1/x",), "see allow_networks in [notifications]."),
        (("https://10.1.2.3/x",), "see allow_networks in [notifications]."),
        (("https://[::1]/x",), "see allow_networks in [notifications]."),
        (("ftp://crm.example/",), "."),
        (("\x1b[2J",), "."),
        ((URL, "--type", "Consent"), "is no pattern of entry types"),
        ((URL, "--to", "Gone"), "'Gone' is no status: there are "),
        ((URL, "--provider", "Demo Bank"), "is no provider id"),
        ((URL, "--from-sequence", "7"), "from_sequence is from 1 to 1, the entry after the last one."),
        ((URL, "--description", "x" * 501), "A description has at most 500 characters."),
    ],
)
def test_what_cannot_be_told_is_refused(run, filled, arguments, sentence):
    done = run("subscriptions", "add", *arguments)
    assert done.status == 2
    assert sentence in done.says
    assert "\x1b" not in done.err
    assert run("subscriptions", "list").lines == ["There are no subscriptions."]


def test_allowed_networks_may_be_told(run, filled):
    file = filled / "tracker.toml"
    allowed = '[notifications]\nallow_networks = ["127.0.0.0/8"]\n'
    file.write_text(file.read_text().replace("[notifications]\n", allowed))
    assert run("subscriptions", "add", "http://127.0.0.1:9999/x").status == 0


def test_what_a_subscriber_was_not_told_is_listed(run, filled):
    one = json.loads(run("subscriptions", "add", URL, "--from-sequence", "1", "--json").out)["id"]
    assert run("subscriptions", "failures", one).lines == ["It was told everything up to where it is."]
    with closing(sqlite3.connect("tracker.db")) as connection, connection:
        rows = (
            "'{}', 1, 't-1', 6, 'The endpoint answered 400.', '2026-03-02T11:20:00.000000Z', 'no'",
            "'{}', 2, 't-2', 0, ",
        )
        connection.execute(f"INSERT INTO dead_letter VALUES ({rows[0].format(one)})")
        connection.execute(
            f"INSERT INTO parked VALUES ({rows[1].format(one)} '2026-03-02T11:20:30.000000Z', NULL, 0, NULL)"
        )
    lost, waits = (re.split(r"\s{2,}", line) for line in run("subscriptions", "failures", one).lines[1:])
    # This journal has no such entries, so nobody knows their types.
    assert lost == ["1", "t-1", "given_up", "6", "2026-03-02 11:20:00", "The endpoint answered 400.", "no"]
    assert waits == ["2", "t-2", "waiting", "0", "2026-03-02 11:20:30"]
    items = json.loads(run("subscriptions", "failures", one, "--json").out)["items"]
    assert [item["state"] for item in items] == ["given_up", "waiting"]
    unknown = run("subscriptions", "failures", "none")
    assert (unknown.status, "There is no subscription none" in unknown.err) == (1, True)


def test_one_is_paused_resumed_and_given_another_secret(run, filled):
    made = json.loads(run("subscriptions", "add", URL, "--json").out)
    one = made["id"]
    assert run("subscriptions", "pause", one).lines == [f"{one} is paused."]
    assert "paused" in run("subscriptions", "list").lines[1]
    assert run("subscriptions", "resume", one).lines == [f"{one} goes on, 0 entries behind."]
    assert "active" in run("subscriptions", "list").lines[1]
    word, secret = run("subscriptions", "rotate-secret", one, "--overlap", "60").lines[0].split()
    assert (word, secret[:6], secret != made["secret"]) == ("secret", "whsec_", True)
    assert run("subscriptions", "rotate-secret", one, "--overlap", "-1").status == 2
    for deed in ("pause", "resume", "rotate-secret", "test"):
        unknown = run("subscriptions", deed, "none")
        assert (unknown.status, "There is no subscription none" in unknown.err) == (1, True)


def test_a_ping_that_does_not_arrive_is_an_error(run, filled):
    one = json.loads(run("subscriptions", "add", "https://hooks.invalid/", "--json").out)["id"]
    done = run("subscriptions", "test", one)
    assert (done.status, done.lines) == (1, ["The endpoint could not be reached: its name cannot be resolved."])


def test_in_what_manner_it_is_told_is_said_when_it_is_added(run, filled):
    given = "--order none --most-in-flight 4 --retry-alone 10 --retry-alone 20 --retry-down 60 --disable-after 3600"
    made = json.loads(run("subscriptions", "add", URL, *given.split(), "--json").out)
    assert (made["order"], made["most_in_flight"]) == ("none", 4)
    assert made["attempts"] == {"alone_seconds": [10, 20], "down_seconds": [60], "disable_after_seconds": 3_600}
    usual = json.loads(run("subscriptions", "add", URL, "--json").out)
    assert (usual["order"], usual["most_in_flight"]) == ("consent", 16)
    assert len(usual["attempts"]["alone_seconds"]) == 6


def test_a_manner_that_cannot_be_is_refused_in_one_sentence(run, filled):
    refused = run("subscriptions", "add", URL, "--retry-alone", "0")
    assert refused.status == 2
    assert "alone_seconds" in refused.err


def test_one_that_is_polled_has_no_url_and_no_secret(run, filled):
    run("keys", "add-api-key", "--name", "CRM")
    (key_id,) = [key["id"] for key in json.loads(run("keys", "list", "--json").out)["items"]]
    assert [line.split()[0] for line in run("subscriptions", "add", "--key-id", key_id).lines] == ["id"]
    made = json.loads(run("subscriptions", "add", "--visibility", "300", "--json").out)
    assert (made["url"], made["secret"]) == (None, None)
    assert made["poll"] == {"format": "entry", "visibility_seconds": 300}
    first, second = run("subscriptions", "list").lines[1:]
    assert "(polled)" in first
    assert "(polled)" in second
    for deed in ("test", "rotate-secret"):
        done = run("subscriptions", deed, made["id"])
        assert (done.status, "has no URL" in done.says) == (1, True)


def test_what_cannot_be_polled_is_refused(run, filled):
    assert "The URL is empty" in run("subscriptions", "add", "").says
    assert "key_id names no API key" in run("subscriptions", "add", "--key-id", "a" * 16).says
    assert "signing_key" in run("subscriptions", "add", "--signed").says
    assert run("subscriptions", "add", "--visibility", "0").status == 2


def test_how_a_subscriber_is_told_stands_in_a_file_that_is_ours_alone(run, filled):
    file = filled / "crm.json"
    file.write_text('{"headers": {"X-Api-Key": "s3cret"}}')
    file.chmod(0o644)
    assert "run `chmod 600 crm.json`" in run("subscriptions", "add", URL, "--sending", "crm.json").says
    file.chmod(0o600)
    made = json.loads(run("subscriptions", "add", URL, "--sending", "crm.json", "--json").out)
    assert made["headers"] == ["X-Api-Key"]
    assert b"s3cret" not in b"".join(path.read_bytes() for path in filled.glob("tracker.db*"))
    for text, words in (
        ("{", "is not JSON."),
        ('{"headers": {"X-Api-Key": 7}}', "crm.json: headers: "),
        ('{"s3cret": 1}', "crm.json: a member: "),
        ('{"signatures": ["v1", "v1a"]}', "there is no signing_key"),
    ):
        file.write_text(text)
        done = run("subscriptions", "add", URL, "--sending", "crm.json")
        assert (done.status, words in done.says, "s3cret" in done.says) == (2, True, False), done
    assert "cannot be read" in run("subscriptions", "add", URL, "--sending", "gone.json").says
