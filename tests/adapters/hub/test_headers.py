from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.adapters.hub.headers import DEFAULT_FRESH_SECONDS, fresh_seconds, retry_after_seconds

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("max-age=900", 900),
        ("public, max-age=120", 120),
        ("MAX-AGE = 120, must-revalidate", 120),
        ('max-age="600"', 600),
        ("max-age=120, max-age=600", 120),
        ("s-maxage=99, max-age=120", 120),
        ("max-age=0", 60),
        ("max-age=59", 60),
        ("max-age=3601", 3_600),
        ("max-age=31536000, immutable", 3_600),
        ("no-store", 60),
        ("No-Cache, max-age=900", 60),
        ("public", DEFAULT_FRESH_SECONDS),
        ("max-age=-1", DEFAULT_FRESH_SECONDS),
        ("max-age=" + "9" * 5_000, DEFAULT_FRESH_SECONDS),
        ("max-age=1.5", DEFAULT_FRESH_SECONDS),
        ("", DEFAULT_FRESH_SECONDS),
    ],
)
def test_freshness(cache_control: str, seconds: float) -> None:
    assert fresh_seconds({"Cache-Control": cache_control}) == seconds


def test_freshness_without_the_header() -> None:
    assert fresh_seconds({}) == DEFAULT_FRESH_SECONDS == 900


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 1),
        ("86401", 86_400),
        ("9999999999", 86_400),
        ("Mon, 02 Mar 2026 06:02:00 GMT", 120),
        ("Monday, 02-Mar-26 06:02:00 GMT", 120),
        ("Mon, 02 Mar 2026 06:02:00 -0000", 120),
        ("Mon, 02 Mar 2026 10:02:00 +0400", 120),
        ("Mon, 02 Mar 2026 05:00:00 GMT", 1),
        ("Fri, 02 Mar 2029 05:00:00 GMT", 86_400),
        ("9" * 5_000, None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("Mon, 99 Mar 2026 06:02:00 GMT", None),
        ("", None),
    ],
)
def test_retry_after(retry_after: str, seconds: float | None) -> None:
    assert retry_after_seconds({"Retry-After": retry_after}, NOW) == seconds


def test_retry_after_without_the_header() -> None:
    assert retry_after_seconds({}, NOW) is None


@given(st.text())
def test_retry_after_survives_anything_and_stays_in_its_bounds(text: str) -> None:
    seconds = retry_after_seconds({"Retry-After": text}, NOW)
    assert seconds is None or 1 <= seconds <= 86_400


@given(st.integers(1, 86_400))
def test_date_means_the_same_as_seconds(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after_seconds({"Retry-After": date}, NOW) == seconds


@given(st.text())
def test_freshness_survives_anything_and_stays_in_its_bounds(text: str) -> None:
    assert 60 <= fresh_seconds({"Cache-Control": text}) <= 3_600
