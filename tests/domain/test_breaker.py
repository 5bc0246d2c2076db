"""The circuit breaker: it opens by failures, lets one question at a time try, and closes by an answer."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.breaker import (
    FAILURES_IN_A_ROW,
    FEWEST_FOR_A_SHARE,
    LONGEST_WAIT,
    PROBE_TAKES,
    Breaker,
    BreakerState,
)

START = datetime(2026, 3, 2, 6, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def opened(now: datetime = START) -> Breaker:
    return Breaker().heard([False] * FAILURES_IN_A_ROW, now)


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    almost = Breaker().heard([False] * (FAILURES_IN_A_ROW - 1), START)
    assert almost.room(START) is None
    assert almost.heard([True], START).heard([False] * (FAILURES_IN_A_ROW - 1), START).room(START) is None
    breaker = almost.heard([False], START)
    assert (breaker.state, breaker.room(START), breaker.since) == (BreakerState.OPEN, 0, START)
    assert breaker.wait(START) == timedelta(seconds=5)


def test_it_opens_by_a_share_of_failures_within_a_minute() -> None:
    mixed = [True, False] * (FEWEST_FOR_A_SHARE // 2)
    assert Breaker().heard(mixed, START).state is BreakerState.OPEN
    assert Breaker().heard(mixed[:-2], START).state is BreakerState.CLOSED
    slowly = Breaker()
    for n, outcome in enumerate(mixed * 3):
        slowly = slowly.heard([outcome], at(4 * n))
    assert slowly.state is BreakerState.CLOSED
    assert Breaker().heard([True, True, False] * 40, START).state is BreakerState.CLOSED


def test_one_question_tries_it_and_an_answer_closes_it() -> None:
    breaker = opened()
    assert breaker.room(at(4.9)) == 0
    assert breaker.room(at(5)) == 1
    tried = breaker.let_through(at(5))
    assert (tried.state, tried.room(at(5)), tried.room(at(30))) == (BreakerState.HALF_OPEN, 0, 0)
    assert tried.heard([True], at(6)) == Breaker()


def test_a_failure_of_that_question_opens_it_for_longer_up_to_a_bound() -> None:
    breaker, now, waits = opened(), START, []
    for _ in range(8):
        waits.append(breaker.wait(now).total_seconds())
        now += breaker.wait(now)
        breaker = breaker.let_through(now).heard([False], now)
    assert waits == [5, 10, 20, 40, 60, 60, 60, 60]
    assert breaker.since == START


def test_who_took_the_question_and_died_is_not_waited_for_for_ever() -> None:
    tried = opened().let_through(at(5))
    assert tried.room(at(5) + PROBE_TAKES) == 1


def test_what_was_sent_before_it_opened_neither_closes_it_nor_opens_it_again() -> None:
    breaker = opened()
    assert breaker.heard([True, False, True], at(1)) == breaker


def test_a_clock_that_is_stepped_back_keeps_it_open_no_longer_than_it_can_have_been_meant() -> None:
    assert opened().wait(at(-86_400)) == LONGEST_WAIT


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["ask", "answer", "failure"])), max_size=80))
def test_while_it_is_not_closed_there_is_one_question_at_a_time(steps: list[tuple[float, str]]) -> None:
    breaker, now, probe_at = Breaker(), START, None
    for seconds, what in steps:
        now += timedelta(seconds=seconds)
        if what == "ask":
            room = breaker.room(now)
            if breaker.state is not BreakerState.CLOSED and room:
                assert room == 1
                assert probe_at is None or now >= probe_at + PROBE_TAKES
                probe_at = now
            breaker = breaker.let_through(now) if room is None or room else breaker
        else:
            breaker = breaker.heard([what == "answer"], now)
            probe_at = None
        assert breaker.wait(now) <= LONGEST_WAIT
        assert (breaker.since is None) == (breaker.state is BreakerState.CLOSED)


def test_after_a_clock_is_stepped_back_it_is_tried_as_soon_as_ever() -> None:
    for breaker, longest in ((opened(), LONGEST_WAIT), (opened().let_through(at(5)), PROBE_TAKES)):
        back = at(-7200)
        settled = breaker.settled(back)
        assert settled.room(back) == 0
        assert settled.settled(back + longest) is settled
        assert settled.room(back + longest) == 1
    assert opened().settled(at(1)) == opened()
