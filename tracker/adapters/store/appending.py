"""The journal's end: take the head, seal what was drafted, write it down. Last of all in a transaction, because others wait."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from tracker.adapters.store import lookups, rows
from tracker.adapters.store.columns import UNREADABLE
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.sealed import hidden_private
from tracker.adapters.store.tables import batch, entry
from tracker.domain.consent import TrackingId
from tracker.domain.errors import InconsistentRowError
from tracker.journal.entry import Draft, Entry, seal


def append(
    connection: Connection,
    batch_id: str,
    drafts: Sequence[Draft],
    now: datetime,
    last: Mapping[TrackingId, int | None] | None = None,
) -> list[Entry]:
    """Seal drafts in order, and append them.

    Args:
        connection: In a transaction that writes nothing after this.
        batch_id: The transaction's, so that a commit whose answer was lost can be asked about.
        drafts: What is to be told; at least one.
        now: Our clock's time.
        last: The last sequence of the lanes that are held, those of consents; others' are looked up.
    """
    count = len(drafts)
    private = hidden_private(drafts)
    head = connection.execute(lookups.TAKE_HEAD, {"count": count, "now": now}).one()
    if head.recorded_at is UNREADABLE:
        raise InconsistentRowError("journal", "1", "recorded_at cannot be read")
    recorded_at, source = head.recorded_at, f"urn:uuid:{head.journal_id}"
    previous: dict[str, int | None] = dict((last or {}).items())
    sealed: list[Entry] = []
    for sequence, draft in enumerate(drafts, start=head.next_sequence - count):
        if draft.lane not in previous:  # whoever holds the head sees all that was appended before
            previous[draft.lane] = _last_of(connection, draft.lane)
        sealed.append(
            seal(draft, sequence=sequence, previous=previous[draft.lane], recorded_at=recorded_at, source=source)
        )
        previous[draft.lane] = sequence
    insert_rows(connection, entry, [rows.entry_values(one, private.get(one.leaf["id"])) for one in sealed])
    connection.execute(insert(batch), {"id": batch_id, "recorded_at": recorded_at})
    return sealed


def _last_of(connection: Connection, lane: str) -> int | None:
    of_lane = select(entry.c.sequence).where(entry.c.tracking_id == lane)
    return connection.execute(of_lane.order_by(entry.c.sequence.desc()).limit(1)).scalar()
