"""`GET /v1/providers`: how the providers are doing, as every process tells it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.hub.scripted_hub import says
from tests.usecases.bench import CONSENT, data
from tests.web.site import Site, open_site

ONE = "/v1/providers/demobank"
REFRESH = f"/v1/consents/demobank/{CONSENT}/refresh"


async def look_after(site: Site) -> None:
    await site.tracker.pulse.write()
    await site.tracker.watch.run_once()
    await site.tracker.conditions.refresh()


def moved(site: Site, status: str) -> dict[str, Any]:
    return data(status, site.clock.now().isoformat())


async def tell(site: Site, status: str) -> None:
    seconds = site.seconds
    found = moved(site, status)
    await site.post(site.event(found, iat=seconds, nbf=seconds, exp=seconds + 600))
    await site.work_off()


async def test_nothing_is_known_in_the_beginning(site: Site) -> None:
    said = await site.get("/v1/providers")
    assert [one["id"] for one in said.json["items"]] == ["demobank", "otherbank"]
    assert said.json["next_cursor"] is None
    told = said.json["items"][0]
    nothing = {"moves": 0, "p50_seconds": None, "p95_seconds": None, "max_seconds": None}
    assert told["moves"] == {"hours": 24, "webhook": nothing, "poll": nothing, "missed": 0, "share_told": None}
    assert told["events"] == {"last_event_at": None, "quiet": None, "quiet_since": None, "heard_again_at": None}
    assert (told["keys"]["state"], told["tokens"]["state"]) == ("unknown", "unknown")
    assert told["breaker"] == {"state": "closed", "since": None, "until": None}
    assert told["budget"] == {
        "requests_per_second": 5.0,
        "daily_requests": 0,
        "room": 5,
        "used_today": 0,
        "left_today": None,
        "day_ends_at": "2026-03-03T00:00:00.000000Z",
        "held_until": None,
        "stretch": 1.0,
    }
    assert (await site.get(ONE)).json == told


async def test_a_lost_event_makes_a_drift_and_a_fear_and_the_next_event_ends_it(site: Site) -> None:
    await site.register()
    site.advance(1)
    await tell(site, "Authorized")
    await look_after(site)
    site.advance(10)
    site.hub.message = {"Data": moved(site, "Suspended")}
    site.advance(50)
    assert (await site.call("POST", REFRESH)).status == 200
    await look_after(site)
    told = (await site.get(ONE)).json
    assert told["moves"]["share_told"] == 0.5
    assert told["moves"]["poll"]["max_seconds"] == 50
    assert told["moves"]["webhook"]["moves"] == 1
    assert (told["keys"]["state"], told["tokens"]["state"]) == ("ok", "ok")
    assert told["budget"]["used_today"] == 1
    assert told["events"]["quiet"] is None
    site.advance(301)
    await look_after(site)
    told = (await site.get(ONE)).json
    assert (told["events"]["quiet"], told["moves"]["missed"]) == ("unsure", 1)
    assert told["events"]["quiet_since"] is not None
    (drift,) = (await site.get("/v1/journal?after=0&types=consent.drift_found")).json["items"]
    assert drift["data"]["reason"] == "suspended_missed"
    timeline = (await site.get(f"/v1/consents/demobank/{CONSENT}/timeline")).json["items"]
    assert timeline[-1]["type"] == "consent.drift_found"
    await tell(site, "Authorized")
    await look_after(site)
    told = (await site.get(ONE)).json
    assert (told["events"]["quiet"], told["events"]["quiet_since"]) == (None, None)
    assert told["events"]["heard_again_at"] is None  # it was no alarm


async def test_only_what_is_in_the_window_counts(site: Site) -> None:
    await site.register()
    site.advance(1)
    await tell(site, "Authorized")
    await look_after(site)
    site.advance(5 * 3600)
    for hours, moves in ((1, 0), (6, 1), (168, 1)):
        assert (await site.get(f"{ONE}?hours={hours}")).json["moves"]["webhook"]["moves"] == moves
    assert (await site.get(f"{ONE}?hours=169")).problem == "invalid_request"


async def test_a_provider_that_fails_and_one_that_wants_to_be_left_alone(site: Site) -> None:
    for n in range(6):
        await site.register(f"c{n}")
    site.hub.always["consent"] = says(500)
    site.hub.always["jwks"] = says(500)
    assert await site.tracker.services.asker.run_once("demobank") == 5
    told = (await site.get(ONE)).json
    assert (told["breaker"]["state"], told["budget"]["room"]) == ("open", 0)
    site.hub.always["consent"] = says(429, Retry_After="30")
    site.advance(6)
    assert await site.tracker.services.asker.run_once("demobank") == 1
    told = (await site.get(ONE)).json
    assert (told["breaker"]["state"], told["budget"]["room"]) == ("closed", 0)
    assert told["budget"]["held_until"] == (site.clock.now() + timedelta(seconds=30)).strftime("%FT%T.%fZ")


async def test_what_is_sent_again_with_a_fresh_token_counts_again(site: Site) -> None:
    await site.register()
    site.hub.next["consent"].append(says(401))
    await site.tracker.services.asker.run_once("demobank")
    assert site.hub.count("consent") == 2
    assert (await site.get(ONE)).json["budget"]["used_today"] == 2


async def test_with_no_room_for_it_nothing_is_sent_again(database: Path, keys: Path) -> None:
    async with open_site(database, keys, daily_requests=1) as site:
        await site.register()
        site.hub.next["consent"].append(says(401))
        assert await site.tracker.services.asker.run_once("demobank") == 1
        assert site.hub.count("consent") == 1


async def test_a_days_budget_is_told_and_stretches_the_intervals(database: Path, keys: Path) -> None:
    async with open_site(database, keys, daily_requests=2) as site:
        for n in range(3):
            await site.register(f"c{n}")
        assert await site.tracker.services.asker.run_once("demobank") == 2
        budget = (await site.get(ONE)).json["budget"]
        assert (budget["used_today"], budget["left_today"], budget["room"]) == (2, 0, 0)
        refused = await site.call("POST", "/v1/consents/demobank/c0/refresh")
        assert refused.problem == "holder_unavailable"
        await look_after(site)
        assert (await site.get(ONE)).json["budget"]["stretch"] > 1
        site.advance(86_400)
        assert await site.tracker.services.asker.run_once("demobank") == 2


async def test_pages_and_who_there_is_not(site: Site) -> None:
    first = (await site.get("/v1/providers?limit=1")).json
    assert [one["id"] for one in first["items"]] == ["demobank"]
    second = (await site.get(f"/v1/providers?limit=1&cursor={first['next_cursor']}")).json
    assert ([one["id"] for one in second["items"]], second["next_cursor"]) == (["otherbank"], None)
    assert (await site.get("/v1/providers/nobody")).problem == "provider_not_found"


@pytest.mark.parametrize(("scope", "status"), [("read", 200), ("audit", 403)])
async def test_readers_may(site: Site, scope: str, status: int) -> None:
    key = await site.add_key(scope)
    assert (await site.get("/v1/providers", key=key)).status == status
