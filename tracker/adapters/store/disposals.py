"""Disposal in the database: what ties a consent, and its end. Implements `ports.DisposalBook`.

What is about one consent is found by its key or its name, both indexed; what subscribers have of it, by the sequences of its
entries, which these tables have in their primary keys.

A token speaks of one consent, in every profile: so what rests on it goes with that consent, and nobody else needs it.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, func, insert, select, update

from tracker.adapters.store.completion_tables import completion, completion_watch
from tracker.adapters.store.differences import upsert
from tracker.adapters.store.replay_tables import replay, replay_failure
from tracker.adapters.store.retention_tables import disposed_consent, erasure, late_event, legal_hold
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
from tracker.domain.subscription import SubscriptionState
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Name
from tracker.ports.retention import Erasure, Gone, Hold, Tombstone

_BY_SUBSCRIPTION: Final = (parked, dead_letter, completion)


class SqlDisposalBook:
    """Implements `ports.DisposalBook` on a connection inside a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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
        return self._connection.execute(select(func.max(table.c.recorded_at)).where(_named(table, kept))).scalar()

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
            tokens=rows(evidence, _is_token_of(kept, self._tokens(kept))),
            payments=rows(payment, _named(payment, kept)),
            others=rows(other_event, _named(other_event, kept)),
            rest=sum(rows(table, which) for table, which in self._rest(kept)),
        )

    def dispose(self, kept: TrackedConsent, now: datetime) -> Gone:
        """Let all of it go, and leave a tombstone."""
        run = self._connection.execute
        of_it = entry.c.tracking_id == kept.tracking_id
        # SQL's null, and not JSON's: a value that is not there is not there.
        emptied = update(entry).where(of_it, entry.c.private_salt.is_not(None)).values(private=None, private_salt=None)
        tokens, rest = self._tokens(kept), self._rest(kept)
        gone = Gone(
            tokens=run(delete(evidence).where(_is_token_of(kept, tokens))).rowcount,
            rest=sum(run(delete(table).where(which)).rowcount for table, which in rest),
            values=run(emptied).rowcount,
            reports=run(delete(report).where(report.c.tracking_id == kept.tracking_id)).rowcount,
            payments=run(delete(payment).where(_named(payment, kept))).rowcount,
            others=run(delete(other_event).where(_named(other_event, kept))).rowcount,
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

    def _tokens(self, kept: TrackedConsent) -> list[str]:
        """The tokens that its records rest on."""
        resting = (
            (report, report.c.tracking_id == kept.tracking_id),
            (payment, _named(payment, kept)),
            (other_event, _named(other_event, kept)),
        )
        found: set[str | None] = set()
        for table, which in resting:
            found |= set(self._connection.execute(select(table.c.jws_sha256).where(which)).scalars())
        return sorted(token for token in found if token is not None)

    def _rest(self, kept: TrackedConsent) -> list[tuple[Table, ColumnElement[bool]]]:
        sequences = self._sequences(kept)
        aside = and_(_named(quarantine, kept), quarantine.c.consent_id.is_not(None))
        return [
            (confirmation, confirmation.c.tracking_id == kept.tracking_id),
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


def _named(table: Table, kept: TrackedConsent) -> ColumnElement[bool]:
    return and_(table.c.provider == kept.provider, table.c.consent_id == kept.consent_id)


def _is_token_of(kept: TrackedConsent, tokens: list[str]) -> ColumnElement[bool]:
    return and_(evidence.c.jws_sha256.in_(tokens), evidence.c.provider == kept.provider)


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
