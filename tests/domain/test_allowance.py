"""How often a provider may be asked: never more than its limits, at any rate, whoever asks when, and whatever the clock does."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.allowance import Allowance, Limits, Room

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
RATES = st.one_of(st.sampled_from([0.1, 0.3, 1.0, 2.5, 5.0, 7.3, 50.0, 1000.0]), st.floats(0.05, 200))
STEPS = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 60), st.sampled_from(["schedule", "turn"])), max_size=60)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@given(rate=RATES, steps=STEPS, per_day=st.sampled_from([0, 1, 7, 100]))
def test_no_span_has_more_than_the_rate_and_no_day_more_than_its_own(
    rate: float, steps: list[tuple[float, int, str]], per_day: int
) -> None:
    limits, allowance, now = Limits(per_second=rate, per_day=per_day), Allowance(), START
    sent: list[datetime] = []
    for seconds, most, who in steps:
        now += timedelta(seconds=seconds)
        if who == "schedule":
            taken = min(most, allowance.for_schedule(limits, now).urgent)
            allowance = allowance.take(taken, limits, now).wanted(now, limits, more=taken < most)
        else:
            taken = min(most, allowance.for_turns(limits, now))
            changed = allowance.take_turns(taken, limits, now)
            allowance = changed if taken else allowance.awaited(most, now, limits)
        sent += [now] * taken
    for begin in set(sent):
        within = sum(begin <= one < begin + limits.span for one in sent)
        assert within <= limits.at_once
    for day in {one.date() for one in sent}:
        assert not per_day or sum(one.date() == day for one in sent) <= per_day
    assert len(allowance.taken) <= 22  # small, whatever was asked


@given(rate=RATES, waits=st.lists(st.floats(0, 10), max_size=30))
def test_who_waits_as_long_as_he_is_told_gets_his_turn(rate: float, waits: list[float]) -> None:
    limits, allowance, now = Limits(per_second=rate), Allowance(), START
    for wait in waits:
        now += timedelta(seconds=wait)
        allowance = allowance.take(allowance.room(limits, now).urgent, limits, now).wanted(now, limits, more=True)
        for _ in range(4):  # for a place in the span, and then for the share of it
            now += allowance.wait(limits, now)
        assert allowance.wait(limits, now) == timedelta()
        assert allowance.for_turns(limits, now) >= 1
        allowance = allowance.take_turns(1, limits, now)


@pytest.mark.parametrize("rate", [0.3, 1.0, 3.0, 5.0, 50.0])
@pytest.mark.parametrize("is_schedule_busy", [True, False])
def test_both_get_their_share_at_every_rate(rate: float, is_schedule_busy: bool) -> None:
    limits, allowance = Limits(per_second=rate), Allowance()
    scheduled = wanted = 0
    for step in range(int(400 / rate) * 50):
        now = at(step / 50)
        if step % 50 == 25:
            room = allowance.for_schedule(limits, now).urgent
            taken = room if is_schedule_busy else 0
            allowance = allowance.take(taken, limits, now).wanted(now, limits, more=is_schedule_busy)
            scheduled += taken
        turns = min(1000, allowance.for_turns(limits, now))
        wanted += turns
        allowance = allowance.take_turns(turns, limits, now) if turns else allowance.awaited(1000, now, limits)
    assert scheduled + wanted <= 401 + rate
    assert wanted >= (120 if is_schedule_busy else 360)
    assert scheduled >= (120 if is_schedule_busy else 0)


@given(rate=RATES, jump=st.floats(-90_000, 90_000), asked=st.integers(1, 50))
def test_a_clock_that_is_set_neither_stops_it_for_long_nor_gives_back_what_was_just_used(
    rate: float, jump: float, asked: int
) -> None:
    limits = Limits(per_second=rate)
    now = at(0)
    allowance = Allowance().take(min(asked, limits.at_once), limits, now)
    now += timedelta(seconds=min(0.0, jump))
    allowance = allowance.settled(limits, now)
    assert allowance.room(limits, now).urgent == limits.at_once - min(asked, limits.at_once)
    assert allowance.room(limits, now + 2 * limits.span).urgent == limits.at_once


def test_a_day_that_comes_again_is_not_a_new_one() -> None:
    limits = Limits(per_second=100, per_day=10)
    night = datetime(2026, 3, 3, 0, 0, 1, tzinfo=UTC)
    allowance = Allowance().take(10, limits, night)
    assert allowance.room(limits, night + timedelta(seconds=5)) == Room(0, 0)
    assert allowance.room(limits, night - timedelta(seconds=5)) == Room(0, 0)
    assert allowance.room(limits, night + timedelta(days=1)).urgent == 10
    assert allowance.wait(limits, night) == timedelta(days=1, seconds=-1)


def test_of_a_short_day_the_ordinary_gets_its_part_by_the_hour_and_the_urgent_all_that_is_left() -> None:
    limits, day = Limits(per_second=1000, per_day=100), datetime(2026, 3, 3, tzinfo=UTC)
    allowance = Allowance()
    for hour in range(24):
        now = day + timedelta(hours=hour)
        allowance = allowance.take(allowance.room(limits, now).ordinary, limits, now)
        assert allowance.used == int(5 + 85 * hour / 24)
    assert allowance.room(limits, day + timedelta(hours=23, minutes=59)).urgent == 100 - allowance.used
    spent = Allowance().take(60, limits, day + timedelta(hours=1))  # all of it urgent
    assert spent.room(limits, day + timedelta(hours=2)) == Room(40, 0)
    assert spent.room(limits, day + timedelta(hours=20)).ordinary == int(5 + 85 * 20 / 24) - 60


def test_a_provider_that_wants_to_be_left_alone_is_however_often_it_says_so() -> None:
    limits = Limits(per_second=5)
    allowance = Allowance().held(77, at(0)).held(5, at(1))
    assert allowance.is_held(at(76.9))
    assert allowance.room(limits, at(76.9)) == Room(0, 0)
    assert allowance.wait(limits, at(7)) == timedelta(seconds=70)
    assert allowance.room(limits, at(77)) == Room(5, 5)


def test_the_schedule_leaves_room_for_those_who_wait_while_they_do() -> None:
    limits = Limits(per_second=6)
    allowance = Allowance().awaited(2, at(0), limits)
    assert allowance.for_schedule(limits, at(1)) == Room(4, 4)
    assert allowance.for_schedule(limits, at(6)) == Room(6, 6)
    assert allowance.awaited(2, at(1), limits) is allowance  # nothing to write down


def test_many_questions_are_written_down_as_few_and_never_as_sent_sooner_than_they_were() -> None:
    limits, now = Limits(per_second=100), at(0.04)
    allowance = Allowance().take(60, limits, at(0.03)).take(40, limits, now)
    assert len(allowance.taken) == 1
    assert allowance.room(limits, now + limits.span - timedelta(milliseconds=1)).urgent == 0
    assert allowance.room(limits, now + limits.span * 1.05).urgent == 100


def test_a_day_that_a_clock_set_forward_has_begun_gives_none_of_the_true_one_back() -> None:
    limits, evening = Limits(per_second=1000, per_day=100), datetime(2026, 3, 2, 22, tzinfo=UTC)
    allowance = Allowance().take(90, limits, evening)
    ahead = evening + timedelta(hours=3)  # past midnight
    allowance = allowance.settled(limits, ahead).take(5, limits, ahead)
    allowance = allowance.settled(limits, evening)
    assert allowance.room(limits, evening).urgent == 5
    allowance = allowance.take(5, limits, evening)
    assert allowance.room(limits, evening + timedelta(hours=1)).urgent == 0
    assert (
        allowance.room(limits, evening + timedelta(hours=3)).urgent == 90
    )  # asked of a day that had not come: counted too
    assert allowance.room(limits, evening + timedelta(days=2)).urgent == 100


@pytest.mark.parametrize("days", [2, 30, 400])
def test_a_clock_that_was_days_ahead_does_not_spend_the_days_up_to_then(days: int) -> None:
    limits = Limits(per_second=1000, per_day=100)
    allowance = Allowance().take(60, limits, START).take(30, limits, START + timedelta(days=days))
    allowance = allowance.settled(limits, START)
    assert allowance.room(limits, START).urgent == 10  # all of it was asked today
    allowance = allowance.take(10, limits, START)
    assert allowance.settled(limits, at(5)).room(limits, at(5)).urgent == 0
    tomorrow = START + timedelta(days=1)
    assert allowance.settled(limits, tomorrow).room(limits, tomorrow).urgent == 100


def test_a_provider_is_left_alone_no_longer_than_it_asked_for_whatever_the_clock_does() -> None:
    limits = Limits(per_second=5)
    allowance = Allowance().held(120, at(7200)).settled(limits, at(0))
    assert allowance.wait(limits, at(0)) == timedelta(seconds=120)
    assert allowance.held(60, at(1)).wait(limits, at(1)) == timedelta(seconds=119)
    assert allowance.room(limits, at(120)) == Room(5, 5)


def test_who_waits_gets_his_share_after_the_clock_was_set_back_beside_a_busy_schedule() -> None:
    limits, ahead = Limits(per_second=1), at(7200)
    allowance = Allowance().take_turns(1, limits, ahead).wanted(ahead, limits, more=True).awaited(1, ahead, limits)
    turns = scheduled = 0
    for second in range(2, 42):
        now = at(second / 2)
        allowance = allowance.settled(limits, now)
        if given := allowance.for_turns(limits, now):
            allowance, turns = allowance.take_turns(given, limits, now), turns + given
        else:
            allowance = allowance.awaited(1, now, limits)
        taken = allowance.for_schedule(limits, now).urgent
        allowance, scheduled = allowance.take(taken, limits, now).wanted(now, limits, more=True), scheduled + taken
    assert turns >= 8
    assert scheduled >= 8
