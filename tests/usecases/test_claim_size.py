"""No more events are taken in hand than are done while they are ours."""

from hypothesis import given
from hypothesis import strategies as st

from tracker.usecases.claim_size import ClaimSize

LEASE = 6.0


@given(st.floats(0.0001, 0.2))
def test_a_slow_machine_ends_with_batches_well_within_the_lease(seconds_each: float) -> None:
    size = ClaimSize(256, LEASE)
    for _ in range(12):
        size.took(size.now, size.now * seconds_each)
    assert size.now == 16 or size.now * seconds_each <= LEASE / 3
    for _ in range(12):
        size.took(size.now, size.now * 0.0001)
    assert size.now == 256


def test_small_batches_say_nothing_about_large_ones() -> None:
    size = ClaimSize(256, LEASE)
    size.took(256, 3)
    assert size.now == 128
    size.took(3, 0.01)
    assert size.now == 128


def test_who_is_alone_takes_all_he_can() -> None:
    size = ClaimSize(256, 0)
    size.took(256, 60)
    assert size.now == 256


def test_what_the_database_would_not_do_is_tried_in_smaller_batches() -> None:
    size = ClaimSize(256, LEASE)
    for _ in range(6):
        size.failed()
    assert size.now == 16
