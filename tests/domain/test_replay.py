"""How long a replay waits, when it gives in, and what it goes through."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.clocks import START
from tracker.domain import replay as domain
from tracker.domain.replay import WAITS_AT_MOST, Replay, ReplayState, Selection, Wanted

A_REPLAY = Replay(
    id="r", subscription_id="s", selection=Selection(wanted=Wanted.MISSING, last=9), total=3, created_at=START
)
NOTHING_HEARD = timedelta(seconds=0)


def test_it_waits_ever_longer_and_begins_anew_when_something_passes() -> None:
    replay, waits = A_REPLAY, []
    for _ in range(9):
        replay = domain.put_off(replay, START, error="x", fraction=0)
        waits.append(domain.left_to_wait(replay, START).total_seconds())
    assert waits == [1, 5, 30, 120, 600, 1_800, 3_600, 3_600, 3_600]
    assert (replay.failing_since, replay.failures, replay.last_error) == (START, 9, "x")
    assert domain.reachable(replay) == A_REPLAY


def test_jitter_and_what_the_endpoint_asks_only_ever_add() -> None:
    late = domain.put_off(A_REPLAY, START, error="x", fraction=0.5)
    assert domain.left_to_wait(late, START) == timedelta(seconds=1.05)
    asked = domain.put_off(A_REPLAY, START, error="x", fraction=0, wait_seconds=90)
    assert domain.left_to_wait(asked, START) == timedelta(seconds=90)
    short = domain.put_off(A_REPLAY, START, error="x", fraction=0, wait_seconds=0.1)
    assert domain.left_to_wait(short, START) == timedelta(seconds=1)


def test_after_days_of_nothing_it_is_stopped() -> None:
    replay = domain.put_off(A_REPLAY, START, error="x", fraction=0)
    just = domain.put_off(replay, START + WAITS_AT_MOST - timedelta(seconds=1), error="y", fraction=0)
    assert not just.state.is_over
    end = domain.put_off(just, START + WAITS_AT_MOST, error="z", fraction=0)
    assert (end.state, end.last_error, end.finished_at) == (ReplayState.STOPPED, "z", START + WAITS_AT_MOST)
    assert domain.left_to_wait(end, START) == NOTHING_HEARD


def test_a_clock_that_was_ahead_says_nothing() -> None:
    ahead = domain.put_off(A_REPLAY, START + timedelta(days=30), error="x", fraction=0)
    assert domain.left_to_wait(ahead, START) == NOTHING_HEARD
    again = domain.put_off(ahead, START, error="x", fraction=0)
    assert (again.failing_since, again.state) == (START, ReplayState.WAITING)


def test_it_begins_once() -> None:
    begun = domain.begun(A_REPLAY, START)
    assert (begun.state, begun.started_at) == (ReplayState.RUNNING, START)
    assert domain.begun(begun, START + timedelta(days=1)) == begun
    over = domain.ended(A_REPLAY, ReplayState.CANCELLED, START)
    assert domain.begun(over, START) == over


def test_what_is_settled_is_added_and_the_place_never_goes_back() -> None:
    replay = domain.settled(replace(A_REPLAY, position=5), position=4, done=(1,), failed=(), skipped=(2, 3))
    assert (replay.position, replay.done, replay.failed, replay.skipped) == (5, 1, 0, 2)


@given(
    st.one_of(
        st.builds(
            Selection,
            wanted=st.just(Wanted.RANGE),
            first=st.integers(1, 50),
            last=st.integers(0, 60),
        ),
        st.lists(st.integers(1, 60), min_size=1, unique=True).map(
            lambda named: Selection(wanted=Wanted.SEQUENCES, sequences=tuple(sorted(named)), last=60)
        ),
    ),
    st.integers(1, 20),
)
def test_page_by_page_it_is_all_that_was_chosen(selection: Selection, limit: int) -> None:
    everything = selection.sequences or tuple(range(selection.first, selection.last + 1))
    found: list[int] = []
    while page := selection.named_after(found[-1] if found else 0, limit):
        assert len(page) <= limit
        found += page
    assert tuple(found) == everything
