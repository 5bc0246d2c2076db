"""The quarantine at the desk: look at what was put aside, and have it opened again.

A retry decides nothing. It puts an event back where it came from, with its own time of receipt, and the opener judges it
again by the same rules: so it helps where what we know has changed (a key was added, a provider configured, a mistake of
ours mended), and does no harm anywhere else.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from tracker.domain.errors import QuarantinedEventNotFoundError
from tracker.ports import EVERYTHING_ASIDE, Clock, Quarantined, QuarantineFilter, Store
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_AT_ONCE = 200  # events in one transaction; the door's share it with them


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What a retry of many did.

    Attributes:
        count: How many events went back into the inbox.
        is_complete: Whether that was all; if not, the inbox is full, or no more were wanted.
    """

    count: int
    is_complete: bool


class Quarantine:
    """What was put aside."""

    def __init__(
        self, store: Store, clock: Clock, knows_key: Callable[[str], bool], bell: Bell, *, max_events: int
    ) -> None:
        """Take what there is to work with.

        Args:
            store: The database.
            clock: Our clock.
            knows_key: Whether a key id is one of our encryption keys now.
            bell: Rung when there is something to open.
            max_events: With so many events in the inbox, a retry of many puts no more there.
        """
        self._store = store
        self._clock = clock
        self._knows_key = knows_key
        self._bell = bell
        self._max_events = max_events

    async def page(
        self, limit: int, before: str | None = None, only: QuarantineFilter = EVERYTHING_ASIDE
    ) -> list[Quarantined]:
        """Read it, the last received first; `before` is an id."""
        return await self._store.quarantined(limit, before, only)

    async def get(self, event_id: str) -> Quarantined:
        """One event.

        Raises:
            QuarantinedEventNotFoundError: It is not there, or not any more.
        """
        event = await self._store.get_quarantined(event_id)
        if event is None:
            raise QuarantinedEventNotFoundError
        return event

    def opens(self, event: Quarantined) -> bool:
        """Whether we have the key now that an event is encrypted for."""
        return event.our_kid is not None and self._knows_key(event.our_kid)

    async def retry(self, event_id: str) -> None:
        """Have one event opened again. Of several at once, one does it.

        Raises:
            QuarantinedEventNotFoundError: It is not there, or not any more.
        """
        if not await self._release([event_id]):
            raise QuarantinedEventNotFoundError
        _log.info("Quarantined event %s goes back into the inbox", event_id)

    async def retry_all(self, only: QuarantineFilter) -> Retried:
        """Have all events opened again that a filter lets pass, the first received first, as far as the inbox has room.

        It goes through them once: what fails again meanwhile is not retried in the same breath.
        """
        retried = await self.release_all(only)
        _log.info("%d quarantined events (%s) go back into the inbox", retried.count, only)
        return retried

    async def release_all(self, only: QuarantineFilter, most: float = math.inf) -> Retried:
        """Put back into the inbox what a filter lets pass, as `retry_all` does, and no more than so many.

        Raises:
            StorageError: The database is away; what was put back by then is in the inbox, the rest here.
        """
        count, last = 0, ""
        while True:
            waiting, _ = await self._store.inbox_depth()
            room = min(self._max_events - waiting, most - count)
            ids = await self._store.quarantined_ids(int(max(1, min(_AT_ONCE, room))), last, only)
            if not ids or room <= 0:
                return Retried(count=count, is_complete=not ids)
            count += len(await self._release(ids))
            last = ids[-1]

    async def _release(self, ids: list[str]) -> list[str]:
        now = self._clock.now()
        released = await self._store.transact(lambda transaction: transaction.release(ids, now))
        if released:
            self._bell.ring()
        return released
