"""Open events again that lacked a key of their holder, as soon as the key is there.

An event that names a key which its holder did not publish, or whose keys could not be had, was put aside in the end. It may be
genuine all the same: a holder may sign with a key before it publishes it, or be away for days. Its signature was never looked
at, so when the key appears it goes back into the inbox, with its own time of receipt, and is opened by the same rules as any
other. It is not tried again without need: only if the key is one that was good when the event came.
"""

import logging

from tracker.domain.errors import KeysUnavailableError
from tracker.ports import Clock, HolderKeys, Provider, Store
from tracker.usecases.key_wait import KeyWait
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_AT_ONCE = 200  # events in one transaction; the door's share it with them
_MOST_IN_ONE_LOOK = 2_000


class Reopening:
    """Keeps the holders' keys fresh, and opens again what waited for them in quarantine."""

    def __init__(
        self, store: Store, clock: Clock, keys: HolderKeys, key_wait: KeyWait, bell: Bell, *, max_events: int
    ) -> None:
        """Take what there is to work with.

        Args:
            store: The database.
            clock: Our clock.
            keys: The holders' keys.
            key_wait: Those that wait in the inbox.
            bell: Rung when there is something to open.
            max_events: With so many events in the inbox no more are put there.
        """
        self._store = store
        self._clock = clock
        self._keys = keys
        self._key_wait = key_wait
        self._bell = bell
        self._max_events = max_events

    async def refresh(self, provider: Provider) -> None:
        """See to a provider's keys, and let what lacked one be opened.

        Raises:
            KeysUnavailableError: They cannot be had now.
            StorageError: The database is away.
        """
        try:
            await self._key_wait.refresh(provider)
        except KeysUnavailableError:
            await self.run_once(provider)  # the old ones may serve
            raise
        await self.run_once(provider)

    async def run_once(self, provider: Provider) -> int:
        """Put back into the inbox what lacked a key that is at hand now; say how many events that was.

        Raises:
            StorageError: The database is away; what is not put back is still in quarantine.
        """
        count, last = 0, ""
        while count < _MOST_IN_ONE_LOOK:
            lacking = await self._store.lacked_keys(provider.id, self._keys.at_hand(provider), _AT_ONCE, last)
            if not lacking or not await self._has_room():
                break
            last = lacking[-1].id
            ids = [one.id for one in lacking if self._keys.find(provider, one.kid, one.received_at) is not None]
            count += len(await self._release(ids)) if ids else 0
        if count:
            _log.info("%d quarantined events of %s have their key now, and are opened again", count, provider.id)
        return count

    async def _has_room(self) -> bool:
        waiting, _ = await self._store.inbox_depth()
        return waiting < self._max_events

    async def _release(self, ids: list[str]) -> list[str]:
        now = self._clock.now()
        released = await self._store.transact(lambda transaction: transaction.release(ids, now))
        if released:
            self._bell.ring()
        return released
