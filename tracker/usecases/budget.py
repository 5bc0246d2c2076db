"""How often each provider may be asked from this process."""

from dataclasses import dataclass
from datetime import timedelta

from tracker.ports import Clock, Provider


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float
    closed_until: float = 0.0


class Budget:
    """A bucket of questions a provider: it fills at the configured rate and holds one second's worth."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def room(self, provider: Provider) -> int:
        """How many questions may be sent now."""
        bucket = self._bucket(provider)
        return 0 if self._clock.monotonic() < bucket.closed_until else int(bucket.tokens)

    def spend(self, provider: Provider, questions: int) -> None:
        """Count questions that are sent; those that somebody waits for may overdraw."""
        self._bucket(provider).tokens -= questions

    def hold_back(self, provider: Provider, seconds: float) -> None:
        """The provider asked to be left alone for so long."""
        bucket = self._bucket(provider)
        bucket.closed_until = max(bucket.closed_until, self._clock.monotonic() + seconds)

    def _bucket(self, provider: Provider) -> _Bucket:
        now = self._clock.monotonic()
        most = max(1.0, provider.requests_per_second)
        bucket = self._buckets.setdefault(provider.id, _Bucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.filled_at) * provider.requests_per_second)
        bucket.filled_at = now
        return bucket


class Trickle:
    """Spreads over time what anybody could provoke: at most a small share of the questions that a provider may be asked."""

    _SHARE = 0.2
    _LONGEST_SECONDS = 3600.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: dict[str, float] = {}

    def wait(self, provider: Provider) -> timedelta | None:
        """How long to wait with one more question; None if there are so many already that this one is not worth it."""
        now = self._clock.monotonic()
        at = max(now, self._next.get(provider.id, now))
        if at - now > self._LONGEST_SECONDS:
            return None
        self._next[provider.id] = at + 1 / (provider.requests_per_second * self._SHARE)
        return timedelta(seconds=at - now)
