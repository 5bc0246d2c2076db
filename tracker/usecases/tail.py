"""The end of the journal, read once for all who wait for more of it.

A hundred readers who wait are woken by each new entry. Without this each of them would read it from the database.
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

from tracker.journal.entry import Entry
from tracker.ports import Store
from tracker.usecases.wake import Bell

KEPT: Final = 1024
_PAGE = 256
_LOOK_AGAIN_SECONDS = 1.0
"""By itself it is looked at so often, for whoever wrote without ringing here."""


class Tail:
    """The newest entries, in memory."""

    def __init__(self, store: Store, news: Bell) -> None:
        """Begin with nothing.

        Args:
            store: Where the journal is.
            news: Rings when it has grown.
        """
        self._store = store
        self._news = news
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._as_of = -1  # how often the bell had rung when it was last read
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def after(self, sequence: int, limit: int) -> Sequence[Entry]:
        """Read entries after a sequence; those that are older than what is kept, from the database.

        Raises:
            StorageError: The database is away.
        """
        await self._read_on()
        if self._entries and self._entries[-1].sequence <= sequence:
            return ()
        if self._entries and self._entries[0].sequence <= sequence + 1:
            begin = bisect_right(self._entries, sequence, key=lambda entry: entry.sequence)
            return list(islice(self._entries, begin, begin + limit))
        return await self._store.entries_after(sequence, limit)

    async def _read_on(self) -> None:
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if self._news.rings == self._as_of and now - self._read_at < _LOOK_AGAIN_SECONDS:
                return
            rings = self._news.rings
            await self._extend(await self._store.head())
            self._as_of, self._read_at = rings, now

    async def _extend(self, head: int) -> None:
        """Read up to the head. Where the database does not know what was read, it is an older one: begin anew."""
        last = self._entries[-1] if self._entries else None
        if last is None or not 0 <= head - last.sequence <= KEPT:
            self._entries.clear()
            last = None
        place = max(0, head - 1) if last is None else last.sequence - 1
        while page := await self._store.entries_after(place, _PAGE):
            if last is not None and page[0].id != last.id:
                self._entries.clear()
                last, place = None, max(0, head - 1)
                continue
            self._entries.extend(page if last is None else page[1:])
            if len(page) < _PAGE:
                return
            last = page[-1]
            place = last.sequence - 1
