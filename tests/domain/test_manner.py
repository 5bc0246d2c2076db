from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import InvalidRequestError
from tracker.domain.manner import MOST_IN_FLIGHT, Attempts, Manner

USUAL = Attempts()


def test_an_entry_alone_gets_a_few_attempts_over_minutes() -> None:
    waits: list[timedelta] = []
    while (wait := USUAL.wait_alone(len(waits) + 1, fraction=0.0)) is not None:
        waits.append(wait)
    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=5)
    assert 4 <= len(waits) <= 8
    assert timedelta(minutes=5) <= sum(waits, timedelta()) <= timedelta(minutes=10)
    assert USUAL.wait_alone(100, fraction=0.0) is None


@given(st.integers(1, 500), st.floats(0, 1, exclude_max=True))
def test_an_endpoint_is_waited_for_longer_each_time_up_to_an_hour_and_jitter_only_adds(
    failures: int, fraction: float
) -> None:
    plain = USUAL.wait_down(failures, fraction=0.0)
    assert timedelta(seconds=1) <= plain <= USUAL.wait_down(failures + 1, fraction=0.0) <= timedelta(hours=1)
    assert plain <= USUAL.wait_down(failures, fraction=fraction) <= plain * 1.1


def test_jitter_only_adds_to_what_an_entry_waits() -> None:
    attempts = Attempts(alone_seconds=(100,))
    assert attempts.wait_alone(1, fraction=0.0) == timedelta(seconds=100)
    assert attempts.wait_alone(1, fraction=0.5) == timedelta(seconds=105)


def test_chosen_waits_go_as_they_are_written() -> None:
    attempts = Attempts(alone_seconds=(7, 3), down_seconds=(2, 9))
    assert [attempts.wait_alone(n, fraction=0.0) for n in (1, 2, 3)] == [
        timedelta(seconds=7),
        timedelta(seconds=3),
        None,
    ]
    assert [attempts.wait_down(n, fraction=0.0).seconds for n in (1, 2, 3, 99)] == [2, 9, 9, 9]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"most_in_flight": 0}, "most_in_flight"),
        ({"most_in_flight": MOST_IN_FLIGHT + 1}, "most_in_flight"),
        ({"alone_seconds": ()}, "alone_seconds"),
        ({"alone_seconds": (1,) * 21}, "alone_seconds"),
        ({"alone_seconds": (5, 0)}, "alone_seconds"),
        ({"alone_seconds": (3_601,)}, "alone_seconds"),
        ({"down_seconds": ()}, "down_seconds"),
        ({"down_seconds": (1,) * 21}, "down_seconds"),
        ({"down_seconds": (86_401,)}, "down_seconds"),
        ({"disable_after_seconds": 59}, "disable_after_seconds"),
        ({"disable_after_seconds": 30 * 86_400 + 1}, "disable_after_seconds"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, Any], name: str) -> None:
    manner = Manner(**changes) if "most_in_flight" in changes else Manner(attempts=replace(USUAL, **changes))
    with pytest.raises(InvalidRequestError, match=name):
        manner.check()


def test_the_bounds_themselves_can_be() -> None:
    Manner().check()
    for most in (1, MOST_IN_FLIGHT):
        longest = Attempts(alone_seconds=(3_600,) * 20, down_seconds=(86_400,) * 20, disable_after_seconds=30 * 86_400)
        Manner(most_in_flight=most, attempts=longest).check()
    Manner(attempts=Attempts(alone_seconds=(1,), down_seconds=(1,), disable_after_seconds=60)).check()
