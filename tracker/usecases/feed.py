"""The change feed: the journal, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.domain.subscription import EntryFilter
from tracker.journal.entry import Entry
from tracker.ports import Store

_SCANNED_AT_MOST = 5000


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A part of the journal.

    Attributes:
        entries: Those that the reader wants.
        scanned: The last sequence that was looked at; where the next page begins.
    """

    entries: Sequence[Entry]
    scanned: int


class Feed:
    """Reads the journal for those who pull."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, after: int, limit: int, wanted: EntryFilter) -> FeedPage:
        """Read up to `limit` wanted entries after a sequence. A rare type costs several pages, not one endless look."""
        found: list[Entry] = []
        scanned = after
        while len(found) < limit and scanned - after < _SCANNED_AT_MOST:
            page = await self._store.entries_after(scanned, limit)
            for entry in page:
                scanned = entry.sequence
                data = entry.leaf["data"]
                if wanted.passes(entry_type=entry.type, provider=data["provider"], kind=data["kind"], to=data["to"]):
                    found.append(entry)
                    if len(found) == limit:
                        break
            if len(page) < limit:
                break
        return FeedPage(found, scanned)
