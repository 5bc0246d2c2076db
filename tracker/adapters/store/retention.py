"""What disposal reads outside of a transaction, and what is forgotten by its age. Implements `ports.RetentionStore`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, func, not_, or_, select, tuple_

from tracker.adapters.store import rows
from tracker.adapters.store.about import named, of_its_tokens
from tracker.adapters.store.at_hand import with_their_keys
from tracker.adapters.store.belief_tables import belief
from tracker.adapters.store.completion_tables import completion
from tracker.adapters.store.differences import hold_names, written_over
from tracker.adapters.store.disposals import to_erasure, to_hold, to_tombstone
from tracker.adapters.store.evidence import to_jws
from tracker.adapters.store.key_tables import consent_key
from tracker.adapters.store.retention_tables import disposed_consent, erasure, journal_detached, legal_hold
from tracker.adapters.store.rows.reading import consistent, sorted_out
from tracker.adapters.store.sealed import OTHER_EVENT
from tracker.adapters.store.subscription_tables import dead_letter, parked
from tracker.adapters.store.tables import (
    confirmation,
    consent,
    entry,
    evidence,
    other_event,
    payment,
    quarantine,
    report,
)
from tracker.domain.consent import TERMINAL, Status, TrackingId
from tracker.domain.errors import StorageError
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import base64url, rfc3339
from tracker.ports import Name
from tracker.ports.retention import Erasure, HeldAbout, Hold, Tombstone

T = TypeVar("T")

_OVER: Final = tuple(sorted({*(status.value for status in TERMINAL), Status.NOT_STAGED.value}))


class _Database(Protocol):
    async def write(self, work: Callable[[Connection], tuple[T, str | None]], *, urgent: bool = False) -> T: ...

    async def read(self, work: Callable[[Connection], T]) -> T: ...

    async def scrub(self) -> bool: ...


class SqlRetention:
    """Implements `ports.RetentionStore`."""

    def __init__(self, database: _Database) -> None:
        self._database = database

    async def over_after(
        self, tracking_id: str, limit: int, created_before: datetime
    ) -> tuple[list[TrackedConsent], str | None]:
        """Look through so many consents in the order of their keys."""
        columns = (consent.c.tracking_id, consent.c.told_status, consent.c.registered_at, consent.c.creation_date_time)

        def look(connection: Connection) -> tuple[list[TrackedConsent], str | None]:
            some = (
                select(*columns).where(consent.c.tracking_id > tracking_id).order_by(consent.c.tracking_id).limit(limit)
            )
            page = connection.execute(some).all()
            over = [row.tracking_id for row in page if row.told_status in _OVER and _is_older(row, created_before)]
            whole = select(consent).where(consent.c.tracking_id.in_(over)).order_by(consent.c.tracking_id)
            found = sorted_out(connection.execute(whole), rows.to_consent)[0] if over else []
            return found, page[-1].tracking_id if len(page) == limit else None

        return await self._database.read(look)

    async def asked_for(self, now: datetime, limit: int) -> list[TrackingId]:
        """Consents whose erasure was asked for and that are due to be looked at."""
        query = select(erasure.c.tracking_id).where(erasure.c.look_at <= now).order_by(erasure.c.look_at).limit(limit)
        return await self._database.read(lambda c: [TrackingId(found) for found in c.execute(query).scalars()])

    async def erasures(self, limit: int, after: str = "") -> list[Erasure]:
        """All that were asked for and have not gone."""
        query = select(erasure).where(erasure.c.tracking_id > after).order_by(erasure.c.tracking_id).limit(limit)
        return await self._database.read(lambda c: sorted_out(c.execute(query), to_erasure)[0])

    async def holds(self, limit: int, after: tuple[str, str] = ("", "")) -> list[Hold]:
        """All holds."""
        keys = (legal_hold.c.id, legal_hold.c.tracking_id)
        query = select(legal_hold).where(tuple_(*keys) > after).order_by(*keys).limit(limit)
        return await self._database.read(lambda c: sorted_out(c.execute(query), to_hold)[0])

    async def tombstone(self, name: Name) -> Tombstone | None:
        """What is left of a consent that was disposed of, by its name."""
        provider, consent_id = name
        return await self._tombstone(
            disposed_consent.c.provider == provider, disposed_consent.c.consent_id == consent_id
        )

    async def tombstone_of(self, tracking_id: TrackingId) -> Tombstone | None:
        """The same by our key."""
        return await self._tombstone(disposed_consent.c.tracking_id == tracking_id)

    async def _tombstone(self, *which: ColumnElement[bool]) -> Tombstone | None:
        row = await self._database.read(lambda c: c.execute(select(disposed_consent).where(*which)).one_or_none())
        return None if row is None else to_tombstone(row)

    async def held_about(self, kept: TrackedConsent) -> HeldAbout:
        """What is held about a consent besides itself, its reports, its entries and its payments."""
        return await self._database.read(partial(_held_about, kept=kept))

    async def forget_before(self, quarantined: datetime, unregistered: datetime, limit: int) -> int:
        """Delete what was put aside, and what is about no registered consent, of before these times."""
        forget = partial(_forget_before, quarantined=quarantined, unregistered=unregistered, limit=limit)
        return await self._database.write(lambda connection: (forget(connection), None))

    async def journal_floor(self) -> int:
        """The first sequence that is still in the journal's table."""
        below = select(func.max(journal_detached.c.below))
        return await self._database.read(lambda connection: connection.execute(below).scalar() or 1)

    async def scrub(self) -> bool:
        """Write deleted values out of what is left of the write-ahead log."""
        try:
            return await self._database.scrub()
        except StorageError:
            return False  # housekeeping does it again


def _is_older(row: Any, bound: datetime) -> bool:
    times = (row.registered_at, row.creation_date_time)
    return any(isinstance(time, datetime) and time <= bound for time in times)


def _held_about(connection: Connection, kept: TrackedConsent) -> HeldAbout:
    own = connection.execute(select(entry.c.sequence).where(entry.c.tracking_id == kept.tracking_id)).scalars().all()
    parts: tuple[tuple[Table, ColumnElement[bool]], ...] = (
        (confirmation, confirmation.c.tracking_id == kept.tracking_id),
        (belief, belief.c.tracking_id == kept.tracking_id),
        (completion, completion.c.tracking_id == kept.tracking_id),
        (parked, and_(parked.c.tracking_id == kept.tracking_id, parked.c.sequence.in_(own))),
        (dead_letter, and_(dead_letter.c.tracking_id == kept.tracking_id, dead_letter.c.sequence.in_(own))),
        (legal_hold, legal_hold.c.tracking_id == kept.tracking_id),
        (erasure, erasure.c.tracking_id == kept.tracking_id),
    )
    events = with_their_keys(connection.execute(select(other_event).where(named(other_event, kept))))
    tokens = with_their_keys(connection.execute(select(evidence).where(of_its_tokens(connection, kept))))
    tables = {
        other_event.name: [_plain(_opened_event(row)) for row in events],
        evidence.name: [_plain(row._asdict() | {"jws": to_jws(row)}) for row in tokens],
    } | {
        table.name: [_plain(row._asdict()) for row in connection.execute(select(table).where(which))]
        for table, which in parts
    }
    return HeldAbout(tables={name: found for name, found in tables.items() if found})


@consistent("other_event", "digest")
def _opened_event(row: Row[Any]) -> Mapping[str, Any]:
    said = {name: value for name, value in row._asdict().items() if name != "sealed"}
    return said | dict(OTHER_EVENT.opened(row))


def _plain(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    """Times as text, tokens as the ASCII that they are, other bytes in base64url."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bytes):
        return value.decode() if value.isascii() else base64url(value)
    return value


def _forget_before(connection: Connection, quarantined: datetime, unregistered: datetime, limit: int) -> int:
    waiting = select(report.c.digest, report.c.jws_sha256, report.c.provider, report.c.consent_id)
    unnamed = waiting.where(report.c.tracking_id.is_(None), report.c.recorded_at < unregistered)
    names = {(row.provider, row.consent_id) for row in connection.execute(unnamed.limit(limit))}
    hold_names(connection, names)  # before anything else, as whoever registers them or hears of them does
    early = connection.execute(unnamed.limit(limit)).all() if names else []
    early = [row for row in early if (row.provider, row.consent_id) in names]
    with written_over(connection):
        aside = select(quarantine.c.id).where(quarantine.c.quarantined_at < quarantined).limit(limit)
        gone = _delete(connection, quarantine, quarantine.c.id, connection.execute(aside).scalars().all())
        _delete(connection, evidence, evidence.c.jws_sha256, [row.jws_sha256 for row in early if row.jws_sha256])
        gone += _delete(connection, report, report.c.digest, [row.digest for row in early])
        for provider, consent_id in sorted(names):
            _forget_key(connection, provider, consent_id)
    return gone


def _forget_key(connection: Connection, provider: str, consent_id: str) -> None:
    """Destroy the key of a name that was never registered, if nothing stands under it any more."""
    still = (
        select(table.c.provider).where(table.c.provider == provider, table.c.consent_id == consent_id).exists()
        for table in (report, other_event, payment)
    )
    mine = (consent_key.c.provider == provider, consent_key.c.consent_id == consent_id)
    connection.execute(delete(consent_key).where(*mine, consent_key.c.tracking_id.is_(None), not_(or_(*still))))


def _delete(connection: Connection, table: Table, key: ColumnElement[str], found: Sequence[str]) -> int:
    return connection.execute(delete(table).where(key.in_(found))).rowcount if found else 0
