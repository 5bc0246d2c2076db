"""The quarantine: putting events aside, making room, looking, and letting them go back into the inbox.

What was never verified may have been sent by anybody, so all of it together has a fixed room; the oldest make way. What was
verified is never touched for it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Select,
    delete,
    func,
    insert,
    literal,
    select,
    text,
)

from tracker.adapters.store import rows
from tracker.adapters.store.columns import Instant
from tracker.adapters.store.differences import upsert
from tracker.adapters.store.tables import inbox, quarantine
from tracker.ports import LackedKey, Name, Quarantined, QuarantineFilter

MAX_UNVERIFIED: Final = 10_000
"""How many never-verified events are kept."""
MAX_UNVERIFIED_BYTES: Final = 64 * 1024 * 1024
"""How large their bodies may be together."""

_LACKED: Final = text("reason IN ('key_unknown', 'keys_unavailable')")  # to the letter what the index holds
_never_verified = quarantine.c.verified.is_(False)
_AT_ONCE = 400  # rows read at a time while making room


def put_aside(connection: Connection, events: Sequence[rows.Values]) -> None:
    """Keep events; one that is there already stays as it is."""
    connection.execute(upsert(connection, quarantine).on_conflict_do_nothing(), list(events))
    if not all(event["verified"] for event in events):
        _make_room(connection)


def _make_room(connection: Connection) -> None:
    """Let the oldest never-verified events go until the others fit. The covering index knows it all: no body is read."""
    size = func.coalesce(func.sum(quarantine.c.size_bytes), 0)
    count, total = connection.execute(select(func.count(), size).where(_never_verified)).one()
    while count > MAX_UNVERIFIED or total > MAX_UNVERIFIED_BYTES:
        last = ""
        oldest = select(quarantine.c.id, quarantine.c.size_bytes).where(_never_verified)
        for row in connection.execute(oldest.order_by(quarantine.c.id).limit(_AT_ONCE)):
            if count <= MAX_UNVERIFIED and total <= MAX_UNVERIFIED_BYTES:
                break
            count, total, last = count - 1, total - row.size_bytes, row.id
        connection.execute(delete(quarantine).where(_never_verified, quarantine.c.id <= last))


def release(connection: Connection, ids: Collection[str], now: datetime) -> list[str]:
    """Move events back into the inbox, due now; give the ids of those that were there."""
    wanted = quarantine.c.id.in_(sorted(ids))
    # What another is moving at this moment is not there any more.
    query = select(quarantine.c.id).where(wanted).order_by(quarantine.c.id).with_for_update(skip_locked=True)
    found = list(connection.execute(query).scalars())
    if found:
        there = quarantine.c.id.in_(found)
        as_they_came = (quarantine.c[name] for name in ("id", "profile", "body", "received_at", "interaction_id"))
        names = ["id", "profile", "body", "received_at", "interaction_id", "attempts", "retries", "due_at"]
        due_at = literal(now, Instant())
        moved = select(*as_they_came, literal(0), quarantine.c.retries + 1, due_at).where(there)
        connection.execute(insert(inbox).from_select(names, moved))
        connection.execute(delete(quarantine).where(there))
    return found


def claiming(connection: Connection, name: Name, limit: int) -> list[str]:
    """The ids of events that claim to be about a consent that we did not hold, the last received first."""
    provider, consent_id = name
    about = (quarantine.c.provider == provider, quarantine.c.consent_id == consent_id)
    query = select(quarantine.c.id).where(*about, quarantine.c.consent_id.is_not(None))
    return list(connection.execute(query.order_by(quarantine.c.id.desc()).limit(limit)).scalars())


def lacking(connection: Connection, provider: str, kids: Collection[str], limit: int, after: str) -> list[LackedKey]:
    """Events that lacked one of these keys of a provider, the first received first."""
    found: list[LackedKey] = []
    columns = (quarantine.c.id, quarantine.c.kid, quarantine.c.received_at)
    for kid in sorted(kids):  # an index for each: in the order of ids it would be one through all that lack any
        query = select(*columns).where(_LACKED, quarantine.c.provider == provider, quarantine.c.kid == kid)
        some = connection.execute(query.where(quarantine.c.id > after).order_by(quarantine.c.id).limit(limit))
        found += [LackedKey(*row) for row in some if isinstance(row.received_at, datetime)]
    return sorted(found, key=lambda one: one.id)[:limit]


def listed(connection: Connection, limit: int, before: str | None, only: QuarantineFilter) -> list[Quarantined]:
    """Read the quarantine, the last received first."""
    query = _only(select(quarantine), only).order_by(quarantine.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(quarantine.c.id < before)
    return [rows.to_quarantined(row) for row in connection.execute(query)]


def listed_ids(connection: Connection, limit: int, after: str, only: QuarantineFilter) -> list[str]:
    """Read ids, the first received first."""
    query = _only(select(quarantine.c.id), only).where(quarantine.c.id > after).order_by(quarantine.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def get(connection: Connection, event_id: str) -> Quarantined | None:
    """One event."""
    row = connection.execute(select(quarantine).where(quarantine.c.id == event_id)).one_or_none()
    return None if row is None else rows.to_quarantined(row)


def _only(query: Select[Any], only: QuarantineFilter) -> Select[Any]:
    wanted = {
        quarantine.c.reason: only.reason,
        quarantine.c.step: only.step,
        quarantine.c.provider: only.provider,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    if only.our_kids is not None:
        query = query.where(quarantine.c.our_kid.in_(sorted(only.our_kids)))
    return query if only.verified is None else query.where(quarantine.c.verified.is_(only.verified))
