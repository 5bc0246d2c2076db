"""The queries: what is asked of the database outside of a transaction that writes."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, CursorResult, func, or_, select

from tracker.adapters.store import lookups, rows
from tracker.adapters.store.at_hand import at_hand, with_their_keys
from tracker.adapters.store.differences import POSTGRES, by_no_index, planned_by_values
from tracker.adapters.store.tables import (
    api_key,
    consent,
    entry,
    inbox,
    journal,
    report,
)
from tracker.domain.consent import OPEN, Status, TrackingId
from tracker.domain.schedule import Tempo
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import ApiKey, ConsentQuery, Name, StoredReport, Watched

# What was recorded in one transaction has one instant; it was judged in the order of receipt.
_RECORDING = (report.c.recorded_at, report.c.asks, report.c.received_at, report.c.digest)

_FEW = 1000


def inbox_depth(connection: Connection) -> tuple[int, datetime | None]:
    """How many items wait, and since when the most overdue one should have been opened."""
    row = connection.execute(select(func.count(), func.min(inbox.c.due_at)).select_from(inbox)).one()
    return row[0], row[1] if isinstance(row[1], datetime) else None


def find_consent(connection: Connection, name: Name) -> TrackedConsent | None:
    """Look a consent up by what the world calls it."""
    found = find_watched(connection, name)
    return None if found is None else found[0]


def get_consent(connection: Connection, tracking_id: TrackingId) -> TrackedConsent | None:
    """Look a consent up by our key."""
    found = get_watched(connection, tracking_id)
    return None if found is None else found[0]


def find_watched(connection: Connection, name: Name) -> Watched | None:
    """Look a consent up by what the world calls it, and when it is asked about."""
    provider, consent_id = name
    return _watched(connection.execute(lookups.CONSENT_BY_NAME, {"provider": provider, "name": consent_id}))


def get_watched(connection: Connection, tracking_id: TrackingId) -> Watched | None:
    """Look a consent up by our key, and when it is asked about."""
    return _watched(connection.execute(lookups.CONSENT_BY_KEY, {"key": tracking_id}))


def _watched(found: CursorResult[Any]) -> Watched | None:
    row = found.one_or_none()
    if row is None:
        return None
    if row.sealed is not None:
        at_hand().know((row.provider, row.consent_id), row.sealed_with, row.key)
    return rows.to_consent(row), rows.to_next_ask(row)


def search(connection: Connection, query: ConsentQuery, now: datetime) -> list[TrackedConsent]:
    """Search, in order of tracking id."""
    ends_before = query.expiring_before
    if query.effective_status in OPEN and ends_before is not None and ends_before <= now:
        return []  # what has ended is effectively not open: they would all be looked through for none
    key: ColumnElement[str] = consent.c.tracking_id
    if _are_few(connection, query, now):
        key = by_no_index(connection, consent.c.tracking_id)
    found = select(consent).order_by(key).limit(query.limit)
    if query.after is not None:
        found = found.where(key > query.after)
    for condition in _conditions(connection, query, now):
        found = found.where(condition)
    with planned_by_values(connection):
        kept = connection.execute(found).all()
    return [rows.to_consent(row) for row in with_their_keys(kept)]


def _conditions(connection: Connection, query: ConsentQuery, now: datetime) -> list[ColumnElement[bool]]:
    equal = {
        consent.c.provider: query.provider,
        consent.c.kind: query.kind,
        consent.c.status: query.status,
        consent.c.base_consent_id: query.base_consent_id,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if query.user_ref is not None:
        # Until older rows were gone through, those that are not sealed yet are found by what they say.
        conditions.append(or_(*_whose(query.user_ref)))
    if query.providers is not None:
        conditions.append(by_no_index(connection, consent.c.provider).in_(sorted(query.providers)))
    if query.effective_status is not None:
        conditions.append(_is_effectively(connection, query.effective_status, now))
    conditions += _ending(query, now)
    if query.updated_since is not None:
        conditions.append(consent.c.updated_at >= query.updated_since)
    return conditions


def _whose(user_ref: str) -> list[ColumnElement[bool]]:
    hashed = at_hand().user_ref_hash(user_ref)
    as_it_is = consent.c.user_ref == user_ref
    return [as_it_is] if hashed is None else [consent.c.user_ref_hash == hashed, as_it_is]


def _are_few(connection: Connection, query: ConsentQuery, now: datetime) -> bool:
    """Whether it is better to sort them than to look for them in the order of keys. PostgreSQL knows by itself, SQLite never."""
    if connection.dialect.name == POSTGRES:
        return False
    if query.updated_since is not None:
        some = select(consent.c.updated_at).where(consent.c.updated_at >= query.updated_since)
    elif (status := query.effective_status or query.status) not in {None, Status.EXPIRED} and query.expiring_before:
        some = select(consent.c.status).where(consent.c.status == status, *_ending(query, now))
    else:
        return False
    return len(connection.execute(some.limit(_FEW + 1)).all()) <= _FEW


def _ending(query: ConsentQuery, now: datetime) -> list[ColumnElement[bool]]:
    expiry = consent.c.expiration_date_time
    ending = [] if query.expiring_before is None else [expiry < query.expiring_before]
    # What is effectively open has not ended: that says where in the index to begin.
    return [*ending, expiry > now] if ending and query.effective_status in OPEN else ending


def _is_effectively(connection: Connection, status: Status, now: datetime) -> ColumnElement[bool]:
    """The domain's `Decision.effective_status`, in SQL; said so that consents are found by the status that they have."""
    expiry, judged_at = consent.c.expiration_date_time, consent.c.judged_at
    if status is Status.EXPIRED:
        has = by_no_index(connection, consent.c.status)
        return or_(has == status, has.in_(sorted(OPEN)) & or_(expiry <= now, expiry <= judged_at))
    has_status = consent.c.status == status
    if status not in OPEN:
        return has_status
    return has_status & or_(expiry.is_(None), (expiry > now) & or_(judged_at.is_(None), expiry > judged_at))


def reports_of(connection: Connection, tracking_id: TrackingId) -> list[StoredReport]:
    """All reports on record about a consent, in the order of recording."""
    query = select(report).where(report.c.tracking_id == tracking_id).order_by(*_RECORDING)
    return [rows.to_report(row) for row in with_their_keys(connection.execute(query))]


def reports_of_each(
    connection: Connection, tracking_ids: Collection[TrackingId]
) -> dict[TrackingId, list[StoredReport]]:
    """The same of several consents."""
    found: dict[TrackingId, list[StoredReport]] = {}
    query = select(report).where(report.c.tracking_id.in_(sorted(tracking_ids))).order_by(*_RECORDING)
    for row in with_their_keys(connection.execute(query)):
        found.setdefault(row.tracking_id, []).append(rows.to_report(row))
    return found


def chain(connection: Connection, root: Name, limit: int) -> list[TrackedConsent]:
    """The root of a chain of renewals, and those that name it, the last registered first."""
    provider, consent_id = root
    named = select(consent).where(
        consent.c.base_consent_id == consent_id, by_no_index(connection, consent.c.provider) == provider
    )
    key = by_no_index(connection, consent.c.tracking_id)
    found = with_their_keys(connection.execute(named.order_by(key.desc()).limit(limit)))
    renewals = [rows.to_consent(row) for row in found]
    first = find_consent(connection, root)
    return renewals if first is None or first in renewals else [*renewals[: limit - 1], first]


def next_ask_at(connection: Connection, tracking_id: TrackingId, tempo: Tempo) -> datetime | None:
    """When the consent is due to be asked about."""
    row = connection.execute(lookups.CONSENT_BY_KEY, {"key": tracking_id}).one_or_none()
    return None if row is None else rows.to_next_ask(row).due_at(Status(row.status), tempo)


def entries_of(connection: Connection, tracking_id: TrackingId) -> list[Entry]:
    """All entries about a consent, in sequence."""
    query = select(entry).where(entry.c.tracking_id == tracking_id).order_by(entry.c.sequence)
    return [rows.to_entry(row) for row in with_their_keys(connection.execute(query))]


def entries_after(connection: Connection, sequence: int, limit: int, up_to: int | None) -> list[Entry]:
    """Read the journal in sequence."""
    query = select(entry).where(entry.c.sequence > sequence).order_by(entry.c.sequence).limit(limit)
    if up_to is not None:
        query = query.where(entry.c.sequence <= up_to)
    return [rows.to_entry(row) for row in with_their_keys(connection.execute(query))]


def entries_at(connection: Connection, sequences: Collection[int]) -> dict[int, Entry]:
    """Read some entries."""
    query = select(entry).where(entry.c.sequence.in_(sorted(sequences)))
    return {row.sequence: rows.to_entry(row) for row in with_their_keys(connection.execute(query))}


def journal_id(connection: Connection) -> str:
    """The UUID of this journal."""
    return str(connection.execute(select(journal.c.journal_id)).scalar_one())


def head(connection: Connection) -> int:
    """The sequence of the last entry."""
    return int(connection.execute(select(journal.c.next_sequence)).scalar_one()) - 1


def api_keys(connection: Connection) -> list[ApiKey]:
    """All API keys, in order of id."""
    return [rows.to_api_key(row) for row in connection.execute(select(api_key).order_by(api_key.c.id))]


def get_api_key(connection: Connection, key_id: str) -> ApiKey | None:
    """One API key."""
    row = connection.execute(lookups.API_KEY, {"key": key_id}).one_or_none()
    return None if row is None else rows.to_api_key(row)
