"""Tell what is coming before it comes, and what a chain of renewals has too much of: each once, however often we start.

What was told is kept on the consent's row in the transaction that tells it. A consent whose chain is to be looked at is let
go first and taken again together with the others: whoever held one and waited for another could wait for ever.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from tracker.domain.chains import Link, age_order, look_around, root_of
from tracker.domain.changed import changed
from tracker.domain.consent import Channel, TrackingId
from tracker.domain.notices import due_notice, notice_code
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, Entry
from tracker.ports import Name, Store, Transaction
from tracker.usecases.drafting import draft_of
from tracker.usecases.foresight import notice_rules
from tracker.usecases.recording import Office, Recording
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

_AT_ONCE = 200

_Chains = Mapping[Name, set[TrackingId]]


class Notices:
    """Tells of what the calendar brings."""

    def __init__(self, store: Store, office: Office, journal_bell: Bell, trail: Trail | None = None) -> None:
        self._store = store
        self._office = office
        self._journal_bell = journal_bell
        self._trail = trail or Trail()

    async def run_once(self) -> int:
        """Tell all that is due, and say how many consents it was."""
        total = 0
        while True:
            count, chains, entries = await self._store.transact(partial(_tell_due, self._office))
            self._told(entries)
            for root, due in chains.items():
                self._told(await self._store.transact(partial(_look_at_chain, self._office, root, due)))
            total += count
            if count < _AT_ONCE:
                return total

    def _told(self, entries: Sequence[Entry]) -> None:
        self._trail.appended(entries)
        if entries:
            self._journal_bell.ring()


def _tell_due(office: Office, transaction: Transaction) -> tuple[int, _Chains, list[Entry]]:
    known = {provider.id for provider in office.providers}  # without its provider there are no rules for a consent
    due = transaction.lock_due_notices(office.clock.now(), _AT_ONCE, known)
    recording = Recording(transaction, office, due)
    chains: defaultdict[Name, set[TrackingId]] = defaultdict(set)
    for consent in due:
        look_at = consent.noticing.look_at
        if look_at is not None and look_at <= recording.now:
            chains[consent.provider, root_of(consent)].add(consent.tracking_id)
        else:
            _tell_step(office, recording, recording.told_by_now(consent.tracking_id))
    return len(due), chains, recording.finish()


def _look_at_chain(office: Office, root: Name, due: set[TrackingId], transaction: Transaction) -> list[Entry]:
    """Say to each of a chain how it stands to the others now, and tell what is due of it."""
    held = transaction.lock_chain(root, due)
    chain = {one.tracking_id: one for one in held if (one.provider, root_of(one)) == root}
    recording = Recording(transaction, office, chain.values())
    chain = {tracking_id: recording.told_by_now(tracking_id) for tracking_id in chain}
    links = [_link(office, recording, consent) for consent in chain.values()]
    looks = look_around(links, recording.now, office.notices.overlap_grace)
    has_renewals = any(one.consent_id != root[1] for one in chain.values())
    for tracking_id, outlook in looks.items():
        consent = chain[tracking_id]
        noticing = replace(
            consent.noticing,
            has_successors=consent.noticing.has_successors or (consent.consent_id == root[1] and has_renewals),
            is_succeeded=outlook.is_succeeded,
            look_at=outlook.look_at,
        )
        recording.change(changed(consent, noticing=noticing))
        if outlook.overlap is not None:
            younger = chain[outlook.overlap]
            noticing = replace(noticing, overlaps_told=(*noticing.overlaps_told, younger.tracking_id))
            recording.change(changed(consent, noticing=noticing))
            named = {"successor_consent_id": younger.consent_id, "successor_tracking_id": younger.tracking_id}
            since = outlook.overlap_since
            recording.tell(_draft(office, consent, "consent.overlap_found", "successor_authorized", since, named))
        _tell_step(office, recording, recording.current(tracking_id))
    return recording.finish()


def _tell_step(office: Office, recording: Recording, consent: TrackedConsent) -> None:
    """Tell the step that is due, if any, and plan the next one."""
    kind = office.providers.kind_of(consent)
    step = due_notice(consent, consent.decision(kind.rules), notice_rules(kind, consent), office.notices, recording.now)
    if step is not None:
        recording.change(changed(consent, noticing=consent.noticing.with_told(step)))
        recording.tell(_draft(office, consent, "consent.expiring", notice_code(step), step.ends_at))
    recording.plan_anew(consent.tracking_id)


def _draft(
    office: Office,
    consent: TrackedConsent,
    entry_type: str,
    reason: str,
    time: datetime | None,
    private: Mapping[str, Any] | None = None,
) -> Draft:
    """What the clock says of a consent without moving its status; `time` is what it is about, by the holder's clock."""
    return draft_of(
        office, consent, entry_type, channel=Channel.CLOCK, reason=reason, status_date_time=time, private=private
    )


def _link(office: Office, recording: Recording, consent: TrackedConsent) -> Link:
    position = consent.position(office.providers.kind_of(consent).rules)
    decision = position.decision()
    return Link(
        tracking_id=consent.tracking_id,
        age=age_order(consent),
        status=decision.effective_status(position.instant(recording.now)),
        since=decision.since,
        overlaps_told=consent.noticing.overlaps_told,
    )
