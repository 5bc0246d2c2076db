"""Many registrations in one request."""

import io
import json
from typing import Any

import pytest

from tests.web.site import Site

BATCH = "/v1/consents/batch"
GOOD: dict[str, Any] = {"provider": "demobank", "kind": "account-access", "consent_id": "a"}


async def results(site: Site, *items: Any) -> list[Any]:
    said = await site.call("POST", BATCH, json={"items": list(items)})
    assert said.status == 200, said.body
    assert said.headers["Cache-Control"] == "no-store"
    found: list[Any] = said.json["items"]
    return found


async def test_each_item_has_its_result_in_its_place(site: Site) -> None:
    await site.register("known", user_ref="u")
    done = await results(
        site,
        GOOD | {"status": "Authorized", "user_ref": "u", "terms": {"a": [1]}, "permissions": ["ReadBalances"]},
        GOOD | {"consent_id": "known"},
        GOOD | {"consent_id": "known", "user_ref": "another"},
        GOOD | {"consent_id": "b", "expiration_date_time": "tomorrow", "nonsense": 1},
        GOOD | {"provider": "nobank"},
        GOOD | {"kind": "mortgage"},
        {},
        "hello",
        7,
        None,
        GOOD | {"consent_id": "c", "expiration_date_time": "2020-01-01T00:00:00+04:00"},
    )
    assert [(item["result"], item["code"]) for item in done] == [
        ("created", None),
        ("tracked_already", None),
        ("conflict", "consent_conflict"),
        ("invalid", "invalid_request"),
        ("invalid", "provider_not_found"),
        ("invalid", "invalid_request"),
        ("invalid", "invalid_request"),
        ("invalid", "invalid_request"),
        ("invalid", "invalid_request"),
        ("invalid", "invalid_request"),
        ("created", None),
    ]
    assert done[2]["detail"] == "The consent is tracked already, with another user_ref."
    assert {fault["pointer"] for fault in done[3]["errors"]} == {"/expiration_date_time", "/nonsense"}
    assert [bool(item["tracking_id"]) for item in done] == [True, True, *[False] * 8, True]
    one = (await site.get(f"/v1/consents/by-tracking-id/{done[0]['tracking_id']}")).json
    assert (one["consent_id"], one["status"], one["user_ref"], one["terms"]) == ("a", "NotStaged", "u", {"a": [1]})
    assert one["next_poll_at"] is not None
    again = await results(site, GOOD, GOOD | {"consent_id": "c"})
    assert [item["result"] for item in again] == ["tracked_already"] * 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"items": []}, "/items"),
        ({"items": [GOOD] * 501}, "/items"),
        ({"items": GOOD}, "/items"),
        ({}, "/items"),
        ({"items": [GOOD], "more": 1}, "/more"),
    ],
)
async def test_what_is_no_batch_is_refused_as_a_whole(site: Site, body: Any, pointer: str) -> None:
    said = await site.call("POST", BATCH, json=body)
    assert (said.status, said.problem) == (422, "invalid_request")
    assert [fault["pointer"] for fault in said.json["errors"]] == [pointer]
    assert site.rows("SELECT count(*) FROM consent") == [(0,)]


async def test_a_batch_is_json_that_can_be_read_in_one_way_and_wants_the_scope(site: Site) -> None:
    said = await site.call(
        "POST", BATCH, data=b'{"items": [{"a": 1, "a": 2}]}', headers={"Content-Type": "application/json"}
    )
    assert (said.status, said.problem) == (400, "malformed_json")
    assert (await site.call("POST", BATCH, data=b"{}")).problem == "unsupported_media_type"
    reader = await site.add_key("read")
    assert (await site.call("POST", BATCH, json={"items": [GOOD]}, key=reader)).problem == "forbidden"
    large = io.BytesIO(json.dumps({"items": [GOOD | {"terms": {"x": "x" * 2**20}}]}).encode())
    said = await site.call("POST", BATCH, data=large, headers={"Content-Type": "application/json"})
    assert (said.status, said.problem) == (413, "body_too_large")


async def test_as_many_as_may_come_at_once_come_in_order(site: Site) -> None:
    done = await results(site, *(GOOD | {"consent_id": f"c{n}"} for n in range(500)))
    assert {item["result"] for item in done} == {"created"}
    kept = dict(site.rows("SELECT tracking_id, consent_id FROM consent"))
    assert [kept[item["tracking_id"]] for item in done] == [f"c{n}" for n in range(500)]
    assert len(json.dumps(done)) < 2**20


async def test_a_database_that_is_away_is_a_problem_of_the_whole(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    await site.tracker.store.close()
    said = await site.call("POST", BATCH, json={"items": [GOOD]})
    assert (said.status, said.problem) == (503, "not_ready")
    # One line each: while it is away, every request ends like this.
    assert [record.getMessage() for record in caplog.records] == ["A request failed: The database is closed."]
    assert "Traceback" not in caplog.text
