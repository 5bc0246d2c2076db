"""Work that subscribers must do, over the API; when it becomes due stands in tests/contract/test_completions.py."""

from typing import Any

import pytest

from tests.usecases.bench import data
from tests.web.site import Site, forged_cursor

ASKED = {"to": ["Revoked", "Expired"], "work": ["data_access_stopped", "data_deleted"], "within_seconds": 3600}
REVOKED = data("Revoked", "2026-03-02T15:16:00+04:00", RevokedBy="LFI.InitiatedByUser")


async def subscribe(site: Site, **wanted: Any) -> str:
    """A subscription that asks for work, and a consent that is revoked; gives where its completions are."""
    said = await site.call("POST", "/v1/subscriptions", json={"completion": ASKED} | wanted)
    assert said.status == 201, said.body
    await site.register()
    await site.post(site.event(REVOKED))
    await site.work_off()
    await site.tracker.services.completions.run_once()
    return f"/v1/subscriptions/{said.json['id']}/completions"


def report(**changes: Any) -> dict[str, Any]:
    given = {
        "sequence": "00000000000000000002",
        "work": "data_deleted",
        "evidence_url": "https://crm.example/deletions/4711",
        "done_at": "2026-03-02T15:17:00+04:00",
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


async def test_a_subscription_says_what_it_asks_for(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"completion": ASKED})).json
    asked = {"types": ["consent.status_changed"], **ASKED, "to": ["Expired", "Revoked"]}
    assert made["completion"] == asked
    one = f"/v1/subscriptions/{made['id']}"
    assert (await site.get(one)).json["completion"] == asked
    changed = await site.call("PATCH", one, json={"completion": asked | {"within_seconds": 60}})
    assert changed.json["completion"] == asked | {"within_seconds": 60}
    assert (await site.call("PATCH", one, json={"description": "x"})).json["completion"]["within_seconds"] == 60
    assert (await site.call("PATCH", one, json={"completion": None})).json["completion"] is None
    assert (await site.call("POST", "/v1/subscriptions", json={})).json["completion"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"work": []},
        {"work": ["Data deleted"]},
        {"work": ["data_deleted", "data_deleted"]},
        {"work": [f"w{n}" for n in range(11)]},
        {"within_seconds": 59},
        {"within_seconds": 400 * 86_400 + 1},
        {"types": []},
        {"types": ["Consent"]},
        {"to": ["Gone"]},
        {"other": 1},
    ],
    ids=str,
)
async def test_what_cannot_be_asked_for_is_refused(site: Site, wrong: dict[str, Any]) -> None:
    said = await site.call("POST", "/v1/subscriptions", json={"completion": ASKED | wrong})
    assert said.problem == "invalid_request"


async def test_work_is_listed_reported_and_told(site: Site) -> None:
    path = await subscribe(site)
    items = (await site.get(path)).json["items"]
    assert [(item["sequence"], item["work"], item["status"]) for item in items] == [
        (f"{2:020}", "data_access_stopped", "due"),
        (f"{2:020}", "data_deleted", "due"),
    ]
    entry = (await site.get("/v1/journal?after=1")).json["items"][0]
    assert {item["entry_id"] for item in items} == {entry["id"]}
    assert items[0]["due_at"] == "2026-03-02T12:20:00.000000Z"
    said = await site.call("POST", path, json=report())
    assert said.status == 200
    assert said.json == items[1] | {
        "status": "done",
        "evidence_url": "https://crm.example/deletions/4711",
        "done_at": "2026-03-02T11:17:00.000000Z",
        "reported_at": "2026-03-02T11:20:00.000000Z",
    }
    by_id = report(sequence=None, entry_id=entry["id"], done_at="2026-03-02T11:17:00Z")
    assert (await site.call("POST", path, json=by_id)).json == said.json
    other = await site.call("POST", path, json=report(evidence_url="https://crm.example/other"))
    assert (other.status, other.problem) == (409, "completion_conflict")
    site.advance(3600)
    await site.tracker.services.completions.run_once()
    for status, works in (("due", []), ("overdue", ["data_access_stopped"]), ("done", ["data_deleted"])):
        page = (await site.get(f"{path}?status={status}")).json
        assert [item["work"] for item in page["items"]] == works
    assert (await site.get(f"{path}?status=overdue")).json["items"][0]["overdue_told_at"] is not None
    told = [(item["type"], item["data"]["reason"]) for item in (await site.get("/v1/journal?after=2")).json["items"]]
    assert told == [
        ("subscription.completed", "data_deleted"),
        ("subscription.completion_overdue", "data_access_stopped"),
    ]
    timeline = (await site.get("/v1/consents/demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10/timeline")).json["items"]
    assert [item["type"] for item in timeline][-2:] == [kind for kind, _ in told]


async def test_pages_follow_one_another(site: Site) -> None:
    path = await subscribe(site)
    whole = (await site.get(path)).json["items"]
    first = (await site.get(f"{path}?limit=1")).json
    second = (await site.get(f"{path}?limit=1&cursor={first['next_cursor']}")).json
    assert first["items"] + second["items"] == whole
    assert second["next_cursor"] is None
    assert (await site.get(f"{path}?status=due&cursor={first['next_cursor']}")).problem == "cursor_invalid"
    assert (await site.get(f"{path}?cursor={forged_cursor(1, 'x', 'y')}")).problem == "cursor_invalid"
    assert (await site.get(f"{path}?status=late")).problem == "invalid_request"
    assert (await site.get("/v1/subscriptions/none/completions")).problem == "subscription_not_found"


@pytest.mark.parametrize(
    "wrong",
    [
        {"sequence": None},
        {"entry_id": "both"},
        {"sequence": "-1"},
        {"sequence": 2},
        {"work": "Data"},
        {"evidence_url": "nowhere"},
        {"evidence_url": "https://x.example/\n"},
        {"evidence_url": "https://x.example/" + "x" * 2001},
        {"evidence_url": None},
        {"done_at": "yesterday"},
        {"done_at": None},
        {"done_at": "2026-03-02T11:26:00Z"},
    ],
    ids=str,
)
async def test_what_is_no_report_is_refused(site: Site, wrong: dict[str, Any]) -> None:
    path = await subscribe(site)
    assert (await site.call("POST", path, json=report(**wrong))).problem == "invalid_request"


async def test_what_nobody_asked_for_cannot_be_reported(site: Site) -> None:
    path = await subscribe(site)
    for wrong in ({"sequence": "1"}, {"sequence": "9" * 20}, {"work": "cake_baked"}):
        said = await site.call("POST", path, json=report(**wrong))
        assert (said.status, said.problem) == (404, "completion_not_found")
    said = await site.call("POST", "/v1/subscriptions/none/completions", json=report())
    assert said.problem == "subscription_not_found"


async def test_only_the_subscribers_key_or_one_that_may_write_reports(site: Site) -> None:
    made, theirs = await site.tracker.api_keys.add("CRM", ["read"])
    path = await subscribe(site, key_id=made.id)
    said = await site.call("POST", path, json=report(), key=await site.add_key("read"))
    assert (said.status, said.problem) == (403, "forbidden")
    assert (await site.call("POST", path, json=report(), key=theirs)).status == 200
    again = await site.call("POST", path, json=report(), key=await site.add_key("read", "write"))
    assert again.status == 200
