from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.profiles.date_time import read_date_time

ZONE = timezone(timedelta(hours=4))
EARLIEST, LATEST = datetime(1970, 1, 2), datetime(9999, 12, 30, 23, 59, 59, 999999)  # noqa: DTZ001 - local times


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-02T10:15:00Z", "2026-03-02T10:15:00"),
        ("2026-03-02t10:15:00z", "2026-03-02T10:15:00"),
        ("2026-03-02 10:15:00Z", "2026-03-02T10:15:00"),
        ("2026-03-02T10:15:00+04:00", "2026-03-02T06:15:00"),
        ("2026-03-02T10:15:00-04:00", "2026-03-02T14:15:00"),
        ("2026-03-02T10:15:00-00:00", "2026-03-02T10:15:00"),
        ("2026-03-02T10:15:00+0530", "2026-03-02T04:45:00"),
        ("2026-03-02T10:15:00+04", "2026-03-02T06:15:00"),
        ("2026-03-02T10:15Z", "2026-03-02T10:15:00"),
        ("2026-03-02T10:15:00.5Z", "2026-03-02T10:15:00.500000"),
        ("2026-03-02T10:15:00,25Z", "2026-03-02T10:15:00.250000"),
        ("2026-03-02T10:15:00.1234567Z", "2026-03-02T10:15:00.123456"),
        ("2026-03-02T10:15:59.9999999999999999Z", "2026-03-02T10:15:59.999999"),
        (f"2026-03-02T10:15:00.{'0' * 50_000}Z", "2026-03-02T10:15:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("2017-01-01T03:59:60.5+04:00", "2017-01-01T00:00:00.500000"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00"),
        ("2026-01-01T00:00:00+04:00", "2025-12-31T20:00:00"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59"),
        ("2026-03-02T10:15:00+23:59", "2026-03-01T10:16:00"),
    ],
)
def test_time_with_an_offset_is_that_instant(text: str, instant: str) -> None:
    read = read_date_time(text, ZONE)
    assert read.instant == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert read.instant.tzinfo is UTC
    assert not read.zone_assumed


@pytest.mark.parametrize("text", ["2026-03-02T10:15:00", "2026-03-02T10:15", "2026-03-02T10:15:00.000"])
def test_time_without_an_offset_is_read_in_the_zone_and_marked(text: str) -> None:
    assert read_date_time(text, ZONE) == (datetime(2026, 3, 2, 6, 15, tzinfo=UTC), True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "2026-03-02",
        "2026-03-02Z",
        "2026-03-02T",
        "10:15:00Z",
        "20260302T101500Z",
        "2026-W10-1T10:15:00Z",
        "2026-061T10:15:00Z",
        "2026-3-2T10:15:00Z",
        "2026-02-29T10:15:00Z",
        "2026-13-02T10:15:00Z",
        "2026-00-02T10:15:00Z",
        "2026-03-00T10:15:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T10:60:00Z",
        "2026-03-02T10:15:61Z",
        "2026-03-02T10:15:60Z",
        "2026-03-02T23:59:60+04:00",
        "9999-12-31T23:59:60Z",
        "2026-03-02T10:15:00.Z",
        "2026-03-02T10:15:00.5.5Z",
        "2026-03-02T10:15.5Z",
        "2026-03-02T10:15:00+24:00",
        "2026-03-02T10:15:00+04:60",
        "2026-03-02T10:15:00+4",
        "2026-03-02T10:15:00 +04:00",
        "2026-03-02T10:15:00Z+04:00",
        "2026-03-02T10:15:00[Asia/Dubai]",
        "2026-03-02T10:15:00\u221204:00",
        "\u0662\u0660\u0662\u0666-03-02T10:15:00Z",
        "2026-03-02T10:15:00Z\n",
        "2026-03-02T10:15:00Z\x00",
        "\ud800",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+04:00",
        "9999-12-31T23:59:59-04:00",
        "10000-01-01T00:00:00Z",
        "-2026-03-02T10:15:00Z",
        "+002026-03-02T10:15:00Z",
        "1772450000",
        "Tue, 01 Jul 2025 09:00:00 GMT",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_date_time(text, ZONE)


@given(st.datetimes(EARLIEST, LATEST), st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_what_the_standard_library_writes_reads_back_as_the_same_instant(local: datetime, minutes: int) -> None:
    time = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert read_date_time(time.isoformat(), ZONE) == (time, False)
    assert read_date_time(local.isoformat(sep=" "), ZONE) == (local.replace(tzinfo=ZONE), True)


@given(st.text(st.sampled_from("0123456789-:.,+TtZz "), max_size=40) | st.text(max_size=10))
def test_whatever_the_text_the_outcome_is_a_time_or_a_value_error(text: str) -> None:
    try:
        read = read_date_time(text, ZONE)
    except ValueError:
        return
    assert 1970 <= read.instant.year <= 9999
