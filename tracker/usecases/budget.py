"""How often each provider may be asked from this process."""

import asyncio
from dataclasses import dataclass, field

from tracker.domain.errors import ConsentApiUnavailableError
from tracker.ports import Clock, Provider
from tracker.usecases.wake import Bell


@dataclass(slots=True)
class _Bucket:
    tokens: float
    share: float
    filled_at: float
    closed_until: float = 0.0
    schedule_wants_more: bool = False
    waiting: int = 0
    waiting_first: int = 0
    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    returned: Bell = field(default_factory=Bell)


class Budget:
    """A bucket of questions a provider: it fills at the configured rate and holds one second's worth.

    The schedule takes from it, and whoever wants to know at once: these stand in a line, and may have half of the rate while the
    schedule could use the rest, and all that it leaves. So neither ever keeps the other from asking, and both together stay
    within the rate. Belongs to one event loop.
    """

    _SHARE = 0.5

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def room(self, provider: Provider) -> int:
        """How many questions may be sent now."""
        bucket = self._bucket(provider)
        return 0 if self._clock.monotonic() < bucket.closed_until else int(bucket.tokens)

    def take(self, provider: Provider, most: int) -> int:
        """Take room for questions of the schedule; say for how many. What is not used must be given back."""
        bucket = self._bucket(provider)
        kept_free = bucket.waiting_first + min(bucket.waiting, int(bucket.share))
        taken = max(0, min(self.room(provider) - kept_free, most))
        bucket.tokens -= taken
        bucket.schedule_wants_more = True  # as far as we know
        return taken

    def give_back(self, provider: Provider, questions: int) -> None:
        """There was less to ask than there was room for."""
        if questions > 0:
            bucket = self._bucket(provider)
            bucket.tokens += questions
            bucket.schedule_wants_more = False
            bucket.returned.ring()

    async def turn(self, provider: Provider, patience_seconds: float) -> None:
        """Wait until one question may be sent that somebody waits for, and count it.

        Raises:
            ConsentApiUnavailableError: It would take longer than that.
        """
        bucket = self._bucket(provider)
        closed_for = bucket.closed_until - self._clock.monotonic()
        if closed_for > patience_seconds:
            raise ConsentApiUnavailableError(
                "The holder asked to be left alone for a while.", retry_after_seconds=closed_for
            )
        busy = ConsentApiUnavailableError("More is asked of the holder now than it may be asked.")
        if bucket.waiting >= patience_seconds * provider.requests_per_second:
            raise busy
        bucket.waiting += 1
        try:
            async with asyncio.timeout(patience_seconds), bucket.line:
                while (wait := self._take_one(provider)) > 0:
                    await bucket.returned.wait(wait)
        except TimeoutError:
            raise busy from None
        finally:
            bucket.waiting -= 1

    async def turn_first(self, provider: Provider, patience_seconds: float) -> None:
        """The same for what goes before all questions: it waits for room, and for nobody.

        Raises:
            ConsentApiUnavailableError: It would take longer than that.
        """
        bucket = self._bucket(provider)
        closed_for = bucket.closed_until - self._clock.monotonic()
        if closed_for > patience_seconds:
            raise ConsentApiUnavailableError(
                "The holder asked to be left alone for a while.", retry_after_seconds=closed_for
            )
        bucket.waiting_first += 1
        try:
            async with asyncio.timeout(patience_seconds):
                while (wait := self._take_first(provider)) > 0:
                    await bucket.returned.wait(wait)
        except TimeoutError:
            raise ConsentApiUnavailableError("More is asked of the holder now than it may be asked.") from None
        finally:
            bucket.waiting_first -= 1

    def _take_first(self, provider: Provider) -> float:
        bucket = self._bucket(provider)
        closed_for = bucket.closed_until - self._clock.monotonic()
        if closed_for > 0:
            return closed_for
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / provider.requests_per_second
        bucket.tokens -= 1
        return 0

    def _take_one(self, provider: Provider) -> float:
        """Take room for one question, or say for how many seconds there will be none."""
        bucket = self._bucket(provider)
        closed_for = bucket.closed_until - self._clock.monotonic()
        if closed_for > 0:
            return closed_for
        wanted = 1 + bucket.waiting_first
        if bucket.tokens < wanted:
            return (wanted - bucket.tokens) / provider.requests_per_second
        if bucket.schedule_wants_more and bucket.share < 1:
            return (1 - bucket.share) / (provider.requests_per_second * self._SHARE)
        bucket.tokens -= 1
        bucket.share = max(0.0, bucket.share - 1)
        return 0

    def hold_back(self, provider: Provider, seconds: float) -> None:
        """The provider asked to be left alone for so long."""
        bucket = self._bucket(provider)
        bucket.closed_until = max(bucket.closed_until, self._clock.monotonic() + seconds)

    def _bucket(self, provider: Provider) -> _Bucket:
        now, rate = self._clock.monotonic(), provider.requests_per_second
        most, most_share = max(1.0, rate), max(1.0, rate * self._SHARE)
        bucket = self._buckets.get(provider.id)
        if bucket is None:
            bucket = self._buckets[provider.id] = _Bucket(most, most_share, now)
        since = now - bucket.filled_at
        bucket.tokens = min(most, bucket.tokens + since * rate)
        bucket.share = min(most_share, bucket.share + since * rate * self._SHARE)
        bucket.filled_at = now
        return bucket
