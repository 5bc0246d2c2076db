"""Subscriptions over the API; how they are served stands in tests/usecases/test_notify.py."""

from dataclasses import replace

from tests.usecases.bench import NOW
from tests.web.site import Site, forged_cursor
from tracker.domain.subscription import Parked
from tracker.journal.instant import rfc3339
from tracker.ports import Progress

HOOK = "https://hooks.example.com/x"
NOTHING_BEHIND = {"entries_behind": 0, "seconds_behind": 0.0, "parked_entries": 0, "dead_letters": 0}
"""What is said besides of one that is read."""


async def test_a_subscription_is_made_shown_listed_and_deleted(site: Site) -> None:
    await site.register()
    wanted = {
        "url": HOOK,
        "types": ["consent.*", "payment.status_changed"],
        "filter": {"provider": ["demobank"], "kind": ["payment"], "to": ["Revoked", "Expired"]},
        "description": "for the CRM",
    }
    said = await site.call("POST", "/v1/subscriptions", json=wanted)
    assert said.status == 201
    assert said.headers["Cache-Control"] == "no-store"
    made = said.json
    assert made.pop("secret").startswith("whsec_")
    assert (made["url"], made["types"], made["description"]) == (HOOK, wanted["types"], "for the CRM")
    assert made["filter"] == {"provider": ["demobank"], "kind": ["payment"], "to": ["Expired", "Revoked"]}
    # It begins after what is in the journal already.
    assert (made["state"], made["cursor"], made["order"], made["include_private"]) == ("active", 1, "consent", False)
    place = said.headers["Location"]
    assert place == f"/v1/subscriptions/{made['id']}"
    made |= NOTHING_BEHIND
    assert (await site.get(place)).json == made  # the secret is shown once
    assert (await site.get("/v1/subscriptions")).json == {"items": [made], "next_cursor": None}
    gone = await site.call("DELETE", place)
    assert (gone.status, gone.body, gone.headers["Cache-Control"]) == (204, b"", "no-store")
    for method in ("GET", "DELETE"):
        again = await site.call(method, place)
        assert (again.status, again.problem) == (404, "subscription_not_found")
    assert (await site.get("/v1/subscriptions")).json["items"] == []


async def test_without_wishes_everything_is_told(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json
    assert (made["types"], made["filter"]) == (["*"], {"provider": [], "kind": [], "to": []})


async def test_a_subscription_may_begin_in_the_past(site: Site) -> None:
    await site.register()
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK, "from_sequence": 1})).json
    assert made["cursor"] == 0
    assert (await site.call("POST", "/v1/subscriptions", json={"url": HOOK, "from_sequence": 2})).json["cursor"] == 1
    said = await site.call("POST", "/v1/subscriptions", json={"url": HOOK, "from_sequence": 3})
    assert (said.status, said.problem) == (422, "invalid_request")


async def test_subscriptions_are_listed_page_by_page(site: Site) -> None:
    made = [(await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json["id"] for _ in range(5)]
    seen, cursor = [], ""
    while True:
        page = (await site.get(f"/v1/subscriptions?limit=2{cursor}")).json
        seen += [item["id"] for item in page["items"]]
        assert b"whsec" not in (await site.get(f"/v1/subscriptions?limit=2{cursor}")).body
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made


async def test_personal_values_are_sent_only_for_those_who_may_see_them(site: Site) -> None:
    wanted = {"url": HOOK, "include_private": True}
    said = await site.call("POST", "/v1/subscriptions", json=wanted, key=await site.add_key("write"))
    assert (said.status, said.problem) == (403, "forbidden")
    assert 'scope="write audit"' in said.headers["WWW-Authenticate"]
    said = await site.call("POST", "/v1/subscriptions", json=wanted, key=await site.add_key("write", "audit"))
    assert (said.status, said.json["include_private"]) == (201, True)


async def test_what_a_subscriber_was_not_told_is_listed(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK, "from_sequence": 1})).json["id"]
    for n in range(4):
        await site.register(f"c{n}")
    subscription = await site.tracker.store.get_subscription(made)
    assert subscription is not None
    rows = [
        Parked(sequence=n, tracking_id="t", attempts=attempts, next_attempt_at=NOW, last_error=error)
        for n, attempts, error in (
            (1, 6, "The endpoint answered 400."),
            (2, 1, "The endpoint answered 422."),
            (3, 0, None),
        )
    ]
    at_three = replace(subscription, cursor=3)
    assert await site.tracker.store.save_progress(Progress(subscription=at_three, park=tuple(rows)))
    assert await site.tracker.store.save_progress(Progress(subscription=at_three, given_up=(rows[0],)))
    path = f"/v1/subscriptions/{made}/failures"
    items = (await site.get(path)).json["items"]
    assert [(item["sequence"], item["state"], item["attempts"], item["last_error"]) for item in items] == [
        (f"{1:020}", "given_up", 6, "The endpoint answered 400."),
        (f"{2:020}", "refused", 1, "The endpoint answered 422."),
        (f"{3:020}", "waiting", 0, None),
    ]
    feed = (await site.get("/v1/journal")).json["items"]
    assert [(item["entry_id"], item["type"]) for item in items] == [(one["id"], one["type"]) for one in feed[:3]]
    assert [item["given_up_at"] is None for item in items] == [False, True, True]
    assert [item["next_attempt_at"] is None for item in items] == [True, False, False]

    seen, cursor = [], ""
    while cursor is not None:
        page = (await site.get(f"{path}?limit=2{cursor and '&cursor=' + cursor}")).json
        seen += page["items"]
        cursor = page["next_cursor"]
    assert seen == items
    assert (await site.get(f"{path}?cursor={forged_cursor(1, 'x', 'y')}")).problem == "cursor_invalid"
    assert (await site.get("/v1/subscriptions/none/failures")).problem == "subscription_not_found"


async def test_an_entry_that_the_journal_no_longer_has_is_listed_all_the_same(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json["id"]
    site.execute(f"INSERT INTO dead_letter VALUES ('{made}', 99, 't', 6, 'x', '2026-03-02T11:20:00.000000Z', NULL)")
    (item,) = (await site.get(f"/v1/subscriptions/{made}/failures")).json["items"]
    assert (item["sequence"], item["entry_id"], item["type"]) == (f"{99:020}", None, None)


async def test_a_subscription_is_changed_in_part(site: Site) -> None:
    wanted = {"url": HOOK, "types": ["consent.*"], "filter": {"to": ["Revoked"]}, "description": "CRM"}
    made = (await site.call("POST", "/v1/subscriptions", json=wanted)).json
    one = f"/v1/subscriptions/{made['id']}"
    del made["secret"]
    said = await site.call("PATCH", one, json={"filter": {"kind": ["payment"]}})
    assert said.json == made | {"filter": {"provider": [], "kind": ["payment"], "to": []}, "version": 2}
    said = await site.call("PATCH", one, json={"types": ["*"], "url": HOOK + "/2"})
    assert (said.json["types"], said.json["url"], said.json["description"]) == (["*"], HOOK + "/2", "CRM")
    assert (await site.get(one)).json == said.json | NOTHING_BEHIND
    assert (await site.call("PATCH", one, json={})).json == said.json
    for wrong in ({"url": None}, {"url": ""}, {"types": []}, {"types": None}, {"state": "active"}, {"filter": None}):
        assert (await site.call("PATCH", one, json=wrong)).problem == "invalid_request"
    for elsewhere in ("http://127.0.0.1/", "http://169.254.169.254/", "ftp://x.example/"):
        assert (await site.call("PATCH", one, json={"url": elsewhere})).problem == "invalid_request"
    assert (await site.get(one)).json == said.json | NOTHING_BEHIND


async def test_personal_values_are_sent_along_only_by_who_may_see_them(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json
    one, wanted = f"/v1/subscriptions/{made['id']}", {"include_private": True}
    said = await site.call("PATCH", one, json=wanted, key=await site.add_key("write"))
    assert (said.status, said.problem) == (403, "forbidden")
    said = await site.call("PATCH", one, json=wanted, key=await site.add_key("write", "audit"))
    assert said.json["include_private"] is True


async def test_personal_values_are_sent_elsewhere_only_by_who_may_see_them(site: Site) -> None:
    auditor, writer = await site.add_key("write", "audit"), await site.add_key("write")
    made = await site.call("POST", "/v1/subscriptions", json={"url": HOOK, "include_private": True}, key=auditor)
    one, elsewhere = f"/v1/subscriptions/{made.json['id']}", "https://elsewhere.example/"
    refused = await site.call("PATCH", one, json={"url": elsewhere}, key=writer)
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    assert (await site.call("PATCH", one, json={"description": "theirs"}, key=writer)).status == 200
    changes = {"url": elsewhere, "include_private": False}
    assert (await site.call("PATCH", one, json=changes, key=writer)).json["url"] == elsewhere
    assert (await site.call("PATCH", one, json={"url": HOOK}, key=writer)).status == 200


async def test_a_subscription_is_paused_resumed_and_given_another_secret(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json
    one = f"/v1/subscriptions/{made['id']}"
    paused = (await site.call("POST", f"{one}/pause")).json
    assert (paused["paused_at"], paused["state"]) == (rfc3339(NOW), "active")
    assert (await site.call("POST", f"{one}/resume")).json["paused_at"] is None
    rotated = (await site.call("POST", f"{one}/rotate-secret", json={"overlap_seconds": 60})).json
    again = (await site.call("POST", f"{one}/rotate-secret")).json
    assert len({made["secret"], rotated["secret"], again["secret"]}) == 3
    assert b"whsec" not in (await site.get(one)).body
    for seconds in (-1, 2_592_001, 1.5, "60"):
        said = await site.call("POST", f"{one}/rotate-secret", json={"overlap_seconds": seconds})
        assert said.problem == "invalid_request"
    for deed in ("pause", "resume", "rotate-secret", "test"):
        assert (await site.call("POST", f"/v1/subscriptions/none/{deed}")).problem == "subscription_not_found"


async def test_a_ping_says_what_the_endpoint_said(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": "https://hooks.invalid/"})).json
    pong = (await site.call("POST", f"/v1/subscriptions/{made['id']}/test")).json
    assert (pong["delivered"], pong["status"]) == (False, None)
    assert pong["error"].startswith("The endpoint could not be reached")
    assert (await site.get(f"/v1/subscriptions/{made['id']}")).json["state"] == "active"
