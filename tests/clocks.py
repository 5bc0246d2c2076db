"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 6, 0, 0, tzinfo=UTC)


class ManualClock:
    """`ports.Clock` for tests. `set` moves the time of day alone, as an administrator does; `advance` moves both."""

    def __init__(self, start: datetime = START, monotonic: float = 1_000.0) -> None:
        self._now = start
        self._monotonic = monotonic

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, now: datetime) -> None:
        self._now = now
