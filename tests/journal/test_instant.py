from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.journal.instant import parse_rfc3339, rfc3339

zones = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)
times = st.datetimes(timezones=zones).filter(lambda time: 1 < time.year < 9999)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 3, 2, 11, 13, 21, tzinfo=UTC), "2026-03-02T11:13:21.000000Z"),
        (datetime(2026, 3, 2, 11, 13, 21, 5, tzinfo=UTC), "2026-03-02T11:13:21.000005Z"),
        (datetime(2026, 3, 2, 1, 0, tzinfo=timezone(timedelta(hours=4))), "2026-03-01T21:00:00.000000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_time_is_written_in_utc_with_six_digits(time: datetime, text: str) -> None:
    assert rfc3339(time) == text
    assert parse_rfc3339(text) == time


@given(times, times)
def test_texts_sort_as_the_instants_do(one: datetime, other: datetime) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)
    assert parse_rfc3339(rfc3339(one)) == one
    assert parse_rfc3339(rfc3339(one)).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 3, 2, tzinfo=UTC).replace(tzinfo=None),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=4))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-4))),
    ],
)
def test_time_that_is_no_instant_we_can_write_is_refused(time: datetime) -> None:
    with pytest.raises(ValueError, match="time"):
        rfc3339(time)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-02T11:13:21Z",
        "2026-03-02T11:13:21.000Z",
        "2026-03-02T11:13:21.0000000Z",
        "2026-03-02T11:13:21.000000+00:00",
        "2026-03-02t11:13:21.000000z",
        "2026-03-02 11:13:21.000000Z",
        "2026-13-02T11:13:21.000000Z",
        "2026-02-30T11:13:21.000000Z",
        "2026-03-02T24:00:00.000000Z",
        "2026-03-02T11:13:60.000000Z",
        "2026-03-02T11:13:21.000000Z\n",
        "٢026-03-02T11:13:21.000000Z",
    ],
)
def test_other_ways_to_write_a_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rfc3339(text)
