"""How many posts a subscriber gets at a time: what answers make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.in_flight import BEGIN_WITH, InFlight

USUAL = 0.1


def go_round(places: InFlight, seconds: float = USUAL, *, is_full: bool = True) -> int:
    """One round of answers; the places then."""
    if is_full:
        places.note_full()
    for _ in range(places.places):
        places.note_taken(seconds)
    return places.places


def test_it_begins_with_a_few_and_grows_by_one_a_round_up_to_the_most() -> None:
    places = InFlight(12)
    assert places.places == BEGIN_WITH
    assert [go_round(places) for _ in range(6)] == [9, 10, 11, 12, 12, 12]


def test_with_few_allowed_it_begins_with_those() -> None:
    assert InFlight(1).places == 1
    places = InFlight(3)
    assert [go_round(places) for _ in range(3)] == [3, 3, 3]


def test_places_that_were_not_all_taken_are_no_reason_for_more() -> None:
    places = InFlight(64)
    assert [go_round(places, is_full=False) for _ in range(3)] == [BEGIN_WITH] * 3


def test_a_failure_halves_it_once_for_all_that_were_under_way_together() -> None:
    places = InFlight(64)
    for _ in range(8):
        places.note_failed()
    assert places.places == 4
    places.note_failed()
    assert places.places == 2


def test_after_a_failure_it_grows_again_one_by_one() -> None:
    places = InFlight(64)
    places.note_failed()
    for _ in range(7):
        places.note_taken(USUAL)
    assert places.places == 4
    assert [go_round(places) for _ in range(3)] == [5, 6, 7]


def test_it_never_falls_below_one() -> None:
    places = InFlight(64)
    for _ in range(100):
        places.note_failed()
    assert places.places == 1
    assert go_round(places) == 2


def test_an_endpoint_that_works_again_gets_one_then_doubles_up_to_half_of_before_then_one_by_one() -> None:
    places = InFlight(64)
    for _ in range(12):
        go_round(places)
    assert places.places == 20
    places.begin_anew()
    assert places.places == 1
    assert [go_round(places) for _ in range(5)] == [2, 4, 8, 9, 10]


def test_answers_that_take_longer_than_usual_shrink_it_and_it_comes_back_with_them() -> None:
    places = InFlight(16)
    for _ in range(10):
        go_round(places)
    assert places.places == 16
    slow = [go_round(places, 3 * USUAL) for _ in range(4)]
    assert slow == [12, 10, 8, 6]
    assert [go_round(places) for _ in range(3)] == [7, 8, 9]


@pytest.mark.parametrize("seconds", [1.9 * USUAL, USUAL + 0.04])
def test_a_little_longer_is_no_sign_of_anything(seconds: float) -> None:
    places = InFlight(16)
    for _ in range(10):
        go_round(places)
    assert [go_round(places, seconds) for _ in range(5)] == [16] * 5


def test_who_is_slow_for_good_gets_more_again_because_one_alone_takes_as_long() -> None:
    places = InFlight(16)
    for _ in range(3):
        go_round(places)
    reached = [go_round(places, 2.0) for _ in range(60)]
    assert min(reached) == 1
    assert reached[-1] == 16


@given(st.integers(1, 64), st.lists(st.one_of(st.none(), st.just("anew"), st.floats(0, 30)), max_size=300))
def test_whatever_is_answered_there_is_from_one_place_to_the_most(most: int, said: list[float | str | None]) -> None:
    places = InFlight(most)
    for one in said:
        places.note_full()
        if one is None:
            places.note_failed()
        elif isinstance(one, str):
            places.begin_anew()
        else:
            places.note_taken(one)
        assert 1 <= places.places <= most
        assert 1 <= places.places_for_retries <= places.places
