"""A journal that was restored from an older copy: what shows it, and the jump past what is lost."""

import json
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, func, select, update

from tracker.adapters.store import appending
from tracker.adapters.store.completion_tables import completion_watch
from tracker.adapters.store.database import Database
from tracker.adapters.store.provider_tables import journal_reading
from tracker.adapters.store.pull_tables import pull_window
from tracker.adapters.store.subscription_tables import subscription
from tracker.adapters.store.tables import entry, journal
from tracker.adapters.store.tile_tables import tree
from tracker.domain.errors import InconsistentRowError
from tracker.journal.draft import lane_of
from tracker.journal.entry import Entry
from tracker.journal.gap import Gap, gap_of
from tracker.ports import Ids
from tracker.ports.restored import Decide

_CURSORS = (
    ("a subscription was told", subscription.c.cursor),
    ("a subscriber has pulled", pull_window.c.scanned),
    ("the watch over work has read", completion_watch.c.cursor),
    ("the watch over providers has read", journal_reading.c.sequence),
    ("the tree is over", tree.c.size),
    ("an entry has the number", entry.c.sequence),
)


class SqlRestored:
    """Implements `ports.restored.Restored`."""

    def __init__(self, database: Database, ids: Ids) -> None:
        self._database = database
        self._ids = ids

    async def jump(self, decide: Decide, entry_id: str, now: datetime) -> Entry:
        """Hold the journal's head, decide what is lost, and append the entry that declares it behind that."""
        batch_id = self._ids.ordered()
        work = partial(_jump, decide=decide, entry_id=entry_id, now=now, batch_id=batch_id)
        return await self._database.write(lambda connection: (work(connection), batch_id))

    async def ahead(self) -> list[str]:
        """What knows of more entries than the journal has."""
        return await self._database.read(ahead)


def _jump(connection: Connection, decide: Decide, entry_id: str, now: datetime, batch_id: str) -> Entry:
    held = connection.execute(select(journal).with_for_update()).one()
    head = held.next_sequence - 1
    highest = connection.execute(select(func.coalesce(func.max(entry.c.sequence), 0))).scalar_one()
    if highest != head:
        raise InconsistentRowError("journal", "1", f"it ends at {head}, and the last entry is {highest}")
    gap = decide(head, [gap for gap, _ in declarations(connection)])
    connection.execute(update(journal).values(next_sequence=gap.last + 1))
    return appending.append(connection, batch_id, [gap.draft(entry_id, held.journal_id)], now)[0]


def declarations(connection: Connection) -> list[tuple[Gap, bytes]]:
    """The gaps that the journal declares, the oldest first, each with the leaf that says so."""
    lane = lane_of(None, f"journal/{connection.execute(select(journal.c.journal_id)).scalar_one()}")
    leaves = select(entry.c.leaf).where(entry.c.tracking_id == lane).order_by(entry.c.sequence)
    found = ((gap_of(json.loads(leaf)), bytes(leaf)) for leaf in connection.execute(leaves).scalars())
    return [(gap, leaf) for gap, leaf in found if gap is not None]


def ahead(connection: Connection) -> list[str]:
    """What knows of more entries than the journal has, in words."""
    reached = [(words, connection.execute(select(func.max(column))).scalar() or 0) for words, column in _CURSORS]
    # Read last: others may write meanwhile, and the head only rises.
    head = connection.execute(select(journal.c.next_sequence)).scalar_one() - 1
    return [f"{words} {sequence}" for words, sequence in reached if sequence > head]
