"""Order, places and attempts of a subscription over the API."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.usecases.bench import NOW
from tests.web.site import Site
from tracker.domain.subscription import SubscriptionState
from tracker.journal.instant import rfc3339
from tracker.ports import Progress

HOOK = "https://hooks.example.com/x"
USUAL = {
    "alone_seconds": [5, 15, 30, 60, 120, 300],
    "down_seconds": [1, 5, 30, 120, 600, 1800, 3600],
    "disable_after_seconds": 259_200,
}
MINE = {"alone_seconds": [10], "down_seconds": [60, 600], "disable_after_seconds": 86_400}


def manner(shown: dict[str, object]) -> tuple[object, object, object]:
    return shown["order"], shown["most_in_flight"], shown["attempts"]


async def test_without_wishes_each_consent_keeps_its_order(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json
    assert manner(made) == ("consent", 16, USUAL)


async def test_what_is_wished_for_is_kept_and_changed(site: Site) -> None:
    wanted = {"url": HOOK, "order": "none", "most_in_flight": 64, "attempts": MINE}
    made = (await site.call("POST", "/v1/subscriptions", json=wanted)).json
    assert manner(made) == ("none", 64, MINE)
    place = f"/v1/subscriptions/{made['id']}"
    assert manner((await site.get(place)).json) == ("none", 64, MINE)
    changed = (await site.call("PATCH", place, json={"order": "consent"})).json
    assert manner(changed) == ("consent", 64, MINE)
    changed = (await site.call("PATCH", place, json={"most_in_flight": 1, "attempts": {"alone_seconds": [7]}})).json
    assert manner(changed) == ("consent", 1, {**USUAL, "alone_seconds": [7]})  # attempts are given whole
    assert manner((await site.get(place)).json) == manner(changed)
    assert changed["version"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": "strict"},
        {"most_in_flight": 0},
        {"most_in_flight": 65},
        {"attempts": {"alone_seconds": []}},
        {"attempts": {"alone_seconds": [0]}},
        {"attempts": {"alone_seconds": [3_601]}},
        {"attempts": {"alone_seconds": [1] * 21}},
        {"attempts": {"down_seconds": [86_401]}},
        {"attempts": {"down_seconds": [1.5]}},
        {"attempts": {"disable_after_seconds": 59}},
        {"attempts": {"disable_after_seconds": 2_592_001}},
        {"attempts": {"forever": True}},
    ],
)
async def test_what_cannot_be_is_refused(site: Site, wrong: dict[str, object]) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json
    for method, place, body in (
        ("POST", "/v1/subscriptions", {"url": HOOK, **wrong}),
        ("PATCH", f"/v1/subscriptions/{made['id']}", wrong),
    ):
        said = await site.call(method, place, json=body)
        assert (said.status, said.problem) == (422, "invalid_request")


async def test_the_breaker_and_the_way_to_disablement_are_shown_apart(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json
    place = f"/v1/subscriptions/{made['id']}"

    async def shown() -> list[object]:
        found = (await site.get(place)).json
        return [found[name] for name in ("state", "breaker", "open_until", "failing_since", "disables_at")]

    async def stands(state: SubscriptionState, tried_again_in: float | None = None) -> None:
        saved = await site.tracker.store.get_subscription(made["id"])
        assert saved is not None
        again = None if tried_again_in is None else NOW + timedelta(seconds=tried_again_in)
        since = None if state is SubscriptionState.ACTIVE else NOW
        now = replace(saved, state=state, failing_since=since, next_attempt_at=again)
        assert await site.tracker.store.save_progress(Progress(subscription=now))

    assert await shown() == ["active", "closed", None, None, None]
    days = rfc3339(NOW + timedelta(days=3))
    await stands(SubscriptionState.FAILING, 60)
    assert await shown() == ["failing", "open", rfc3339(NOW + timedelta(seconds=60)), rfc3339(NOW), days]
    await stands(SubscriptionState.FAILING, 0)
    assert await shown() == ["failing", "half_open", None, rfc3339(NOW), days]
    await stands(SubscriptionState.DISABLED)
    assert await shown() == ["disabled", "open", None, rfc3339(NOW), None]
