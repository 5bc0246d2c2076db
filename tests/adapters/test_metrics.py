"""Metrics without a service: labels stay bounded, whatever comes in, and gauges say what a survey found."""

from dataclasses import replace
from datetime import timedelta

from prometheus_client import CollectorRegistry

from tests.clocks import START
from tracker.adapters.metrics import gauges, labels
from tracker.adapters.metrics.counters import Counters
from tracker.adapters.metrics.gauges import Gauges, Snapshot
from tracker.domain.subscription import SubscriptionState
from tracker.ports import Due, DueAsks, Standing, Survey


def a_survey(**changes) -> Survey:
    facts = {
        "at": START,
        "inbox_events": 0,
        "inbox_received_at": None,
        "inbox_due_since": None,
        "journal_head": 1000,
        "quarantine_verified": 0,
        "quarantine_unverified": 0,
        "asks": {},
        "expired_unconfirmed": {},
        "clock": Due(count=0, since=None),
        "notices": Due(count=0, since=None),
        "subscriptions": (),
        "parked": 0,
        "dead_letters": 0,
    }
    return Survey(**{**facts, **changes})


def shown(survey: Survey) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Gauges("1", lambda: Snapshot(survey=survey)))
    return registry


def standings(*cursors: int, state: SubscriptionState = SubscriptionState.ACTIVE) -> tuple[Standing, ...]:
    return tuple(Standing(id=f"s-{cursor}", state=state, cursor=cursor) for cursor in cursors)


def test_the_lag_is_what_is_left_to_settle_and_disabled_ones_have_none():
    told = standings(400, 990) + standings(10, state=SubscriptionState.DISABLED)
    registry = shown(a_survey(subscriptions=told))
    lag = "tracker_subscription_lag_entries"
    assert registry.get_sample_value(lag, {"subscription": "s-400"}) == 600
    assert registry.get_sample_value(lag, {"subscription": "s-990"}) == 10
    assert registry.get_sample_value(lag, {"subscription": "s-10"}) is None
    assert registry.get_sample_value(lag + "_max") == 600
    states = {
        s.value: registry.get_sample_value("tracker_subscriptions", {"state": s.value}) for s in SubscriptionState
    }
    assert states == {"active": 2, "failing": 0, "disabled": 1, "pending": 0}


def test_the_lag_in_seconds_is_the_age_of_what_is_not_settled():
    early, even = standings(400, 1000)
    told = (replace(early, waits_since=START - timedelta(seconds=75)), even)
    lost = replace(early, id="gone", state=SubscriptionState.DISABLED, waits_since=START - timedelta(days=1))
    registry = shown(a_survey(subscriptions=(*told, lost)))
    lag = "tracker_subscription_lag_seconds"
    assert registry.get_sample_value(lag, {"subscription": "s-400"}) == 75
    assert registry.get_sample_value(lag, {"subscription": "s-1000"}) == 0
    assert registry.get_sample_value(lag, {"subscription": "gone"}) is None
    assert registry.get_sample_value(lag + "_max") == 75


def test_a_subscription_that_is_paused_is_not_behind():
    paused = Standing(id="s-1", state=SubscriptionState.FAILING, cursor=1, is_paused=True)
    registry = shown(a_survey(subscriptions=(paused, *standings(990))))
    found = {s: registry.get_sample_value("tracker_subscriptions", {"state": s}) for s in ("failing", "paused")}
    assert found == {"failing": 0, "paused": 1}
    assert registry.get_sample_value("tracker_subscription_lag_entries", {"subscription": "s-1"}) is None
    assert registry.get_sample_value("tracker_subscription_lag_entries_max") == 10


def test_so_many_subscriptions_are_shown_and_no_more(monkeypatch):
    monkeypatch.setattr(gauges, "MOST_SUBSCRIPTIONS", 3)
    registry = shown(a_survey(subscriptions=standings(*range(10))))
    (family,) = [found for found in registry.collect() if found.name == "tracker_subscription_lag_entries"]
    assert [sample.value for sample in family.samples] == [1000, 999, 998]
    assert registry.get_sample_value("tracker_subscriptions", {"state": "active"}) == 10


def test_ages_are_of_the_look_and_never_negative():
    asks = {"demobank": DueAsks(count=2, since=START - timedelta(seconds=30))}
    late, ahead = START - timedelta(seconds=90), START + timedelta(seconds=5)
    registry = shown(a_survey(inbox_received_at=late, inbox_due_since=ahead, asks=asks, parked=4, dead_letters=2))
    assert registry.get_sample_value("tracker_inbox_oldest_seconds") == 90
    assert registry.get_sample_value("tracker_inbox_overdue_seconds") == 0
    assert registry.get_sample_value("tracker_asks_overdue_seconds", {"provider": "demobank"}) == 30
    assert registry.get_sample_value("tracker_parked_entries") == 4
    clock, notices = Due(count=7, since=late), Due(count=2, since=ahead)
    registry = shown(a_survey(clock=clock, notices=notices))
    told = (
        "tracker_clock_due",
        "tracker_clock_overdue_seconds",
        "tracker_notices_due",
        "tracker_notices_overdue_seconds",
    )
    assert [registry.get_sample_value(name) for name in told] == [7, 90, 2, 0]
    registry = shown(a_survey(inbox_received_at=late, inbox_due_since=ahead, asks=asks, parked=4, dead_letters=2))
    assert registry.get_sample_value("tracker_dead_letters") == 2


def test_words_stay_bounded():
    words = labels.Words(most=2)
    assert [words.word(text) for text in ("", "a", "b", "c", "a")] == ["", "a", "b", "other", "a"]
    for strange in ("A", "a b", "ä", "a" * 49, "eyJhbGci.x", "1"):
        assert labels.Words().word(strange) == "other"


def test_what_the_door_answered_is_told_apart():
    registry = CollectorRegistry()
    counters = Counters(registry)
    for status, reason in ((202, ""), (204, ""), (400, "x"), (413, "y"), (503, "z"), (500, "")):
        counters.event_answered(status=status, reason=reason)
    outcomes = {
        ("kept", ""): 2,
        ("refused", "x"): 1,
        ("refused", "y"): 1,
        ("unavailable", "z"): 1,
        ("unavailable", ""): 1,
    }
    for (outcome, reason), count in outcomes.items():
        found = registry.get_sample_value("tracker_events_received_total", {"outcome": outcome, "reason": reason})
        assert found == count, (outcome, reason)
