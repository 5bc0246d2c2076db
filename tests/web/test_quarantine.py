"""`/v1/quarantine`: why an event was put aside, and what a retry does."""

import pytest

from tests import tokens
from tests.usecases.bench import data
from tests.web.site import OTHER_KID, Site
from tracker.ports import QuarantineFilter

SECRETIVE = "customer-known-to-nobody"


async def fill(site: Site) -> None:
    """Four events that cannot be believed: forged for two providers, of nobody, and signed without sense."""
    revoked = data("Revoked", PayerReference=SECRETIVE)
    other = {"key": "hub", "kid": OTHER_KID, "iss": site.other_hub.issuer}
    for body in (
        site.event(revoked, key="other hub"),
        site.event(revoked, **other),
        site.event(revoked, iss="https://evil.example"),
        site.event(message={"Data": {"Secret": SECRETIVE}}),
    ):
        site.advance(1)
        await site.post(body)
    for _ in range(3):
        await site.work_off()
        site.advance(40)


async def reasons(site: Site, query: str = "") -> list[str]:
    return [item["reason"] for item in (await site.get(f"/v1/quarantine{query}")).json["items"]]


async def test_the_list_is_searched_by_what_it_shows(site: Site) -> None:
    await fill(site)
    items = (await site.get("/v1/quarantine")).json["items"]
    assert [(item["step"], item["provider"], item["verified"]) for item in items] == [
        ("read", "demobank", True),
        ("verify", None, False),
        ("verify", "otherbank", False),
        ("verify", "demobank", False),
    ]
    for name in ("reason", "step", "provider"):
        for value in {item[name] for item in items} - {None}:
            wanted = [item for item in items if item[name] == value]
            assert (await site.get(f"/v1/quarantine?{name}={value}")).json["items"] == wanted
    assert await reasons(site, "?verified=true") == [items[0]["reason"]]
    assert len(await reasons(site, "?verified=false")) == 3
    assert len(await reasons(site, "?verified=false&provider=demobank")) == 1
    assert await reasons(site, "?verified=true&provider=otherbank") == []


async def test_pages_of_a_search_stay_in_it_while_events_come_and_go(site: Site) -> None:
    for _ in range(2):
        await fill(site)
    first = (await site.get("/v1/quarantine?verified=false&limit=4")).json
    await fill(site)
    await site.tracker.services.quarantine.retry(first["items"][-1]["id"])
    second = (await site.get(f"/v1/quarantine?verified=false&limit=4&cursor={first['next_cursor']}")).json
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == sorted(set(ids), reverse=True)
    assert (len(ids), second["next_cursor"]) == (6, None)
    assert (await site.get(f"/v1/quarantine?limit=4&cursor={first['next_cursor']}")).problem == "cursor_invalid"


@pytest.mark.parametrize(
    "query",
    [
        "reason=A",
        "reason=",
        "step=x%20y",
        "provider=Demo",
        "verified=1",
        "verified=True",
        "unknown=1",
        "reason=a&reason=b",
    ],
)
async def test_searches_that_make_no_sense_are_refused(site: Site, query: str) -> None:
    assert (await site.get(f"/v1/quarantine?{query}")).problem == "invalid_request"


async def test_one_is_shown_with_the_keys_that_were_tried_and_nothing_of_what_is_inside(site: Site) -> None:
    await fill(site)
    seen = ""
    for item in (await site.get("/v1/quarantine")).json["items"]:
        said = await site.get(f"/v1/quarantine/{item['id']}")
        assert said.json.items() >= item.items()
        assert (said.json["our_kid"], said.json["our_key_is_here"]) == (tokens.OUR_KID, True)
        at_hand = {"demobank": [tokens.HUB_KID], "otherbank": [OTHER_KID], None: None}[item["provider"]]
        assert said.json["keys_at_hand"] == (None if item["verified"] else at_hand)
        seen += said.body.decode()
    for (body,) in site.rows("SELECT body FROM quarantine"):
        assert all(part.decode() not in seen for part in body.split(b"."))
    assert SECRETIVE not in seen


async def test_a_retry_takes_it_out_and_opens_it_again(site: Site) -> None:
    await site.register()
    await site.post(site.event(kid="published-late"))
    for _ in range(3):
        await site.work_off()
        site.advance(40)
    (item,) = (await site.get("/v1/quarantine")).json["items"]
    said = await site.call("POST", f"/v1/quarantine/{item['id']}/retry", key=await site.add_key("write"))
    assert (said.status, said.json) == (202, {"retried": 1, "complete": True})
    assert (await site.get(f"/v1/quarantine/{item['id']}")).problem == "quarantined_event_not_found"
    again = await site.call("POST", f"/v1/quarantine/{item['id']}/retry")
    assert (again.status, again.problem) == (404, "quarantined_event_not_found")
    for _ in range(3):
        await site.work_off()
        site.advance(40)
    (back,) = (await site.get("/v1/quarantine")).json["items"]
    assert back == item | {"retries": 1, "quarantined_at": back["quarantined_at"]}


async def test_all_of_a_reason_are_retried_by_one_call(site: Site) -> None:
    await fill(site)
    key = await site.add_key("write")
    for body, count in (
        ({"reason": "signature_invalid", "provider": "otherbank"}, 1),
        ({"reason": "signature_invalid", "verified": True}, 0),
        ({"reason": "signature_invalid"}, 1),
        ({"reason": "signature_invalid"}, 0),
    ):
        said = await site.call("POST", "/v1/quarantine/retry", json=body, key=key)
        assert (said.status, said.json) == (202, {"retried": count, "complete": True}), body
    assert len(await reasons(site)) == 2
    assert site.rows("SELECT count(*) FROM inbox") == [(2,)]


@pytest.mark.parametrize(
    "body", [{}, {"reason": None}, {"reason": "x", "all": True}, {"reason": "x", "verified": "true"}, []]
)
async def test_a_retry_of_many_names_its_reason(site: Site, body: object) -> None:
    await fill(site)
    said = await site.call("POST", "/v1/quarantine/retry", json=body)
    assert said.problem == "invalid_request"
    assert site.rows("SELECT count(*) FROM inbox") == [(0,)]


async def test_whoever_may_only_read_may_not_retry(site: Site) -> None:
    await fill(site)
    (event, *_) = await site.tracker.services.quarantine.page(1, None, QuarantineFilter())
    for path, options in (
        (f"/v1/quarantine/{event.id}/retry", {}),
        ("/v1/quarantine/retry", {"json": {"reason": event.reason}}),
    ):
        said = await site.call("POST", path, key=await site.add_key("read", "audit"), **options)
        assert (said.status, said.problem) == (403, "forbidden")
    assert len(await reasons(site)) == 4
