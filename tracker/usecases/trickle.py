"""The small budget for questions that anybody could provoke."""

from dataclasses import dataclass

from tracker.ports import Clock, Provider

SHARE = 0.2
"""At most this part of the questions that a provider may be asked."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Trickle:
    """How many questions may be asked because of what was not verified.

    What is suspected waits in the database, a mark on the consent's row, so a restart loses none of it and any number of such
    events about one consent are one question. This only says how fast the marks are worked off by whoever asks the provider
    by the schedule, which one process does at a time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def room(self, provider: Provider) -> int:
        """How many may be asked now."""
        now, rate = self._clock.monotonic(), provider.requests_per_second * SHARE
        most = max(1.0, rate)
        bucket = self._buckets.setdefault(provider.id, _Bucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        return int(bucket.tokens)

    def take(self, provider: Provider, questions: int) -> None:
        """So many were asked."""
        self._buckets[provider.id].tokens -= questions
