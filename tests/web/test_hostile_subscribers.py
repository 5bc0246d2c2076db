"""What somebody who may only so much, or means no good, gets out of subscriptions: nothing that is not his."""

import asyncio
from typing import Any

import pytest

from tests.usecases.bench import data
from tests.web.site import Site
from tracker.web.api.completions import CompletionsQuery
from tracker.web.api.cursor import cursor_after
from tracker.web.api.subscriptions import FailuresQuery

HOOK = "https://hooks.example.com/x"
ASKED = {"to": ["Revoked"], "work": ["data_deleted"], "within_seconds": 3600}
REVOKED = data("Revoked", "2026-03-02T15:16:00+04:00", RevokedBy="LFI.InitiatedByUser")


async def test_what_one_host_is_shown_of_us_is_not_shown_to_another(site: Site) -> None:
    oauth = {"token_url": "https://login.example.com/t", "client_id": "us", "client_secret": "s3cret"}
    shown = {"headers": {"X-Api-Key": "s3cret"}, "oauth": oauth}
    said = await site.call("POST", "/v1/subscriptions", json={"url": HOOK, **shown})
    one = f"/v1/subscriptions/{said.json['id']}"
    for url in ("https://mine.example.com/x", "https://hooks.example.com:8443/x"):
        for given in ({}, {"headers": {}}, {"oauth": None}):
            said = await site.call("PATCH", one, json={"url": url, **given})
            assert (said.status, said.problem) == (422, "invalid_request")
    assert (await site.call("PATCH", one, json={"url": HOOK + "/other"})).status == 200
    moved = await site.call("PATCH", one, json={"url": "https://mine.example.com/x", "headers": {}, "oauth": None})
    assert (moved.status, moved.json["headers"], moved.json["oauth"]) == (200, [], None)


async def test_what_would_never_be_shown_is_not_taken_as_if_it_were(site: Site) -> None:
    oauth = {"token_url": "https://login.example.com/t", "client_id": "us", "client_secret": "s3cret"}
    polled = f"/v1/subscriptions/{(await site.call('POST', '/v1/subscriptions', json={})).json['id']}"
    for shown in ({"headers": {"X-Api-Key": "s3cret"}}, {"oauth": oauth}):
        for method, path in (("POST", "/v1/subscriptions"), ("PATCH", polled)):
            said = await site.call(method, path, json=shown)
            assert (said.status, said.problem) == (422, "invalid_request")
            assert "s3cret" not in said.body.decode()
    assert (await site.call("PATCH", polled, json={"headers": {}, "oauth": None})).status == 200


@pytest.mark.parametrize(
    "hostile",
    [
        "javascript:alert(1)",
        "vbscript:x",
        "data:text/html,x",
        "a" * 3000 + ":x",
        "https://x.example/" + "x" * 2031,
        "https://x.example/\u2028",
        "https://x.example/\x85",
    ],
    ids=["script", "another", "page", "long scheme", "long", "line separator", "next line"],
)
async def test_evidence_that_would_run_where_it_is_shown_is_refused(site: Site, hostile: str) -> None:
    said = await site.call("POST", "/v1/subscriptions", json={"completion": ASKED})
    await site.register()
    await site.post(site.event(REVOKED))
    await site.work_off()
    path = f"/v1/subscriptions/{said.json['id']}/completions"
    report: dict[str, Any] = {"sequence": "2", "work": "data_deleted", "done_at": "2026-03-02T15:17:00+04:00"}
    said = await site.call("POST", path, json=report | {"evidence_url": hostile})
    assert (said.status, said.problem) == (422, "invalid_request")
    said = await site.call("POST", path, json=report | {"evidence_url": "s3://proofs/4711"})
    assert said.status == 200


async def test_a_cursor_beyond_all_sequences_is_refused(site: Site) -> None:
    one = f"/v1/subscriptions/{(await site.call('POST', '/v1/subscriptions', json={'url': HOOK})).json['id']}"
    for path, query, key in (
        ("completions", CompletionsQuery(), "9" * 19 + " x"),
        ("failures", FailuresQuery(), "9" * 20),
    ):
        said = await site.get(f"{one}/{path}?cursor={cursor_after(key, query)}")
        assert said.problem == "cursor_invalid"


async def test_who_waits_with_a_key_that_is_revoked_meanwhile_gets_nothing(site: Site) -> None:
    made, theirs = await site.tracker.api_keys.add("CRM", ["read"])
    one = (await site.call("POST", "/v1/subscriptions", json={"key_id": made.id})).json["id"]
    path = f"/v1/subscriptions/{one}/poll"
    waiting = asyncio.create_task(site.call("POST", path, json={}, key=theirs))
    async with asyncio.timeout(20):
        while not site.tracker.services.feed._waiting:
            await asyncio.sleep(0.001)
    await site.tracker.api_keys.revoke(made.id)
    await site.register()
    said = await asyncio.wait_for(waiting, 20)
    assert (said.status, said.problem) == (401, "unauthorized")
    site.advance(60)
    assert len((await site.call("POST", path, json={"returnImmediately": True})).json["sets"]) == 1


async def test_what_an_endpoint_repeats_of_personal_values_is_for_who_may_see_them(site: Site) -> None:
    await site.register(user_ref="customer-42")
    reader, auditor = await site.add_key("read"), await site.add_key("read", "audit")
    for include_private, seen in ((True, None), (False, "customer-42")):
        wanted = {"url": HOOK, "include_private": include_private}
        subscription_id = (await site.call("POST", "/v1/subscriptions", json=wanted)).json["id"]
        one = f"/v1/subscriptions/{subscription_id}"
        job = (await site.call("POST", f"{one}/replay", json={"sequence": 1})).json["id"]
        answered = "2, 't', 6, 'no', '2026-03-02T11:20:00.000000+00:00', 'customer-42'"
        columns = "subscription_id, sequence, tracking_id, attempts, last_error, given_up_at, answer"
        site.execute(f"INSERT INTO dead_letter ({columns}) VALUES ('{subscription_id}', {answered})")
        columns = "replay_id, sequence, tracking_id, attempts, last_error, failed_at, answer"
        site.execute(f"INSERT INTO replay_failure ({columns}) VALUES ('{job}', {answered})")
        site.execute("UPDATE replay SET failed = 1")
        for path, name in ((f"{one}/failures", "items"), (f"{one}/jobs/{job}", "failures")):
            for key, answer in ((reader, seen), (auditor, "customer-42")):
                (failure,) = (await site.get(path, key=key)).json[name]
                assert (failure["last_error"], failure["answer"]) == ("no", answer)
