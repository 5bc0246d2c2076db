"""Disposal in the database: what ties a consent, and its end. Implements `ports.DisposalBook`.

What is about one consent is found by its key or its name, both indexed; what subscribers have of it, by the sequences of its
entries, which these tables have in their primary keys.

The key goes first, in the same transaction: whatever of the consent a backup or an unvacuumed page has is closed with it.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, func, insert, select, update

from tracker.adapters.store.about import named, of_its_tokens
from tracker.adapters.store.at_hand import at_hand
from tracker.adapters.store.belief_tables import belief
from tracker.adapters.store.completion_tables import completion, completion_watch
from tracker.adapters.store.differences import POSTGRES, upsert, written_over
from tracker.adapters.store.replay_tables import replay, replay_failure
from tracker.adapters.store.retention_tables import disposed_consent, erasure, late_event, legal_hold, steady_clock
from tracker.adapters.store.rows.reading import consistent
from tracker.adapters.store.subscription_tables import dead_letter, parked, subscription
from tracker.adapters.store.tables import (
    confirmation,
    consent,
    entry,
    evidence,
    identity,
    other_event,
    payment,
    quarantine,
    report,
)
from tracker.domain.consent import ConsentId, ProviderId, TrackingId
from tracker.domain.retention import Ties
from tracker.domain.steady_clock import SteadyClock
from tracker.domain.subscription import SubscriptionState
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Name
from tracker.ports.retention import Erasure, Gone, Hold, Tombstone

_ONLY_ROW: Final = 1
_BY_SUBSCRIPTION: Final = (parked, dead_letter, completion)


class SqlDisposalBook:
    """Implements `ports.DisposalBook` on a connection inside a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # ------------------------------------------------------------------------------------------ our clock

    def look_at_clock(self, now: datetime) -> SteadyClock:
        """Keep what our clock says, and say what was seen of it up to now."""
        run, place = self._connection.execute, steady_clock.c.id == _ONLY_ROW
        new = upsert(self._connection, steady_clock).values(id=_ONLY_ROW, seen_at=now, since=now)
        run(new.on_conflict_do_nothing())
        row = run(select(steady_clock).where(place).with_for_update()).one()
        # SQLite has the clock of the machine that it is on, which is ours.
        is_elsewhere = self._connection.dialect.name == POSTGRES
        others = run(select(func.clock_timestamp())).scalar() if is_elsewhere else None
        seen = _to_clock(row).seen(now, others)
        run(update(steady_clock).where(place).values(seen_at=seen.seen_at, since=seen.since))
        return seen

    def clock(self) -> SteadyClock | None:
        """What was seen of our clock."""
        row = self._connection.execute(select(steady_clock)).one_or_none()
        return None if row is None else _to_clock(row)

    # ------------------------------------------------------------------------------------------ what ties one

    def ties(self, kept: TrackedConsent) -> Ties:
        """What ties a consent, besides its clocks."""
        held = select(func.count()).select_from(legal_hold).where(legal_hold.c.tracking_id == kept.tracking_id)
        asked = select(erasure.c.tracking_id).where(erasure.c.tracking_id == kept.tracking_id)
        work = _of_entries(completion, self._sequences(kept))
        open_work = select(completion.c.work).where(
            work, completion.c.reported_at.is_(None), completion.c.overdue_told_at.is_(None)
        )
        return Ties(
            holds=self._connection.execute(held).scalar_one(),
            is_owed=self._is_owed(kept),
            has_work_due=self._is_unwatched(kept) or self._connection.execute(open_work.limit(1)).first() is not None,
            paid_at=max((time for table in (payment, other_event) if (time := self._last(table, kept))), default=None),
            reported_at=self._connection.execute(select(func.max(completion.c.reported_at)).where(work)).scalar(),
            is_asked=self._connection.execute(asked).first() is not None,
        )

    def _last(self, table: Table, kept: TrackedConsent) -> datetime | None:
        """When the youngest record of its came."""
        return self._connection.execute(select(func.max(table.c.recorded_at)).where(named(table, kept))).scalar()

    def _sequences(self, kept: TrackedConsent) -> list[int]:
        of_it = select(entry.c.sequence).where(entry.c.tracking_id == kept.tracking_id)
        return list(self._connection.execute(of_it).scalars())

    def _is_owed(self, kept: TrackedConsent) -> bool:
        """Whether anybody is still to be told of it. Whoever is disabled is told nothing any more."""
        last = kept.last_sequence or 0
        is_told = subscription.c.state != SubscriptionState.DISABLED.value
        behind = select(subscription.c.id).where(is_told, subscription.c.cursor < last)
        again = select(replay.c.id).where(replay.c.finished_at.is_(None), replay.c.position < last)
        waiting = select(parked.c.sequence).where(_of_entries(parked, self._sequences(kept)))
        return any(self._connection.execute(query.limit(1)).first() is not None for query in (behind, again, waiting))

    def _is_unwatched(self, kept: TrackedConsent) -> bool:
        """Whether somebody may be asked for work because of it that nobody has looked for yet."""
        behind = select(completion_watch.c.cursor).where(completion_watch.c.cursor < (kept.last_sequence or 0))
        return self._connection.execute(behind.limit(1)).first() is not None

    # ------------------------------------------------------------------------------------------ its end

    def count(self, kept: TrackedConsent) -> Gone:
        """How much would go."""

        def rows(table: Table, *which: ColumnElement[bool]) -> int:
            return self._connection.execute(select(func.count()).select_from(table).where(*which)).scalar_one()

        return Gone(
            values=rows(entry, entry.c.tracking_id == kept.tracking_id, entry.c.private_salt.is_not(None)),
            reports=rows(report, report.c.tracking_id == kept.tracking_id),
            tokens=rows(evidence, of_its_tokens(self._connection, kept)),
            payments=rows(payment, named(payment, kept)),
            others=rows(other_event, named(other_event, kept)),
            rest=sum(rows(table, which) for table, which in self._rest(kept)),
        )

    def dispose(self, kept: TrackedConsent, now: datetime) -> Gone:
        """Let all of it go, and leave a tombstone."""
        # Its key, and that of its name from before it was registered: whatever else stays somewhere can be read by nobody.
        at_hand().destroy(kept.tracking_id)
        with written_over(self._connection):
            return self._let_go(kept, now)

    def _let_go(self, kept: TrackedConsent, now: datetime) -> Gone:
        run = self._connection.execute
        of_it = entry.c.tracking_id == kept.tracking_id
        # SQL's null, and not JSON's: a value that is not there is not there.
        emptied = update(entry).where(of_it, entry.c.private_salt.is_not(None)).values(private=None, private_salt=None)
        tokens, rest = of_its_tokens(self._connection, kept), self._rest(kept)
        gone = Gone(
            tokens=run(delete(evidence).where(tokens)).rowcount,
            rest=sum(run(delete(table).where(which)).rowcount for table, which in rest),
            values=run(emptied).rowcount,
            reports=run(delete(report).where(report.c.tracking_id == kept.tracking_id)).rowcount,
            payments=run(delete(payment).where(named(payment, kept))).rowcount,
            others=run(delete(other_event).where(named(other_event, kept))).rowcount,
        )
        run(delete(erasure).where(erasure.c.tracking_id == kept.tracking_id))
        run(delete(identity).where(identity.c.tracking_id == kept.tracking_id))
        run(delete(consent).where(consent.c.tracking_id == kept.tracking_id))
        run(
            insert(disposed_consent).values(
                tracking_id=kept.tracking_id,
                provider=kept.provider,
                consent_id=kept.consent_id,
                kind=kept.kind,
                disposed_at=now,
            )
        )
        return gone

    def _rest(self, kept: TrackedConsent) -> list[tuple[Table, ColumnElement[bool]]]:
        sequences = self._sequences(kept)
        aside = and_(named(quarantine, kept), quarantine.c.consent_id.is_not(None))
        return [
            (confirmation, confirmation.c.tracking_id == kept.tracking_id),
            (belief, belief.c.tracking_id == kept.tracking_id),
            (quarantine, aside),
            *((table, _of_entries(table, sequences)) for table in _BY_SUBSCRIPTION),
            (replay_failure, _of_entries(replay_failure, sequences)),
        ]

    # ------------------------------------------------------------------------------------------ what comes after it

    def tombstones(self, names: Collection[Name]) -> dict[Name, Tombstone]:
        """Those of these names whose consents were disposed of."""
        found: dict[Name, Tombstone] = {}
        for provider, ids in _by_provider(names):
            of_it = disposed_consent.c.provider == provider, disposed_consent.c.consent_id.in_(ids)
            for row in self._connection.execute(select(disposed_consent).where(*of_it)):
                tombstone = to_tombstone(row)
                found[tombstone.name] = tombstone
        return found

    def late_digests(self, digests: Collection[str]) -> set[str]:
        """Which of these events were told of already."""
        known = select(late_event.c.digest).where(late_event.c.digest.in_(sorted(digests)))
        return set(self._connection.execute(known).scalars()) if digests else set()

    def note_late(self, digest: str, tombstone: Tombstone, now: datetime) -> None:
        """Note that an event was told of that came too late."""
        new = upsert(self._connection, late_event).on_conflict_do_nothing()
        self._connection.execute(new, {"digest": digest, "tracking_id": tombstone.tracking_id, "heard_at": now})

    # ------------------------------------------------------------------------------------------ holds and requests

    def place_hold(self, hold: Hold) -> bool:
        """Put a hold on a consent; False if it is there."""
        new = upsert(self._connection, legal_hold).on_conflict_do_nothing()
        values = {name: getattr(hold, name) for name in legal_hold.columns.keys()}  # noqa: SIM118 - columns, not a mapping
        return self._connection.execute(new.values(values)).rowcount > 0

    def holds_of(self, tracking_id: TrackingId) -> list[Hold]:
        """The holds on a consent."""
        query = select(legal_hold).where(legal_hold.c.tracking_id == tracking_id).order_by(legal_hold.c.id)
        return [to_hold(row) for row in self._connection.execute(query)]

    def lift_hold(self, hold: Hold) -> None:
        """Take a hold away."""
        this = legal_hold.c.id == hold.id, legal_hold.c.tracking_id == hold.tracking_id
        self._connection.execute(delete(legal_hold).where(*this))

    def ask_for(self, wanted: Erasure) -> bool:
        """Have a consent go as soon as it may; False if that was asked for before."""
        new = upsert(self._connection, erasure).on_conflict_do_nothing()
        values = {name: getattr(wanted, name) for name in erasure.columns.keys()}  # noqa: SIM118 - likewise
        return self._connection.execute(new.values(values)).rowcount > 0

    def look_again(self, tracking_id: TrackingId, at: datetime) -> None:
        """Look at a consent whose erasure was asked for at another time."""
        self._connection.execute(update(erasure).where(erasure.c.tracking_id == tracking_id).values(look_at=at))


def _of_entries(table: Table, sequences: list[int]) -> ColumnElement[bool]:
    """Rows about entries, found by the primary key: who has them, and which entry."""
    of = table.c.sequence.in_(sequences)
    if table is replay_failure:
        return and_(table.c.replay_id.in_(select(replay.c.id)), of)
    return and_(table.c.subscription_id.in_(select(subscription.c.id)), of)


def _by_provider(names: Iterable[Name]) -> Iterable[tuple[ProviderId, list[ConsentId]]]:
    ids: dict[ProviderId, list[ConsentId]] = {}
    for provider, consent_id in sorted(names):
        ids.setdefault(provider, []).append(consent_id)
    return ids.items()


@consistent("steady_clock", "id")
def _to_clock(row: Row[Any]) -> SteadyClock:
    return SteadyClock(seen_at=row.seen_at, since=row.since)


@consistent("disposed_consent", "tracking_id")
def to_tombstone(row: Row[Any]) -> Tombstone:
    """A row of `disposed_consent`."""
    return Tombstone(
        tracking_id=TrackingId(row.tracking_id),
        provider=ProviderId(row.provider),
        consent_id=ConsentId(row.consent_id),
        kind=row.kind,
        disposed_at=row.disposed_at,
    )


@consistent("legal_hold", "id")
def to_hold(row: Row[Any]) -> Hold:
    """A row of `legal_hold`."""
    return Hold(
        id=row.id,
        tracking_id=TrackingId(row.tracking_id),
        reason=row.reason,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
    )


@consistent("erasure", "tracking_id")
def to_erasure(row: Row[Any]) -> Erasure:
    """A row of `erasure`."""
    return Erasure(
        tracking_id=TrackingId(row.tracking_id),
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        look_at=row.look_at,
    )
