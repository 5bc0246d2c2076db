"""What is known of the providers themselves, inside a transaction: `ports.ProviderBook`."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, insert, select, update

from tracker.adapters.store import rows
from tracker.adapters.store.at_hand import with_their_keys
from tracker.adapters.store.differences import database_now, upsert
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.provider_tables import (
    awaited_event,
    journal_reading,
    provider_health,
    provider_ledger,
    provider_moves,
)
from tracker.adapters.store.rows.provider import (
    hearing_values,
    lags_values,
    ledger_values,
    to_health,
    to_lags,
    to_ledger,
)
from tracker.adapters.store.tables import consent, entry, report
from tracker.domain.breaker import Breaker
from tracker.domain.consent import Channel, ProviderId, Status, TrackingId
from tracker.domain.hearing import Hearing
from tracker.domain.lags import Lags
from tracker.journal.entry import Entry
from tracker.ports import Health, Ledger, Told

_A_SECOND = timedelta(seconds=1)


def instant_of(connection: Connection, now: datetime | None) -> datetime:
    """The instant of the clock that counts: ours, or the database's."""
    if now is not None:
        return now
    found = connection.execute(select(database_now(connection))).scalar_one()
    return found if isinstance(found, datetime) else datetime.fromisoformat(found)


class SqlProviderBook:
    """Implements `ports.ProviderBook` on a connection inside a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # ------------------------------------------------------------------------------------------ ledgers

    def lock_ledger(self, provider: ProviderId, now: datetime | None) -> Ledger:
        """Hold a provider's ledger until the end."""
        query = select(provider_ledger).where(provider_ledger.c.provider == provider).with_for_update()
        row = self._connection.execute(query).one_or_none() or self._new_ledger(provider)
        # Only now: there may have been somebody to wait for.
        return to_ledger(row, instant_of(self._connection, now))

    def _new_ledger(self, provider: ProviderId) -> Row[tuple[object, ...]]:
        from_nothing = ledger_values(Ledger(at=datetime.min, breaker=Breaker()))  # noqa: DTZ901 - never written down
        new = upsert(self._connection, provider_ledger).values(provider=provider, **from_nothing)
        self._connection.execute(new.on_conflict_do_nothing())
        query = select(provider_ledger).where(provider_ledger.c.provider == provider).with_for_update()
        return self._connection.execute(query).one()

    def save_ledger(self, provider: ProviderId, ledger: Ledger) -> None:
        """Write a ledger that is held."""
        statement = update(provider_ledger).where(provider_ledger.c.provider == provider)
        self._connection.execute(statement.values(ledger_values(ledger)))

    # ------------------------------------------------------------------------------------------ the reading

    def read_on(self, reading: str, limit: int) -> list[Entry] | None:
        """Hold a reading of the journal until the end, and go on with it."""
        mine = journal_reading.c.name == reading
        held = select(journal_reading.c.sequence).where(mine).with_for_update(skip_locked=True)
        at = self._connection.execute(held).scalar_one_or_none()
        if at is None:
            return None
        query = select(entry).where(entry.c.sequence > at).order_by(entry.c.sequence).limit(limit)
        found = [rows.to_entry(row) for row in with_their_keys(self._connection.execute(query))]
        if found:
            self._connection.execute(update(journal_reading).where(mine).values(sequence=found[-1].sequence))
        return found

    def registered_at(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, datetime]:
        """When tracking of these consents began."""
        if not tracking_ids:
            return {}
        query = select(consent.c.tracking_id, consent.c.registered_at).where(
            consent.c.tracking_id.in_(sorted(tracking_ids))
        )
        found = self._connection.execute(query)
        return {TrackingId(key): at for key, at in found if isinstance(at, datetime)}

    def count_moves(self, counted: Mapping[tuple[str, Told, datetime], Lags]) -> None:
        """Add to what was counted of moves."""
        for (provider, told_by, hour), lags in counted.items():
            where = (
                provider_moves.c.provider == provider,
                provider_moves.c.told_by == told_by.value,
                provider_moves.c.hour == hour,
            )
            row = self._connection.execute(select(provider_moves).where(*where)).one_or_none()
            if row is None:
                new = {"provider": provider, "told_by": told_by.value, "hour": hour, **lags_values(lags)}
                self._connection.execute(insert(provider_moves).values(new))
            else:
                changed = update(provider_moves).where(*where).values(lags_values(to_lags(row) + lags))
                self._connection.execute(changed)

    # ------------------------------------------------------------------------------------------ events that may come

    def await_events(self, found: Mapping[int, datetime]) -> None:
        """Wait for events of moves that polls found."""
        waits = [{"sequence": sequence, "due_at": due_at} for sequence, due_at in found.items()]
        insert_rows(self._connection, awaited_event, waits, known_ones_stay=True)

    def overdue(self, now: datetime, limit: int) -> list[Entry]:
        """What was waited for long enough."""
        query = (
            select(entry)
            .join(awaited_event, awaited_event.c.sequence == entry.c.sequence)
            .where(awaited_event.c.due_at <= now)
            .order_by(awaited_event.c.due_at, entry.c.sequence)
            .limit(limit)
        )
        return [rows.to_entry(row) for row in with_their_keys(self._connection.execute(query))]

    def settle(self, sequences: Collection[int]) -> None:
        """Wait for these no longer."""
        self._connection.execute(delete(awaited_event).where(awaited_event.c.sequence.in_(sorted(sequences))))

    def is_told(self, tracking_id: TrackingId, status: Status, status_date_time: datetime) -> bool:
        """Whether an event with this claim is on record; one may have cut the time to a second that the other did not."""
        query = select(report.c.digest).where(
            report.c.tracking_id == tracking_id,
            report.c.channel == Channel.WEBHOOK.value,
            report.c.status == status.value,
            report.c.status_date_time > status_date_time - _A_SECOND,
            report.c.status_date_time < status_date_time + _A_SECOND,
        )
        return self._connection.execute(query.limit(1)).first() is not None

    # ------------------------------------------------------------------------------------------ health

    def lock_health(self, provider: ProviderId) -> Health:
        """Hold what is known of a provider until the end."""
        new = upsert(self._connection, provider_health).values(provider=provider, record="", stretch=1.0)
        self._connection.execute(new.on_conflict_do_nothing())
        query = select(provider_health).where(provider_health.c.provider == provider).with_for_update()
        return to_health(self._connection.execute(query).one())

    def save_hearing(self, provider: ProviderId, hearing: Hearing) -> None:
        """Write whether a provider's events come."""
        statement = update(provider_health).where(provider_health.c.provider == provider)
        self._connection.execute(statement.values(hearing_values(hearing)))
