"""Documents of a holder that are fetched, kept while they are fresh, and used on when fetching fails."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from tracker.adapters.hub.single_flight import SingleFlight
from tracker.domain.errors import TrackerError
from tracker.ports import Clock

T = TypeVar("T")

_NEVER: Final = float("-inf")
USABLE_SECONDS: Final = 86_400.0
"""How old a document may become while it cannot be fetched again."""
_HELD_OVER_SECONDS: Final = 300.0
"""After a fetch that failed, how long the old document counts as current before it is asked for again."""


@dataclass(frozen=True, slots=True)
class _Copy(Generic[T]):
    document: T
    asked_at: float
    fresh_until: float


class Kept(Generic[T]):
    """One document, and what became of the last attempt to fetch it. Ages are of the monotonic clock.

    `latest` and `current` may be called from any thread; the rest belongs to the event loop.

    Attributes:
        attempted_at: When the last attempt to fetch it ended.
        has_failed: Whether that attempt failed.
        fetched: How often it was fetched, or found unchanged.
        failed: How often it could not be.
    """

    def __init__(self, fetch: Callable[[T | None], Awaitable[tuple[T, float]]], clock: Clock) -> None:
        """Keep what `fetch` brings.

        Args:
            fetch: Is given the latest document, for a conditional request, and returns the document and for how many
                seconds it is fresh.
            clock: Ours.
        """
        self._fetch = fetch
        self._clock = clock
        self._copy: _Copy[T] | None = None
        self._held_over_until = _NEVER
        self._flight = SingleFlight(self._renew)
        self.attempted_at = _NEVER
        self.has_failed = False
        self.fetched = self.failed = 0

    @property
    def is_under_way(self) -> bool:
        """Whether it is being fetched just now."""
        return self._flight.is_under_way

    @property
    def asked_at(self) -> float:
        """When the latest document was asked for; minus infinity if there is none."""
        return _NEVER if self._copy is None else self._copy.asked_at

    def latest(self) -> T | None:
        """The latest document, fresh or not, unless it is older than a day."""
        copy = self._copy
        if copy is None or self._clock.monotonic() >= copy.asked_at + USABLE_SECONDS:
            return None
        return copy.document

    def current(self) -> T | None:
        """The latest document if it need not be asked for: it is fresh, or has just been asked for in vain."""
        copy = self._copy
        if copy is None:
            return None
        until = max(copy.fresh_until, min(self._held_over_until, copy.asked_at + USABLE_SECONDS))
        return copy.document if self._clock.monotonic() < until else None

    async def get(self) -> T:
        """Give the document, fetched if need be, or the old one if it cannot be fetched. Raises what `fetch` raises."""
        if (document := self.current()) is not None:
            return document
        try:
            return await self.renew()
        except TrackerError:
            if (document := self.latest()) is not None:
                return document
            raise

    async def renew(self) -> T:
        """Fetch the document, in one request with all who ask meanwhile. Raises what `fetch` raises."""
        return await self._flight.join()

    def forget(self) -> None:
        """Drop the document."""
        self._copy = None

    async def close(self) -> None:
        """Stop a fetch that is under way."""
        await self._flight.close()

    async def _renew(self) -> T:
        asked_at = self._clock.monotonic()
        self.has_failed = True  # until it has not
        try:
            document, seconds = await self._fetch(self.latest())
            self._copy = _Copy(document, asked_at, asked_at + seconds)
            self.has_failed = False
            self.fetched += 1
        finally:
            self.failed += self.has_failed
            self.attempted_at = self._clock.monotonic()
            self._held_over_until = self.attempted_at + _HELD_OVER_SECONDS if self.has_failed else _NEVER
        return document
