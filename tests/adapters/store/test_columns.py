"""What is written into a column reads back as it was."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker.adapters.store.columns import instant_text, json_text

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON_VALUES)
@example({"beyond 64 bits": 10**39})
@example(["half of a pair \ud800", "\x00", "\u2028"])
def test_json_reads_back(value: object) -> None:
    assert json.loads(json_text(value)) == value


def test_what_json_does_not_have_is_refused() -> None:
    for value in (datetime.now(UTC), object(), {b"name": 1}):
        with pytest.raises(TypeError):
            json_text(value)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=4)), timezone(-timedelta(minutes=90))])))
def test_instants_have_one_text_whatever_their_zone(instant: datetime) -> None:
    try:
        utc = instant.astimezone(UTC)
    except OverflowError:
        return
    assert instant_text(instant) == instant_text(utc) == utc.isoformat(timespec="microseconds")
    assert datetime.fromisoformat(instant_text(instant) or "") == instant


def test_a_time_without_a_zone_is_no_instant() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        instant_text(datetime(2026, 3, 2))  # noqa: DTZ001 - that is the point
    assert instant_text(None) is None
