"""Who may be asked about when not all can be."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.domain.turns import A_QUARTER, HALF, shares

LEFT = (A_QUARTER, A_QUARTER, HALF, HALF)

lines = st.lists(st.integers(0, 60), min_size=5, max_size=5)


@given(room=st.integers(0, 50), waiting=lines, seed=st.integers(0, 999))
def test_no_room_is_wasted_and_none_is_given_that_is_not_there(room: int, waiting: list[int], seed: int) -> None:
    given_room = shares(room, waiting, LEFT, Random(seed).random)
    assert sum(given_room) == min(room, sum(waiting))
    assert all(0 <= given <= count for given, count in zip(given_room, waiting, strict=True))


@settings(max_examples=40)
@given(room=st.integers(1, 20), seed=st.integers(0, 99))
def test_none_starves_and_the_more_important_have_more(room: int, seed: int) -> None:
    chance = Random(seed).random
    rounds = [shares(room, [99] * 5, LEFT, chance) for _ in range(1_000)]
    had = [sum(line) / (1_000 * room) for line in zip(*rounds, strict=True)]
    for part, expected in zip(had, (3 / 4, 3 / 16, 1 / 32, 1 / 64, 1 / 64), strict=True):
        assert abs(part - expected) < 0.06
    assert min(had) > 0.003


@given(room=st.integers(1, 50), seed=st.integers(0, 99))
def test_alone_each_has_all(room: int, seed: int) -> None:
    for line in range(5):
        waiting = [60 if place == line else 0 for place in range(5)]
        assert shares(room, waiting, LEFT, Random(seed).random)[line] == room
