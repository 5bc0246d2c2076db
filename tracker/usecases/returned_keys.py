"""Open events again that were sealed for a key of ours which we did not have, as soon as we have it.

The door takes in no event whose key we do not know. But a key may be taken out while events for it wait, and the service be
restarted: then nobody can open them, and they are put aside as `kid_unknown`. When that key is among ours again, at a start or
after the key files were read once more, they go back into the inbox and are opened by the same rules as any other.

It is looked for once after each reading of the keys, and to the end: what a full inbox, an outage or a kill cut short is gone on
with, by the next look or after the next start.
"""

import logging
from collections.abc import Collection

from tracker.ports import QuarantineFilter
from tracker.usecases.quarantine import Quarantine
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

MOST_IN_ONE_LOOK = 2_000


class ReturnedKeys:
    """Opens again what waited in quarantine for a key of ours.

    Attributes:
        bell: Rings when there may be something to open.
    """

    def __init__(self, quarantine: Quarantine, kids: Collection[str]) -> None:
        """Begin with the keys that were read at the start.

        Args:
            quarantine: Where the events are.
            kids: The ids of our encryption keys.
        """
        self._quarantine = quarantine
        self._sought = frozenset(kids)
        self.bell = Bell()

    def look_for(self, kids: Collection[str]) -> None:
        """The key files were read again: these are ours now."""
        self._sought = frozenset(kids)
        self.bell.ring()

    async def run_once(self) -> int:
        """Put back into the inbox what is sealed for a key that we have now; say how many events that was.

        Raises:
            StorageError: The database is away; what is not put back is still in quarantine, and is looked for again.
        """
        sought = self._sought
        if not sought:
            return 0
        only = QuarantineFilter(step="decrypt", reason="kid_unknown", our_kids=sought)
        released = await self._quarantine.release_all(only, MOST_IN_ONE_LOOK)
        if released.is_complete and self._sought is sought:
            self._sought = frozenset()
        if released.count:
            _log.info("%d quarantined events are for a key that we have now, and are opened again", released.count)
        return released.count
