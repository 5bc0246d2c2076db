"""`tracker quarantine`: what was put aside, why, and a retry."""

import json
import sqlite3

import pytest
import pytest_asyncio

from tests.contract.facts import a_quarantined
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore

BODY = b"head.key.iv.customer-42.tag"


@pytest_asyncio.fixture
async def events(filled):
    """Three for one reason, one for another."""
    store = SqlStore(SqliteDatabase(filled / "tracker.db"), SystemIds())
    made = [
        a_quarantined(
            provider="demobank", kid="hub\x1b[2J", our_kid="ours", keys_at_hand=("a", "b"), body=BODY, verified=n == 0
        )
        for n in range(3)
    ]
    made.append(a_quarantined(step="decrypt", reason="decryption_failed"))

    def script(transaction):
        for event in made:
            transaction.quarantine(event)

    await store.transact(script)
    await store.close()
    return [event.id for event in made]


def inbox(folder):
    with sqlite3.connect(folder / "tracker.db") as connection:
        found = connection.execute("SELECT id, retries FROM inbox ORDER BY id").fetchall()
    connection.close()
    return found


def test_it_is_empty(run, filled):
    assert run("quarantine", "list").lines == ["The quarantine is empty."]
    assert run("quarantine", "list", "--reason", "lapsed").lines == ["There are none such."]
    assert json.loads(run("quarantine", "list", "--json").out) == {"items": [], "next_cursor": None}


def test_it_is_listed_and_searched(run, events):
    def listed(*options):
        return [item["id"] for item in json.loads(run("quarantine", "list", "--json", *options).out)["items"]]

    assert listed() == events[::-1]
    assert listed("--reason", "decryption_failed") == listed("--step", "decrypt") == events[3:]
    assert listed("--provider", "demobank", "--unverified") == [events[2], events[1]]
    assert listed("--verified") == events[:1]
    lines = run("quarantine", "list", "--limit", "3").lines
    assert [line.split()[0] for line in lines[:4]] == ["id", *events[:0:-1]]
    assert "\x1b" not in "".join(lines)
    cursor = lines[-1].rpartition(" ")[2]
    assert run("quarantine", "list", "--limit", "3", "--cursor", cursor).lines[1].startswith(events[0])


def test_one_is_shown_without_its_body(run, events):
    done = run("quarantine", "show", events[0])
    facts = {line[:14].strip(): line[16:] for line in done.lines}
    assert facts["reason"].startswith("signature_invalid, at the step 'verify'")
    assert (facts["signed with"], facts["keys at hand"]) == ("hub\\x1b[2J", "a, b")
    assert facts["encrypted for"] == "ours  (we do not have it)"
    as_json = run("quarantine", "show", events[0], "--json")
    shown = json.loads(as_json.out)
    assert (shown["keys_at_hand"], shown["our_key_is_here"], shown["size_bytes"]) == (["a", "b"], False, len(BODY))
    assert "customer-42" not in done.out + as_json.out


def test_one_is_retried_once(run, events, filled):
    assert run("quarantine", "retry", events[1]).lines == ["1 event goes back into the inbox."]
    assert inbox(filled) == [(events[1], 1)]
    for command in ("retry", "show"):
        again = run("quarantine", command, events[1])
        assert again.status == 1
        assert again.says == (
            f"{events[1]} is not in the quarantine, or not any more; `tracker quarantine list` shows what is."
        )


def test_of_a_reason_the_last_is_retried_or_all(run, events, filled):
    assert run("quarantine", "retry", "--reason", "signature_invalid").lines == ["1 event goes back into the inbox."]
    assert [one for one, _ in inbox(filled)] == [events[2]]
    done = run("quarantine", "retry", "--reason", "signature_invalid", "--all", "--json")
    assert json.loads(done.out) == {"retried": 2, "complete": True}
    assert [one for one, _ in inbox(filled)] == events[:3]
    assert run("quarantine", "retry", "--reason", "signature_invalid").lines == ["0 events go back into the inbox."]


@pytest.mark.parametrize(
    "options",
    [
        ("retry",),
        ("retry", "--all"),
        ("retry", "0198f1c2-0000-7000-8000-000000000000", "--reason", "lapsed"),
        ("retry", "0198f1c2-0000-7000-8000-000000000000", "--all"),
        ("retry", "--reason", "Not A Reason", "--all"),
        ("list", "--reason", "Not A Reason"),
        ("list", "--provider", "Demo Bank"),
        ("list", "--cursor", "x"),
    ],
)
def test_what_makes_no_sense_is_refused(run, filled, options):
    done = run("quarantine", *options)
    assert done.status == 2
    assert done.says
    assert inbox(filled) == []
