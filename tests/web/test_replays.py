"""Jobs that tell a subscriber again, over the API; how they go stands in tests/usecases/test_replays.py."""

from datetime import timedelta
from typing import Any

import pytest

from tests.web.site import Site
from tracker.domain.subscription import Parked
from tracker.journal.instant import rfc3339
from tracker.ports import Progress

HOOK = "https://hooks.invalid/x"


async def a_subscription(site: Site, consents: int = 3) -> str:
    """One that has gone past a few entries."""
    for n in range(consents):
        await site.register(f"c{n}")
    made = await site.call("POST", "/v1/subscriptions", json={"url": HOOK})
    return f"/v1/subscriptions/{made.json['id']}"


async def give_up(site: Site, one: str, *sequences: int) -> None:
    subscription = await site.tracker.store.get_subscription(one.rpartition("/")[2])
    assert subscription is not None
    rows = tuple(Parked(sequence=n, tracking_id="t", attempts=6, next_attempt_at=site.clock.now()) for n in sequences)
    assert await site.tracker.store.save_progress(Progress(subscription=subscription, given_up=rows))


async def test_a_job_is_asked_for_shown_listed_and_cancelled(site: Site) -> None:
    one = await a_subscription(site)
    said = await site.call("POST", f"{one}/replay", json={"from_sequence": 2, "per_second": 5})
    assert said.status == 202
    made = said.json
    assert said.headers["Location"] == f"{one}/jobs/{made['id']}"
    facts = {"resends": "range", "from_sequence": 2, "to_sequence": 3, "total": 2, "state": "waiting", "per_second": 5}
    assert {name: made[name] for name in facts} == facts
    assert (await site.get(said.headers["Location"])).json == made | {"failures": []}
    other = (await site.call("POST", f"{one}/replay", json={"sequences": [3, 1]})).json
    assert (other["resends"], other["sequences"]) == ("sequences", [1, 3])
    assert (await site.get(f"{one}/jobs")).json == {"items": [other, made], "next_cursor": None}
    page = (await site.get(f"{one}/jobs?limit=1")).json
    assert page["items"] == [other]
    assert (await site.get(f"{one}/jobs?limit=1&cursor={page['next_cursor']}")).json == {
        "items": [made],
        "next_cursor": None,
    }
    assert (await site.get(f"{one}/jobs?cursor=x")).problem == "cursor_invalid"
    gone = (await site.call("POST", f"{one}/jobs/{made['id']}/cancel")).json
    assert gone == made | {"state": "cancelled", "finished_at": rfc3339(site.clock.now())}
    site.advance(5)
    assert (await site.call("POST", f"{one}/jobs/{made['id']}/cancel")).json == gone


async def test_each_choice_is_understood(site: Site) -> None:
    one = await a_subscription(site)
    await give_up(site, one, 1, 3)
    now = site.clock.now()
    later, before = rfc3339(now + timedelta(days=9)), rfc3339(now - timedelta(seconds=1))
    site.advance(1)
    for body, wanted, total in (
        ({"sequence": 2}, "sequences", 1),
        ({"missing": True}, "missing", 2),
        ({"failed": {"since": rfc3339(now)}}, "failed", 2),
        ({"failed": {"since": before, "until": rfc3339(now)}}, "failed", 0),
        ({"failed": {"since": rfc3339(now), "until": later}}, "failed", 2),
        ({"from_time": before}, "range", 3),
        ({"from_time": before, "to_sequence": 2}, "range", 2),
        ({"from_time": later}, "range", 0),
        ({"from_sequence": 3, "to_sequence": 99}, "range", 1),
    ):
        made = (await site.call("POST", f"{one}/replay", json=body)).json
        assert (made["resends"], made["total"]) == (wanted, total), body


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sequence": 1, "missing": True},
        {"missing": False},
        {"sequences": []},
        {"sequence": 0},
        {"sequence": 9},
        {"sequence": "1"},
        {"to_sequence": 2},
        {"missing": True, "to_sequence": 2},
        {"from_sequence": 3, "to_sequence": 2},
        {"failed": {}},
        {"failed": {"since": "yesterday"}},
        {"failed": {"since": "2026-03-02T10:00:00Z", "until": "2026-03-02T10:00:00Z"}},
        {"missing": True, "per_second": 1_001},
        {"missing": True, "rate": 1},
    ],
)
async def test_what_cannot_be_is_refused(site: Site, body: dict[str, Any]) -> None:
    one = await a_subscription(site)
    assert (await site.call("POST", f"{one}/replay", json=body)).problem == "invalid_request"
    assert (await site.get(f"{one}/jobs")).json["items"] == []


async def test_what_there_is_not_is_not_found(site: Site) -> None:
    one = await a_subscription(site)
    other = f"/v1/subscriptions/{(await site.call('POST', '/v1/subscriptions', json={'url': HOOK})).json['id']}"
    job = (await site.call("POST", f"{one}/replay", json={"sequence": 1})).json["id"]
    for method, end in (("GET", ""), ("POST", "/cancel")):
        assert (await site.call(method, f"{other}/jobs/{job}{end}")).problem == "job_not_found"
        assert (await site.call(method, f"/v1/subscriptions/none/jobs/{job}{end}")).problem == "subscription_not_found"
    assert (await site.get("/v1/subscriptions/none/jobs")).problem == "subscription_not_found"
    none = await site.call("POST", "/v1/subscriptions/none/replay", json={"missing": True})
    assert none.problem == "subscription_not_found"


async def test_what_has_failed_in_a_job_is_shown_with_the_endpoints_words(site: Site) -> None:
    one = await a_subscription(site)
    await give_up(site, one, 2)
    job = (await site.call("POST", f"{one}/replay", json={"missing": True})).json
    site.execute(
        f"INSERT INTO replay_failure VALUES ('{job['id']}', 2, 't', 3, 'x', 'bad\\x1b', '2026-03-02T11:20:00.000000Z')"
    )
    site.execute("UPDATE replay SET failed = 1")
    (failure,) = (await site.get(f"{one}/jobs/{job['id']}")).json["failures"]
    assert (failure["sequence"], failure["attempts"], failure["answer"]) == (f"{2:020}", 3, "bad\\x1b")


async def test_a_subscription_shows_how_far_behind_it_is(site: Site) -> None:
    one = await a_subscription(site)
    await give_up(site, one, 1, 2)
    site.advance(7)
    await site.register("new")
    site.advance(5.5)
    shown = (await site.get(one)).json
    facts = {"entries_behind": 1, "seconds_behind": 5.5, "parked_entries": 0, "dead_letters": 2}
    assert {name: shown[name] for name in facts} == facts
    assert (await site.get("/v1/subscriptions")).json["items"] == [shown]
    assert (await site.get(one)).headers["ETag"] == '"1"'


# ---------------------------------------------------------------------------------------------- trying a filter


async def test_a_filter_is_tried_before_anybody_subscribes_by_it(site: Site) -> None:
    for n in range(25):
        await site.register(f"c{n}", user_ref="customer-42")
    everything = (await site.call("POST", "/v1/subscriptions/preview", json={})).json
    assert (everything["looked_at"], everything["from_sequence"], everything["passed"]) == (25, 1, 25)
    assert everything["by_type"] == [{"type": "consent.registered", "count": 25}]
    assert [int(one["sequence"]) for one in everything["newest"]] == list(range(25, 5, -1))
    assert "private" not in everything["newest"][0]
    some = {"types": ["consent.*"], "filter": {"kind": ["payment"]}}
    none = (await site.call("POST", "/v1/subscriptions/preview", json=some)).json
    assert (none["looked_at"], none["passed"], none["by_type"], none["newest"]) == (25, 0, [], [])
    assert (await site.get("/v1/subscriptions")).json["items"] == []
    for wrong in ({"types": []}, {"filter": {"to": ["Gone"]}}, {"url": HOOK}):
        said = await site.call("POST", "/v1/subscriptions/preview", json=wrong)
        assert said.problem == "invalid_request"


async def test_of_an_empty_journal_nothing_passes(site: Site) -> None:
    said = await site.call("POST", "/v1/subscriptions/preview", json={}, key=await site.add_key("read"))
    assert said.json == {"looked_at": 0, "from_sequence": None, "passed": 0, "by_type": [], "newest": []}
