"""The change feed: the journal, page by page, for those who pull and for those who wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tracker.domain.errors import JournalTruncatedError
from tracker.domain.subscription import EntryFilter
from tracker.journal.entry import Entry
from tracker.ports import Store
from tracker.usecases.tail import Tail
from tracker.usecases.wake import Bell

_SCANNED_AT_MOST = 5000
_LOOK_AGAIN_SECONDS = 5.0
"""Whoever waits looks by himself so often: a ring that was lost costs no more than that."""

Read = Callable[[int, int], Awaitable[Sequence[Entry]]]


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A part of the journal.

    Attributes:
        entries: Those that the reader wants.
        scanned: The last sequence that was looked at; where the next page begins.
        is_last: There is nothing behind it yet.
    """

    entries: Sequence[Entry]
    scanned: int
    is_last: bool


class Feed:
    """Reads the journal for those who pull."""

    def __init__(self, store: Store, news: Bell, floor: Callable[[], Awaitable[int]] | None = None) -> None:
        """Take what there is to work with.

        Args:
            store: Where the journal is.
            news: Rings when it has grown.
            floor: Gives the first sequence that is in the database still; None: all of them are.
        """
        self._floor = floor
        self._store = store
        self._news = news
        self._tail = Tail(store, news)
        self._waiting: set[asyncio.Future[None]] = set()
        self.is_closed = False

    async def head(self) -> int:
        """The last sequence that there is."""
        return await self._store.head()

    async def require_there(self, after: int) -> None:
        """See to it that what comes after a sequence is in the database still.

        Raises:
            JournalTruncatedError: It was moved out.
        """
        floor = 1 if self._floor is None else await self._floor()
        if after + 1 < floor:
            told = f"Entries before {floor} were moved out of the database; begin with after={floor - 1}."
            raise JournalTruncatedError(told)

    async def read(self, after: int, limit: int, wanted: EntryFilter) -> FeedPage:
        """Read up to `limit` wanted entries after a sequence. A rare type costs several pages, not one endless look.

        Raises:
            JournalTruncatedError: What comes after it was moved out of the database.
        """
        return await _page(self._whole(self._store.entries_after), after, limit, wanted)

    def _whole(self, read: Read) -> Read:
        """Read likewise, and look why where something is missing."""

        async def checked(after: int, limit: int) -> Sequence[Entry]:
            page = await read(after, limit)
            if page and page[0].sequence != after + 1:
                await self.require_there(after)
            return page

        return checked

    async def await_page(self, after: int, limit: int, wanted: EntryFilter, seconds: float) -> FeedPage:
        """Read likewise; where there is nothing wanted, wait so long for it. Closed, it waits no more.

        Raises:
            StorageError: The database is away.
            JournalTruncatedError: What comes after the sequence was moved out of the database.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            heard = self._news.rings
            page = await _page(self._whole(self._tail.after), after, limit, wanted)
            left = deadline - asyncio.get_running_loop().time()
            if page.entries or left <= 0 or self.is_closed:
                return page
            after = page.scanned
            if page.is_last:
                await self._wait(heard, min(left, _LOOK_AGAIN_SECONDS))

    async def rest(self, seconds: float) -> None:
        """Wait so long, or until the journal grows; closed, it does not wait."""
        if not self.is_closed:
            await self._wait(self._news.rings, seconds)

    def close(self) -> None:
        """Let go of all who wait, and of those who will."""
        self.is_closed = True
        for ring in self._waiting:
            ring.cancel()

    async def _wait(self, heard: int, seconds: float) -> None:
        ring = self._news.next_ring(heard)
        self._waiting.add(ring)
        try:
            await asyncio.wait({ring}, timeout=seconds)
        finally:
            self._waiting.discard(ring)
            ring.cancel()


async def _page(read: Read, after: int, limit: int, wanted: EntryFilter) -> FeedPage:
    found: list[Entry] = []
    scanned = after
    is_last = False
    while not is_last and len(found) < limit and scanned - after < _SCANNED_AT_MOST:
        page = await read(scanned, limit)
        for entry in page:
            scanned = entry.sequence
            if wanted.passes(entry_type=entry.type, provider=entry.provider, kind=entry.kind, to=entry.to_status):
                found.append(entry)
                if len(found) == limit:
                    return FeedPage(found, scanned, is_last=False)
        is_last = len(page) < limit
    return FeedPage(found, scanned, is_last)
