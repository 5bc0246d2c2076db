"""Record what was opened: one transaction for a batch of events, and the inbox items gone in the same one."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from tracker.domain.changed import changed
from tracker.domain.consent import TrackingId
from tracker.journal.entry import Entry
from tracker.ports import Name, Store, Transaction
from tracker.usecases.budget import Trickle
from tracker.usecases.heard import HeardOther, HeardReport, Opened, Refused
from tracker.usecases.recording import Office, Recording
from tracker.usecases.trail import Recorded, Trail
from tracker.usecases.wake import Bell


class Recorder:
    """Puts opened events on record."""

    def __init__(
        self, store: Store, office: Office, journal_bell: Bell, ask_bell: Bell, trail: Trail | None = None
    ) -> None:
        self._store = store
        self._trail = trail or Trail()
        self._office = office
        self._journal_bell = journal_bell
        self._ask_bell = ask_bell
        self._doubtful = Trickle(office.clock)

    async def record(self, batch: Sequence[Opened]) -> list[Entry]:
        """Record a batch, all or nothing, and wake whoever waits for what came of it.

        Raises:
            StorageError: Nothing of it is on record; the inbox still has it all.
        """
        began = self._office.clock.monotonic()
        recorded = await self._store.transact(partial(_record, self._office, self._doubtful, batch))
        self._trail.recorded(batch, recorded, self._office.clock.monotonic() - began)
        if recorded.entries:
            self._journal_bell.ring()
        if recorded.is_asking_due:
            self._ask_bell.ring()
        return recorded.entries


def _record(office: Office, doubtful: Trickle, batch: Sequence[Opened], transaction: Transaction) -> Recorded:
    names = {name for opened in batch if (name := name_of(opened)) is not None}
    held = transaction.lock_named(names)
    recording = Recording(transaction, office, held.values())
    recording.load_claims()
    known = transaction.known_digests({d for o in batch if (d := _digest_of(o)) is not None})
    tracking_ids = {name: consent.tracking_id for name, consent in held.items()}
    repeats: list[str] = []
    outcomes: list[str] = []
    for opened in batch:
        match opened.outcome:
            case HeardReport() as heard:
                digest = heard.stored.report.digest
                tracking_id = tracking_ids.get(heard.name)
                if tracking_id is not None:
                    verdict = recording.hear(tracking_id, heard.stored, heard.evidence, is_repeat=digest in known)
                    outcomes.append("confirmed" if verdict is None else verdict.value.lower())
                elif digest in known:
                    repeats.append(digest)
                    outcomes.append("duplicate")
                else:  # not registered yet: kept until it is
                    stored = changed(heard.stored, report=changed(heard.stored.report, recorded_at=recording.now))
                    transaction.add_report(stored, heard.evidence)
                    outcomes.append("waiting")
                known.add(digest)
            case HeardOther(event=event, evidence=evidence, asks_about=asks_about):
                outcomes.append("duplicate" if event.digest in known else "other")
                if event.digest in known:
                    repeats.append(event.digest)
                else:
                    transaction.add_other_event(changed(event, recorded_at=recording.now), evidence)
                known.add(event.digest)
                if asks_about in tracking_ids:
                    _ask_soon(recording, tracking_ids[asks_about])
            case Refused(quarantined=quarantined, asks_about=asks_about):
                transaction.quarantine(changed(quarantined, quarantined_at=recording.now))
                outcomes.append("quarantined")
                if asks_about in tracking_ids:
                    trickle = None if quarantined.verified else doubtful
                    _ask_soon(recording, tracking_ids[asks_about], trickle)
    for digest in repeats:
        transaction.count_repeat(digest)
    transaction.drop_inbox([opened.inbox_id for opened in batch])
    return Recorded(recording.finish(), outcomes, is_asking_due=recording.is_asking_due)  # in this order


def name_of(opened: Opened) -> Name | None:
    """Which consent something opened is about, or makes us ask about."""
    outcome = opened.outcome
    return outcome.name if isinstance(outcome, HeardReport) else outcome.asks_about


def _digest_of(opened: Opened) -> str | None:
    match opened.outcome:
        case HeardReport(stored=stored):
            return stored.report.digest
        case HeardOther(event=event):
            return event.digest
        case _:
            return None


def _ask_soon(recording: Recording, tracking_id: TrackingId, trickle: Trickle | None = None) -> None:
    """Want an answer that is younger than now; what was not verified waits for its turn, and one question serves many."""
    consent = recording.current(tracking_id)
    wait: timedelta | None = timedelta()
    if trickle is not None:
        if consent.asking.requested_at is not None:
            return
        wait = trickle.wait(recording.provider_of(consent))
    if wait is not None:
        recording.change(changed(consent, asking=changed(consent.asking, requested_at=recording.now + wait)))
