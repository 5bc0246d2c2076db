"""What a subscription would get: a look at the journal's end with a filter that nobody has subscribed by yet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracker.domain.subscription import EntryFilter
from tracker.journal.entry import Entry
from tracker.ports import Store
from tracker.usecases.subscribe import check_filter

LOOKED_AT: Final = 1_000
"""So many of the last entries are looked at."""
SHOWN: Final = 20
"""So many of those that pass are shown, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What of the last entries would pass.

    Attributes:
        looked_at: How many entries there were to look at.
        first: The sequence of the first of them; None if there was none.
        passed: How many of them would be told.
        by_type: How many of each type that is among them, the most frequent first.
        newest: The last ones that would be told, the newest first.
    """

    looked_at: int
    first: int | None
    passed: int
    by_type: Mapping[str, int]
    newest: Sequence[Entry]


class Previews:
    """Looks at the journal's end."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, wanted: EntryFilter) -> Preview:
        """Say what of the last entries a filter lets pass. One bounded read.

        Raises:
            InvalidRequestError: The filter cannot be.
            StorageError: The database is away.
        """
        check_filter(wanted)
        entries = await self._store.entries_after(max(0, await self._store.head() - LOOKED_AT), LOOKED_AT)
        passing = [
            entry
            for entry in entries
            if wanted.passes(entry_type=entry.type, provider=entry.provider, kind=entry.kind, to=entry.to_status)
        ]
        return Preview(
            looked_at=len(entries),
            first=entries[0].sequence if entries else None,
            passed=len(passing),
            by_type=dict(Counter(entry.type for entry in passing).most_common()),
            newest=passing[: -SHOWN - 1 : -1],
        )
