"""Of several processes that open events, one goes first: two that take them one by one in turn would each pay for a transaction.

The others take what has been waiting for a while, because there is more than the first can do, or because it is no more. That is
about the cost alone: whoever takes what, it is recorded once.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from tracker.domain.errors import StorageError
from tracker.ports import Clock
from tracker.usecases.leasing import Leasing

_LEASE = "opening"
_LEFT_SECONDS = 0.1


class Precedence:
    """Says what this process may take of what is due."""

    def __init__(self, clock: Clock, leasing: Leasing | None = None) -> None:
        """Begin.

        Args:
            clock: Ours.
            leasing: Who goes first, if there are others; None: there are none.
        """
        self._clock = clock
        self._leasing = leasing
        self._not_before = 0.0
        self._found = True

    async def due_until(self) -> datetime | None:
        """Events that have been due since then may be taken; None: it is too early to look again.

        Raises:
            StorageError: The database is away.
        """
        now = self._clock.now()
        if self._leasing is None or _LEASE in await self._leasing.share([_LEASE]):
            return now
        moment = self._clock.monotonic()
        if not self._found and moment < self._not_before:
            return None
        self._not_before = moment + _LEFT_SECONDS
        return now - timedelta(seconds=_LEFT_SECONDS)

    def found(self, count: int) -> None:
        """Note how many there were."""
        self._found = count > 0

    async def leave(self) -> None:
        """Let another go first at once."""
        if self._leasing is not None:
            with suppress(StorageError):  # then it waits until the time is over
                await self._leasing.leave()
