"""Lists: filters, pages, cursors."""

import base64
import json
from datetime import timedelta
from typing import Any

from tests import crowd
from tests.usecases.bench import data, message
from tests.web.site import Site, forged_cursor


async def ids(site: Site, query: str = "") -> list[str]:
    said = await site.get(f"/v1/consents?{query}")
    assert said.status == 200, said.body
    assert said.headers["Cache-Control"] == "no-store"
    return [item["consent_id"] for item in said.json["items"]]


async def tell(site: Site, consent_id: str, status: str, **changes: Any) -> None:
    found = data(status, ConsentId=consent_id, **changes)
    await site.post(site.event(message=message(found, ConsentId=consent_id)))
    await site.work_off()


async def test_every_filter_narrows_and_all_must_hold(site: Site) -> None:
    await site.register("a", user_ref="Zoë & co", base_consent_id="root")
    await site.register("b", kind="payment", expiration_date_time="2026-05-01T00:00:00Z")
    await site.register("c", provider="otherbank", user_ref="Zoë & co")
    site.advance(60)
    await tell(site, "a", "Authorized", ExpirationDateTime="2026-03-02T15:22:00+04:00", BaseConsentId="root")
    site.advance(60)  # a's expiry has come, and nobody has said so yet
    found = {
        "": ["a", "b", "c"],
        "provider=demobank": ["a", "b"],
        "provider=nobank": [],
        "kind=payment": ["b"],
        "status=Authorized": ["a"],
        "status=NotStaged": ["b", "c"],
        "effective_status=Authorized": [],
        "effective_status=Expired": ["a"],
        "status=Authorized&effective_status=Expired": ["a"],
        "user_ref=Zo%C3%AB+%26%20co": ["a", "c"],
        "user_ref=Zo%C3%AB": [],
        "base_consent_id=root": ["a"],
        "expiring_before=2026-03-02T11:22:00Z": [],
        "expiring_before=2026-03-02T11:22:01Z": ["a"],
        "expiring_before=2026-06-01T04:00:00%2B04:00": ["a", "b"],
        "updated_since=2026-03-02T11:20:00Z": ["a", "b", "c"],
        "updated_since=2026-03-02T11:20:01Z": ["a"],
        "updated_since=2026-03-02T11:22:01Z": [],
        "provider=demobank&user_ref=Zo%C3%AB+%26%20co&kind=account-access": ["a"],
        "provider=otherbank&kind=payment": [],
    }
    assert {query: await ids(site, query) for query in found} == found
    item = (await site.get("/v1/consents?kind=account-access&limit=1")).json["items"][0]
    assert item | {"next_poll_at": None} == (await site.get("/v1/consents/demobank/a")).json | {"next_poll_at": None}


async def test_pages_have_no_gap_and_no_repeat_while_consents_come_in(site: Site) -> None:
    for n in range(7):
        await site.register(f"c{n}")
    seen: list[str] = []
    cursor, page = "", 0
    while True:
        said = (await site.get(f"/v1/consents?limit=3{cursor}")).json
        seen += [item["consent_id"] for item in said["items"]]
        assert len(said["items"]) <= 3
        if said["next_cursor"] is None:
            break
        cursor = f"&cursor={said['next_cursor']}"
        page += 1
        if page <= 2:
            await site.register(f"late{page}")
    assert seen == [*(f"c{n}" for n in range(7)), "late1", "late2"]


async def test_a_last_page_that_is_full_says_that_it_is_the_last(site: Site) -> None:
    for n in range(4):
        await site.register(f"c{n}")
    said = (await site.get("/v1/consents?limit=4")).json
    assert (len(said["items"]), said["next_cursor"]) == (4, None)


async def test_pages_of_a_search_stay_in_the_search(site: Site) -> None:
    for n in range(6):
        await site.register(f"c{n}", kind="payment" if n % 2 else "account-access")
    first = (await site.get("/v1/consents?kind=payment&limit=2")).json
    second = (await site.get(f"/v1/consents?kind=payment&limit=2&cursor={first['next_cursor']}")).json
    assert [item["consent_id"] for item in first["items"] + second["items"]] == ["c1", "c3", "c5"]
    # The size of a page may change on the way; the search may not.
    assert (await site.get(f"/v1/consents?kind=payment&cursor={first['next_cursor']}")).status == 200
    for other in ("/v1/consents", "/v1/consents?kind=account-access", "/v1/quarantine", "/v1/subscriptions"):
        said = await site.get(f"{other}{'&' if '?' in other else '?'}cursor={first['next_cursor']}")
        assert (said.status, said.problem) == (422, "cursor_invalid"), other


async def test_a_cursor_with_the_right_mark_and_a_key_that_is_none_is_refused(site: Site) -> None:
    for n in range(2):
        await site.register(f"c{n}")
    cursor = (await site.get("/v1/consents?limit=1")).json["next_cursor"]
    version, _, search = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    for key in ("", "x", 5, None, "0198F1C2-0000-7000-8000-000000000000"):
        assert (
            await site.get(f"/v1/consents?cursor={forged_cursor(version, key, search)}")
        ).problem == "cursor_invalid"


async def test_the_bounds_of_a_limit_are_within(site: Site) -> None:
    for path in ("/v1/consents", "/v1/quarantine", "/v1/subscriptions", "/v1/journal"):
        for limit in ("1", "500", "007"):
            assert (await site.get(f"{path}?limit={limit}")).status == 200


async def test_the_quarantine_is_listed_page_by_page_the_newest_first(site: Site) -> None:
    for n in range(5):
        site.advance(1)
        await site.post(site.event(iss=f"https://evil{n}.example"), headers={"x-fapi-interaction-id": f"n{n}"})
    await site.work_off()
    first = await site.get("/v1/quarantine?limit=3")
    assert first.headers["Cache-Control"] == "no-store"
    await site.post(site.event(iss="https://evil.example"), headers={"x-fapi-interaction-id": "late"})
    await site.work_off()
    second = (await site.get(f"/v1/quarantine?limit=3&cursor={first.json['next_cursor']}")).json
    found = first.json["items"] + second["items"]
    assert [item["interaction_id"] for item in found] == ["n4", "n3", "n2", "n1", "n0"]
    assert second["next_cursor"] is None
    newest = found[0]
    assert (newest["reason"], newest["verified"], newest["profile"]) == ("issuer_unknown", False, "uae-v2.1")
    received = (site.clock.now() - timedelta(seconds=0)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert newest["received_at"] == received
    assert newest["size_bytes"] > 500


async def test_ten_thousand_rows_are_paged_whole_and_in_order_while_others_come_in_and_change(site: Site) -> None:
    first = await site.register(crowd.name(0), user_ref="u")
    crowd.gather(site.database, 10_000)
    assert first["tracking_id"] < "02f"
    seen: list[str] = []
    query, late = "user_ref=u&kind=account-access&status=NotStaged&limit=500", 0
    cursor: str | None = ""
    while cursor is not None:
        said = (await site.get(f"/v1/consents?{query}{cursor and f'&cursor={cursor}'}")).json
        seen += [item["consent_id"] for item in said["items"]]
        cursor = said["next_cursor"]
        if len(seen) < 6000:  # one comes in before, one behind what was read; and of both, some change
            late += 1
            for place in ("00000000-0000", "fff00000-0000"):
                crowd.add(site.database, f"{place}-7000-8000-{late:012}", f"{place}-{late}")
            site.execute(
                f"""UPDATE consent SET version = version + 1, updated_at = '{2026 + late}' || substr(updated_at, 5)
                WHERE consent_id BETWEEN '{crowd.name(len(seen) - 50)}' AND '{crowd.name(len(seen) + 49)}'"""
            )
            # The holder's word about one that was read, which stays read, and about one that is to come, which is gone.
            gone = f"'{crowd.name(late)}', '{crowd.name(10_000 - late)}'"
            site.execute(f"UPDATE consent SET status = 'Authorized' WHERE consent_id IN ({gone})")
    assert late == 11
    assert seen == [*(crowd.name(n) for n in range(10_000 - late)), *(f"fff00000-0000-{n + 1}" for n in range(late))]
