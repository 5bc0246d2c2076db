"""No burst is ever larger than the rate."""

from hypothesis import given
from hypothesis import strategies as st

from tracker.usecases.pace import Pace


@given(st.integers(1, 20), st.lists(st.floats(0, 0.6), min_size=5, max_size=60), st.booleans())
def test_within_any_second_no_more_begin_than_may(per_second: int, pauses: list[float], is_used_up: bool) -> None:
    now, begun = 100.0, []
    pace = Pace(per_second, is_used_up=is_used_up, now=now)
    for pause in pauses:
        for _ in range(pace.room(now)):
            pace.begin(now)
            begun.append(now)
        now += pause
        if now - 100 < 1 and is_used_up:
            assert pace.room(now) == 0
        assert 0 <= pace.wait(now) <= 1
    assert all(sum(at <= other < at + 1 for other in begun) <= per_second for at in begun)
