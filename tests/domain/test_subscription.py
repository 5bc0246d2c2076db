from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.announced import Announced
from tracker.domain.manner import LONGEST_WAIT_DOWN
from tracker.domain.subscription import (
    EntryFilter,
    Subscription,
    SubscriptionState,
    by_this_clock,
    delivered,
    disabled,
    failing,
    reachable,
)

THREE_DAYS = timedelta(days=3)
NOW = datetime(2026, 3, 2, 11, 13, 21, tzinfo=UTC)
NEW = Subscription(id="s", url="https://hooks.example.com", secret="whsec_c2VjcmV0", cursor=7, created_at=NOW)


def passes(entry_filter: EntryFilter, **changes: str | None) -> bool:
    members: dict[str, str | None] = {"provider": "demobank", "kind": "payment", "to": "Revoked"}
    members |= {"entry_type": "consent.status_changed"} | changes
    return entry_filter.passes(
        entry_type=members["entry_type"] or "", provider=members["provider"], kind=members["kind"], to=members["to"]
    )


@pytest.mark.parametrize(
    ("pattern", "entry_type", "is_heard"),
    [
        ("*", "consent.status_changed", True),
        ("consent.*", "consent.status_changed", True),
        ("consent.*", "consent.a.b", True),
        ("consent.*", "consent", False),
        ("consent.*", "consents.status_changed", False),
        ("consent.status_changed", "consent.status_changed", True),
        ("consent.status_changed", "consent.status_changed_late", False),
        ("consent.status", "consent.status_changed", False),
        ("payment.*", "consent.status_changed", False),
    ],
)
def test_types_are_exact_or_a_prefix_or_all(pattern: str, entry_type: str, is_heard: bool) -> None:
    assert passes(EntryFilter(types=(pattern,)), entry_type=entry_type) is is_heard


def test_one_of_several_patterns_is_enough() -> None:
    entry_filter = EntryFilter(types=("payment.*", "consent.status_changed"))
    assert passes(entry_filter)
    assert passes(entry_filter, entry_type="payment.status_changed")
    assert not passes(entry_filter, entry_type="consent.registered")


def test_an_empty_filter_hears_everything() -> None:
    assert passes(EntryFilter())
    assert passes(EntryFilter(), provider=None, kind=None, to=None)


@pytest.mark.parametrize("member", ["provider", "kind", "to"])
def test_each_part_narrows_and_an_entry_without_the_member_does_not_pass(member: str) -> None:
    wanted = {"provider": "demobank", "kind": "payment", "to": "Revoked"}[member]
    changes: dict[str, Any] = {member: frozenset({wanted, "another"})}
    entry_filter = replace(EntryFilter(), **changes)
    assert passes(entry_filter)
    assert passes(entry_filter, **{member: "another"})
    assert not passes(entry_filter, **{member: "a third"})
    assert not passes(entry_filter, **{member: None})


def test_all_parts_must_agree() -> None:
    entry_filter = EntryFilter(types=("consent.*",), provider=frozenset({"demobank"}), to=frozenset({"Expired"}))
    assert not passes(entry_filter)
    assert passes(entry_filter, to="Expired")
    assert not passes(entry_filter, to="Expired", provider="other")


def test_the_first_failure_is_tried_again_after_a_second() -> None:
    failed = failing(NEW, NOW, error="The endpoint answered 500.", fraction=0.0)
    assert failed == replace(
        NEW,
        state=SubscriptionState.FAILING,
        failing_since=NOW,
        failures=1,
        next_attempt_at=NOW + timedelta(seconds=1),
        last_error="The endpoint answered 500.",
        tried_at=NOW,
    )


def test_what_the_endpoint_asks_for_is_obeyed_but_never_shortens_the_ladder() -> None:
    def waits(failures: int, seconds: float) -> timedelta | None:
        failed = failing(replace(NEW, failures=failures), NOW, error="", fraction=0.0, wait_seconds=seconds)
        return None if failed.next_attempt_at is None else failed.next_attempt_at - NOW

    assert waits(0, 90.0) == timedelta(seconds=90)
    assert waits(0, 0.0) == timedelta(seconds=1)
    assert waits(6, 5.0) == timedelta(hours=1)


def test_failing_for_three_days_disables_and_keeps_the_cursor() -> None:
    subscription = failing(NEW, NOW, error="x", fraction=0.0)
    almost = failing(subscription, NOW + THREE_DAYS - timedelta(seconds=1), error="x", fraction=0.0)
    assert almost.state is SubscriptionState.FAILING
    assert almost.failing_since == NOW
    over = failing(almost, NOW + THREE_DAYS, error="still", fraction=0.0)
    assert over.state is SubscriptionState.DISABLED
    assert (over.cursor, over.failing_since, over.next_attempt_at, over.last_error) == (7, NOW, None, "still")


def test_a_delivery_ends_all_trouble() -> None:
    failed = failing(failing(NEW, NOW, error="x", fraction=0.5), NOW, error="y", fraction=0.5)
    assert delivered(failed, NOW) == replace(NEW, last_delivered_at=NOW)
    assert reachable(failed) == NEW


def test_disabling_keeps_everything_but_the_next_attempt() -> None:
    failed = failing(NEW, NOW, error="x", fraction=0.0)
    assert disabled(failed, error="gone") == replace(
        failed, state=SubscriptionState.DISABLED, next_attempt_at=None, tried_at=None, last_error="gone"
    )


@given(
    wait=st.integers(1, 86_400),
    ago=st.floats(-30, 30, allow_nan=False),
    set_back=st.floats(0, 30, allow_nan=False),
    is_known=st.booleans(),
)
def test_by_no_clock_it_waits_longer_than_was_meant_or_has_been_failing_since_later_than_now(
    wait: int, ago: float, set_back: float, *, is_known: bool
) -> None:
    failed = failing(NEW, NOW, error="x", fraction=0.0, wait_seconds=wait)
    failed = replace(failed, announced=Announced(percent=50, failing_since=NOW))
    failed = failed if is_known else replace(failed, tried_at=None)
    now = NOW + timedelta(days=ago)
    found = by_this_clock(failed, now, timedelta(days=set_back))
    assert found.next_attempt_at is not None
    assert failed.next_attempt_at is not None
    assert found.next_attempt_at <= failed.next_attempt_at
    assert found.next_attempt_at - now <= (timedelta(seconds=wait) if is_known else LONGEST_WAIT_DOWN)
    assert found.failing_since == found.announced.failing_since == min(NOW, now)
    assert by_this_clock(found, now) == found


def test_a_clock_that_goes_on_changes_nothing() -> None:
    failed = failing(NEW, NOW, error="x", fraction=0.0)
    assert by_this_clock(failed, NOW + timedelta(days=9)) == failed
    assert by_this_clock(NEW, NOW) == NEW


def test_who_asked_a_replay_to_wait_is_left_alone_for_so_long_and_no_longer() -> None:
    held = replace(NEW, held_at=NOW, held_until=NOW + timedelta(seconds=100))
    waits = {-90_000: 0, -61: 0, -60: 100, 0: 100, 40: 60, 100: 0, 9_999: 0}
    assert {seconds: held.held_for(NOW + timedelta(seconds=seconds)).total_seconds() for seconds in waits} == waits
    assert NEW.held_for(NOW) == timedelta()


def test_the_secret_is_not_shown() -> None:
    assert "c2VjcmV0" not in repr(NEW)
