"""Durations, counted in steps."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.lags import Lags

SECONDS = st.lists(st.one_of(st.floats(0, 10), st.floats(0, 1e7)), min_size=1, max_size=50)


@given(SECONDS, st.sampled_from([0.5, 0.95, 1.0]))
def test_a_percentile_is_told_at_most_a_fifth_too_long(seconds: list[float], share: float) -> None:
    true = sorted(seconds)[ceil(len(seconds) * share) - 1]
    told = Lags.of(seconds).percentile(share)
    assert told is not None
    assert true <= told * (1 + 1e-9)
    assert told <= max(0.0012, true * 1.19)


@given(SECONDS, SECONDS)
def test_it_does_not_matter_what_is_counted_when(some: list[float], others: list[float]) -> None:
    assert Lags.of(some) + Lags.of(others) == Lags.of(others) + Lags.of(some) == Lags.of([*some, *others])


def test_none_have_no_percentile_and_what_is_below_zero_is_none_at_all() -> None:
    assert Lags().percentile(0.5) is None
    assert Lags() + Lags.of([1]) == Lags.of([1])
    assert Lags.of([-5.0]).percentile(1.0) == pytest.approx(0.0)
