"""Reading the journal once for all streams that want the same page at the same time.

A hundred streams that stand at its end are woken by each new entry together. Only a read that is under way is shared, and only
one that began after the last ring: so nobody takes an answer for the newest that is older than what it was woken for.
"""

import asyncio
from collections.abc import Sequence

from tracker.journal.entry import Entry
from tracker.ports import Store
from tracker.usecases.wake import Bell


class SharedReads:
    """Pages of the journal."""

    def __init__(self, store: Store, news: Bell) -> None:
        """Begin with none.

        Args:
            store: Where the journal is.
            news: Rings when it has grown.
        """
        self._store = store
        self._news = news
        self._under_way: dict[tuple[int, int, int], asyncio.Task[list[Entry]]] = {}

    async def after(self, sequence: int, limit: int) -> Sequence[Entry]:
        """Read entries after a sequence.

        Raises:
            StorageError: The database is away.
        """
        key = (self._news.rings, sequence, limit)
        read = self._under_way.get(key)
        if read is None:
            read = asyncio.create_task(self._store.entries_after(sequence, limit))
            self._under_way[key] = read
            read.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(read)  # who leaves does not take it from the others

    def _end(self, key: tuple[int, int, int], done: "asyncio.Task[list[Entry]]") -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # if all who waited have left, nobody else looks at it
