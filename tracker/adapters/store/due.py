"""Finding and holding what is due: in time that grows with what is due, not with what there is.

Each line of questions has an index of its own, and is read in the order of that. What waits for a base interval is kept with the
time of the healthy case; how much earlier or later it is due now is put on the other side of the comparison.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, or_, select, update

from tracker.adapters.store import lookups, rows
from tracker.adapters.store.at_hand import with_their_keys
from tracker.adapters.store.differences import by_no_index
from tracker.adapters.store.many import texts
from tracker.adapters.store.tables import consent, identity
from tracker.domain.consent import OPEN, ProviderId, TrackingId
from tracker.domain.overlay import LONGEST_PUT_OFF
from tracker.domain.schedule import Tempo
from tracker.domain.tracked import TrackedConsent
from tracker.ports import AskLine

_DAMAGED_WAIT: Final = timedelta(hours=1)
_LONGER_THAN_ANY_LEASE: Final = timedelta(hours=1)
_MOST_SIBLINGS: Final = 100
_LAST: Final = datetime.max.replace(tzinfo=UTC)

_urgent, _next, _steady = consent.c.urgent_ask_at, consent.c.next_ask_at, consent.c.steady_ask_at
_queued, _suspected, _siblings = consent.c.queued_ask_at, consent.c.suspected_at, consent.c.siblings_wanted_at

Conditions = tuple[ColumnElement[bool], ...]


@dataclass(frozen=True, slots=True)
class Due:
    """Looks for what is due at an instant.

    Attributes:
        connection: In the transaction in which it is held.
        now: The instant.
    """

    connection: Connection
    now: datetime

    def asks(self, provider: ProviderId, limit: int, line: AskLine, tempo: Tempo) -> list[TrackedConsent]:
        """Hold a provider's consents that are due to be asked about, those of one line, skipping leased ones."""
        leased = consent.c.leased_until
        free = or_(leased.is_(None), leased <= self.now, leased > self._after(_LONGER_THAN_ANY_LEASE))
        mine = (consent.c.provider == provider, free)
        match line:
            case AskLine.DOUBTFUL:
                return _only(self._until_now(_urgent, limit, *mine, consent.c.doubted_at.is_not(None)))
            case AskLine.URGENT:
                return _only(self._until_now(_urgent, limit, *mine, consent.c.doubted_at.is_(None)))
            case AskLine.SUSPECTED:
                held_back = consent.c.not_before
                return _only(self._until_now(_suspected, limit, *mine, or_(held_back.is_(None), held_back <= self.now)))
            case AskLine.ORDINARY:
                return self._ordinary(limit, (*mine, or_(_urgent.is_(None), _urgent > self.now)), tempo)
            case AskLine.QUEUED:
                return self._queue(limit, mine, tempo)

    def ticks(self, limit: int, providers: Collection[ProviderId] | None) -> list[TrackedConsent]:
        """Hold consents about which the clock has something to tell; of these providers, or of all."""
        return _only(self._until_now(consent.c.next_tick_at, limit, *self._of(providers)))

    def notices(self, limit: int, providers: Collection[ProviderId] | None) -> list[TrackedConsent]:
        """Hold consents of which something is to be told before it comes; of these providers, or of all."""
        return _only(self._until_now(consent.c.next_notice_at, limit, *self._of(providers)))

    def revocations(self, provider: ProviderId, limit: int) -> list[TrackedConsent]:
        """Hold a provider's consents about whose revocation something is to be done."""
        due = consent.c.revocation_due_at
        is_due = or_(due <= self.now, due > self._after(LONGEST_PUT_OFF))
        return _only(self._look(due, is_due, limit, consent.c.provider == provider))

    def _of(self, providers: Collection[ProviderId] | None) -> Conditions:
        theirs = by_no_index(self.connection, consent.c.provider)
        return () if providers is None else (theirs.in_(sorted(providers)),)

    def _ordinary(self, limit: int, mine: Conditions, tempo: Tempo) -> list[TrackedConsent]:
        """What is due by either column, the longest overdue first; then what a clock that was ahead has mistimed."""
        found = self._until_now(_next, limit, *mine)
        for status, earlier in tempo.earlier.items():
            its = (*mine, consent.c.status == status.value)
            steady = self._look(_steady, _steady <= self.now + earlier, limit, *its)
            found += [(due - earlier, kept) for due, kept in steady]
        found.sort(key=lambda one: one[0])
        chosen = {kept.tracking_id: kept for _, kept in found}
        if len(chosen) < limit and tempo.farthest_else is not None:
            late = self._look(_next, _next > self._after(tempo.farthest_else), limit, *mine)
            for status, farthest in tempo.farthest.items():
                its = (*mine, consent.c.status == status.value)
                late += self._look(_steady, _steady > self._after(farthest), limit, *its)
            chosen |= {kept.tracking_id: kept for _, kept in late}
        return list(chosen.values())[:limit]

    def _queue(self, limit: int, mine: Conditions, tempo: Tempo) -> list[TrackedConsent]:
        """Three looks into one index, each in its order: what will end, what has no known end, what has ended."""
        expiry, is_due = consent.c.registered_expiry, _queued <= self.now
        if tempo.farthest_else is not None:
            is_due = or_(is_due, _queued > self._after(tempo.farthest_else))
        parts = ((expiry > self.now, expiry), (expiry.is_(None), _queued), (expiry <= self.now, expiry.desc()))
        held: list[TrackedConsent] = []
        for part, order in parts:
            if len(held) < limit:
                held += _only(self._look(_queued, is_due, limit - len(held), *mine, part, order=order))
        return held

    def _until_now(
        self, due: Column[Any], limit: int, *conditions: ColumnElement[bool]
    ) -> list[tuple[datetime, TrackedConsent]]:
        return self._look(due, due <= self.now, limit, *conditions)

    def _look(
        self,
        due: Column[Any],
        is_due: ColumnElement[bool],
        limit: int,
        *conditions: ColumnElement[bool],
        order: ColumnElement[Any] | None = None,
    ) -> list[tuple[datetime, TrackedConsent]]:
        """Hold what is due by a column, and give its time too."""
        order = due if order is None else order
        query = select(consent).where(due.is_not(None), is_due, *conditions).order_by(order).limit(limit)
        query = query.with_for_update(of=consent, skip_locked=True)
        found, damaged = rows.sorted_out(
            with_their_keys(self.connection.execute(query)),
            lambda row: (getattr(row, due.name), rows.to_consent(row)),
        )
        if damaged:  # they must neither stop the others nor stay in front of them
            keys = [row.tracking_id for row in damaged]
            put_off = (
                update(consent).where(consent.c.tracking_id.in_(keys)).values({due.name: self.now + _DAMAGED_WAIT})
            )
            self.connection.execute(put_off)
        return found

    def _after(self, span: timedelta) -> datetime:
        return min(self.now, _LAST - span) + span

    # ------------------------------------------------------------------------------------------ groups

    def revoked(self, limit: int, providers: Collection[ProviderId]) -> dict[TrackingId, list[TrackingId]]:
        """Consents of one provider whose siblings are wanted, and the keys of these. Holds nothing.

        Of one provider, because all who hold consents of several take these provider by provider.
        """
        is_due = or_(_siblings <= self.now, _siblings > self._after(_LONGER_THAN_ANY_LEASE))
        theirs = by_no_index(self.connection, consent.c.provider).in_(sorted(providers))
        columns = (consent.c.tracking_id, consent.c.provider, consent.c.consent_id, consent.c.base_consent_id)
        query = select(*columns).where(_siblings.is_not(None), is_due, theirs).order_by(_siblings).limit(limit)
        wanted = self.connection.execute(query).all()
        return {
            TrackingId(row.tracking_id): self._siblings_of(row.provider, row.base_consent_id or row.consent_id)
            for row in wanted
            if row.provider == wanted[0].provider
        }

    def readable(self, tracking_ids: Collection[TrackingId]) -> list[TrackedConsent]:
        """Hold these consents in the order of their keys; those that cannot be read are left out, and wanted later."""
        dialect = self.connection.dialect.name
        query = lookups.consents_by_key(dialect)
        held = self.connection.execute(query, {"ids": texts(dialect, set(tracking_ids))})
        found, damaged = rows.sorted_out(with_their_keys(held), rows.to_consent)
        if damaged:
            wanted = consent.c.tracking_id.in_([row.tracking_id for row in damaged]) & _siblings.is_not(None)
            self.connection.execute(update(consent).where(wanted).values({_siblings.name: self.now + _DAMAGED_WAIT}))
        return found

    def _siblings_of(self, provider: str, base_consent_id: str) -> list[TrackingId]:
        """The keys of a base group's open consents, the root's among them."""
        key, is_open = consent.c.tracking_id, by_no_index(self.connection, consent.c.status).in_(sorted(OPEN))
        theirs = by_no_index(self.connection, consent.c.provider) == provider
        by_base = select(key).where(consent.c.base_consent_id == base_consent_id, theirs, is_open)
        root = (
            select(key)
            .join(identity, identity.c.tracking_id == key)
            .where(
                identity.c.provider == provider,
                identity.c.kind == "consent_id",
                identity.c.value == base_consent_id,
                is_open,
            )
        )
        found = [self.connection.execute(query.limit(_MOST_SIBLINGS)).scalars() for query in (by_base, root)]
        return [TrackingId(one) for some in found for one in some]


def _only(found: Sequence[tuple[datetime, TrackedConsent]]) -> list[TrackedConsent]:
    return [kept for _, kept in found]
