"""By which clock something is done that cannot be undone: one that was seen to go on for a day."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.contract.facts import START
from tracker.domain.steady_clock import NOTHING_IS_CERTAIN, SteadyClock, first_seen

MINUTE, DAY, YEAR = timedelta(minutes=1), timedelta(days=1), timedelta(days=365)


def watched(since: datetime, minutes: int, seen: SteadyClock | None = None) -> SteadyClock:
    seen = seen or first_seen(since)
    for n in range(1, minutes + 1):
        seen = seen.seen(since + n * MINUTE)
    return seen


def test_after_a_day_all_of_before_the_last_day_is_certain() -> None:
    almost = watched(START, 24 * 60 - 1)
    assert almost.certain(almost.seen_at) == NOTHING_IS_CERTAIN
    day = watched(START, 24 * 60)
    assert day.certain(day.seen_at) == day.seen_at - DAY


def test_a_year_ahead_for_a_minute_makes_nothing_certain_then_nor_for_a_day_after() -> None:
    steady = watched(START, 2000)
    ahead = steady.seen_at + YEAR
    assert steady.certain(ahead) == NOTHING_IS_CERTAIN
    leapt = steady.seen(ahead)
    assert leapt.certain(ahead + MINUTE) == NOTHING_IS_CERTAIN
    back = leapt.seen(steady.seen_at + MINUTE)
    assert back.certain(back.seen_at) == NOTHING_IS_CERTAIN
    again = watched(back.seen_at, 24 * 60, back)
    assert again.certain(again.seen_at) == again.seen_at - DAY


def test_a_year_back_makes_nothing_certain() -> None:
    steady = watched(START, 2000)
    assert steady.certain(steady.seen_at - YEAR) == NOTHING_IS_CERTAIN
    assert steady.seen(steady.seen_at - YEAR).since == steady.seen_at - YEAR


def test_a_database_whose_clock_is_another_unsettles_ours() -> None:
    steady = watched(START, 2000)
    now = steady.seen_at + MINUTE
    assert steady.seen(now, now + 4 * MINUTE).since == START
    assert steady.seen(now, now + 6 * MINUTE).since == now
    assert steady.seen(now, now - YEAR).since == now


def test_clocks_of_two_processes_may_differ_by_little() -> None:
    steady = watched(START, 2000)
    assert steady.seen(steady.seen_at - timedelta(seconds=30)).since == START


@given(st.lists(st.floats(-400, 400), max_size=40), st.integers(0, 3000))
def test_whatever_the_clock_does_nothing_of_the_last_day_by_the_last_look_is_certain(
    leaps: list[float], minutes: int
) -> None:
    """What is certain was passed by a clock that went on for a day: it never lies ahead of any steady day."""
    seen, now = first_seen(START), START
    for leap in leaps:
        now += timedelta(days=leap)
        seen = seen.seen(now)
        certain = seen.certain(now)
        assert certain == NOTHING_IS_CERTAIN or (certain == now - DAY and seen.since <= certain)
    steady = watched(now, minutes, seen)
    assert (steady.certain(steady.seen_at) != NOTHING_IS_CERTAIN) == (steady.seen_at - steady.since >= DAY)
