"""Polling over the API, as RFC 8936 says; what is handed out to whom stands in tests/contract/test_polls.py."""

import asyncio
from typing import Any

import pytest

from tests.web.site import Said, Site
from tests.web.test_journal_stream import until_somebody_waits
from tracker.journal.canonical import canonical

HOOK = "https://hooks.example.com/x"
NOW = {"returnImmediately": True}


async def subscribe(site: Site, **wanted: Any) -> str:
    said = await site.call("POST", "/v1/subscriptions", json=wanted)
    assert said.status == 201, said.body
    return str(said.json["id"])


async def poll(site: Site, subscription_id: str, key: str | None = None, **given: Any) -> Said:
    return await site.call("POST", f"/v1/subscriptions/{subscription_id}/poll", json=NOW | given, key=key)


async def test_a_subscription_without_a_url_is_polled(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": None, "description": "CRM"})).json
    assert (made["url"], made["secret"]) == (None, None)
    assert made["poll"] == {"format": "entry", "visibility_seconds": 60}
    told = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json
    assert (told["poll"], told["key_id"]) == (None, None)
    one = f"/v1/subscriptions/{made['id']}"
    changed = await site.call("PATCH", one, json={"poll": {"visibility_seconds": 5}})
    assert (changed.json["poll"]["visibility_seconds"], changed.json["version"]) == (5, 2)
    found = (await site.get(one)).json
    assert found == found | changed.json
    assert (await site.call("PATCH", one, json={"url": HOOK})).problem == "subscription_polled"
    other = f"/v1/subscriptions/{told['id']}"
    assert (await site.call("PATCH", other, json={"poll": {}})).problem == "subscription_not_polled"
    for deed in ("test", "rotate-secret"):
        assert (await site.call("POST", f"{one}/{deed}")).problem == "subscription_polled"
    for wrong in ({"visibility_seconds": 0}, {"visibility_seconds": 43_201}, {"format": "jwt"}, {"other": 1}):
        assert (await site.call("POST", "/v1/subscriptions", json={"poll": wrong})).problem == "invalid_request"
    said = await site.call("POST", "/v1/subscriptions", json={"url": HOOK, "poll": {}})
    assert said.problem == "invalid_request"


async def test_entries_are_handed_out_by_their_ids_as_they_were_hashed(site: Site) -> None:
    one = await subscribe(site, from_sequence=1)
    for name in ("c1", "c2", "c3"):
        await site.register(name, user_ref="customer-42")
    said = await poll(site, one, maxEvents=2)
    assert (said.status, said.headers["Cache-Control"]) == (200, "no-store")
    assert said.headers["Content-Type"].startswith("application/json")
    assert said.json["moreAvailable"] is True
    sets = said.json["sets"]
    leaves = [bytes(leaf) for (leaf,) in site.rows("SELECT CAST(leaf AS BLOB) FROM entry ORDER BY sequence")]
    assert [canonical(entry) for entry in sets.values()] == leaves[:2]
    assert [entry["id"] for entry in sets.values()] == list(sets)
    first, second = sets
    said = await poll(site, one, ack=[first, second, "unknown"])
    ((third, _),) = said.json["sets"].items()
    assert said.json["moreAvailable"] is False
    refusal = {third: {"err": "invalid_request", "description": "No such customer."}, "x": {"err": "y"}}
    assert (await poll(site, one, maxEvents=0, setErrs=refusal)).json == {"sets": {}, "moreAvailable": False}
    (lost,) = (await site.get(f"/v1/subscriptions/{one}/failures")).json["items"]
    assert (lost["entry_id"], lost["state"]) == (third, "given_up")
    assert lost["last_error"] == "invalid_request: No such customer."
    assert (await site.get(f"/v1/subscriptions/{one}")).json["cursor"] == 3
    site.advance(3600)
    assert (await poll(site, one)).json["sets"] == {}


async def test_what_was_not_answered_for_comes_again_when_its_time_is_over(site: Site) -> None:
    one = await subscribe(site, from_sequence=1, poll={"visibility_seconds": 5})
    await site.register()
    first = (await poll(site, one)).json["sets"]
    assert (await poll(site, one)).json["sets"] == {}
    site.advance(5)
    assert (await poll(site, one)).json["sets"] == first


async def test_a_poll_waits_for_what_comes_and_is_let_go_at_a_stop(site: Site) -> None:
    one = await subscribe(site)
    waiting = asyncio.create_task(poll(site, one, returnImmediately=False))
    await until_somebody_waits(site.tracker.services.feed)
    await site.register()
    assert len((await asyncio.wait_for(waiting, 5)).json["sets"]) == 1
    waiting = asyncio.create_task(poll(site, one, returnImmediately=False))
    await until_somebody_waits(site.tracker.services.feed)
    site.tracker.services.feed.close()
    assert (await asyncio.wait_for(waiting, 1)).json == {"sets": {}, "moreAvailable": False}


async def test_an_empty_body_asks_for_what_the_standard_says(site: Site) -> None:
    one = await subscribe(site, from_sequence=1)
    for n in range(3):
        await site.register(f"c{n}")
    said = await site.call("POST", f"/v1/subscriptions/{one}/poll", json={})
    assert len(said.json["sets"]) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"maxEvents": -1},
        {"maxEvents": "1"},
        {"maxEvents": None},
        {"returnImmediately": "yes"},
        {"ack": "id"},
        {"ack": [1]},
        {"ack": [""]},
        {"ack": ["x"] * 1001},
        {"setErrs": ["id"]},
        {"setErrs": {"id": "no"}},
        {"setErrs": {"id": {"description": "no code"}}},
        {"setErrs": {"id": {"err": "a\nb"}}},
        {"max_events": 1},
    ],
    ids=str,
)
async def test_what_is_no_poll_is_refused(site: Site, wrong: dict[str, Any]) -> None:
    assert (await poll(site, await subscribe(site), **wrong)).problem == "invalid_request"


async def test_only_the_subscribers_key_or_one_that_may_write_polls(site: Site) -> None:
    made, theirs = await site.tracker.api_keys.add("CRM", ["read"])
    another = await site.add_key("read")
    named, bare = await subscribe(site, key_id=made.id), await subscribe(site)
    for one, key, status in (
        (named, theirs, 200),
        (named, another, 403),
        (bare, theirs, 403),
        (bare, await site.add_key("write"), 403),
        (bare, await site.add_key("read", "write"), 200),
        (named, await site.add_key("admin"), 200),
    ):
        assert (await poll(site, one, key=key)).status == status
    said = await poll(site, bare, key=theirs)
    assert (said.problem, 'scope="read write"' in said.headers["WWW-Authenticate"]) == ("forbidden", True)
    assert (await site.call("POST", "/v1/subscriptions", json={"key_id": "a" * 16})).problem == "invalid_request"
    path = f"/v1/subscriptions/{bare}"
    assert (await site.call("PATCH", path, json={"key_id": "a" * 16})).problem == "invalid_request"
    assert (await site.call("PATCH", path, json={"key_id": made.id})).json["key_id"] == made.id
    assert (await poll(site, bare, key=theirs)).status == 200
    assert (await site.call("PATCH", path, json={"key_id": None})).json["key_id"] is None
    assert (await poll(site, bare, key=theirs)).status == 403


async def test_personal_values_are_handed_out_to_who_may_see_them(site: Site) -> None:
    one = await subscribe(site, from_sequence=1, include_private=True)
    await site.register(user_ref="customer-42")
    said = await poll(site, one, key=await site.add_key("read", "write"))
    assert (said.problem, 'scope="read audit"' in said.headers["WWW-Authenticate"]) == ("forbidden", True)
    said = await poll(site, one, key=await site.add_key("read", "write", "audit"))
    (entry,) = said.json["sets"].values()
    assert entry["private"] == {"user_ref": "customer-42"}
    assert entry["private_salt"]
