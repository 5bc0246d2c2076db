"""Record what was opened: one transaction for a batch of events, and the inbox items gone in the same one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tracker.domain.changed import changed
from tracker.domain.consent import TrackingId
from tracker.journal.entry import Entry
from tracker.ports import Name, Store, Transaction
from tracker.usecases.afterlife import Afterlife
from tracker.usecases.heard import HeardOther, HeardReport, Opened, Refused
from tracker.usecases.overdue import alarm
from tracker.usecases.payments import PaymentBook, keys_in
from tracker.usecases.pulse import Pulse
from tracker.usecases.recording import Office, Recording
from tracker.usecases.trail import Recorded, Trail
from tracker.usecases.wake import Bell


class Recorder:
    """Puts opened events on record."""

    def __init__(
        self,
        store: Store,
        office: Office,
        journal_bell: Bell,
        ask_bell: Bell,
        trail: Trail | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self._store = store
        self._pulse = pulse
        self._trail = trail or Trail()
        self._office = office
        self._journal_bell = journal_bell
        self._ask_bell = ask_bell

    async def record(self, batch: Sequence[Opened]) -> list[Entry]:
        """Record a batch, all or nothing, and wake whoever waits for what came of it.

        Raises:
            StorageError: Nothing of it is on record; the inbox still has it all.
        """
        began = self._office.clock.monotonic()
        recorded = await self._store.transact(partial(_record, self._office, batch))
        if self._pulse is not None:
            self._pulse.heard(batch)
        alarm(recorded.overdue)
        self._trail.recorded(batch, recorded, self._office.clock.monotonic() - began)
        if recorded.entries:
            self._journal_bell.ring()
        if recorded.is_asking_due:
            self._ask_bell.ring()
        return recorded.entries


def _record(office: Office, batch: Sequence[Opened], transaction: Transaction) -> Recorded:
    names = {name for opened in batch if (name := name_of(opened)) is not None}
    held = transaction.lock_named(names)
    taken = transaction.take_from_inbox([opened.inbox_id for opened in batch])
    recording = Recording(transaction, office, held.values())
    recording.load_claims()
    digests = {d for o in batch if (d := _digest_of(o)) is not None}
    known = transaction.known_digests(digests)
    afterlife = Afterlife.of(transaction, office, recording, names - held.keys(), digests)
    tracking_ids = {name: consent.tracking_id for name, consent in held.items()}
    book = PaymentBook(transaction, office, recording, keys_in(batch))
    desk = _Desk(transaction, recording, tracking_ids, known, book, afterlife)
    # What is not there any more had been leased to us for too long, and another process was quicker.
    outcomes = [desk.put(opened) if opened.inbox_id in taken else "elsewhere" for opened in batch]
    for digest in desk.repeats:
        transaction.count_repeat(digest)
    entries = recording.finish()
    return Recorded(entries, outcomes, is_asking_due=recording.is_asking_due, overdue=recording.overdue)


@dataclass(slots=True)
class _Desk:
    """Where a batch is put on record, one by one.

    Attributes:
        tracking_ids: The consents that are held.
        known: Digests that are on record, those of this batch too.
        book: Where words on payments are kept.
        afterlife: Where words on consents go that were disposed of.
        repeats: Digests that came again and moved nothing.
    """

    transaction: Transaction
    recording: Recording
    tracking_ids: Mapping[Name, TrackingId]
    known: set[str]
    book: PaymentBook
    afterlife: Afterlife
    repeats: list[str] = field(default_factory=list)

    def put(self, opened: Opened) -> str:
        """Put one on record, and say in a word what it was."""
        if (too_late := self.afterlife.put(opened, name_of(opened))) is not None:
            return too_late
        match opened.outcome:
            case HeardReport() as heard:
                return self._report(heard)
            case HeardOther(event=event, evidence=evidence, asks_about=asks_about) as heard:
                self._ask_about(asks_about)
                if self._is_repeat(event.digest):
                    return "duplicate"
                self.transaction.add_other_event(changed(event, recorded_at=self.recording.now), evidence)
                self.book.put(heard, None if asks_about is None else self.tracking_ids.get(asks_about))
                return "other"
            case Refused(quarantined=quarantined, asks_about=asks_about):
                # What claims to be about a consent that we do not hold is found again when that is registered.
                unheld = asks_about[1] if asks_about is not None and asks_about not in self.tracking_ids else None
                aside = changed(quarantined, quarantined_at=self.recording.now, consent_id=unheld)
                self.transaction.quarantine(aside)
                self._ask_about(asks_about, is_verified=quarantined.verified)
                return "quarantined"

    def _report(self, heard: HeardReport) -> str:
        digest = heard.stored.report.digest
        tracking_id = self.tracking_ids.get(heard.name)
        if tracking_id is not None:
            is_repeat = digest in self.known
            self.known.add(digest)
            verdict = self.recording.hear(tracking_id, heard.stored, heard.evidence, is_repeat=is_repeat)
            return "confirmed" if verdict is None else verdict.value.lower()
        if self._is_repeat(digest):
            return "duplicate"
        # Not registered yet: kept until it is.
        stored = changed(heard.stored, report=changed(heard.stored.report, recorded_at=self.recording.now))
        self.transaction.add_report(stored, heard.evidence)
        return "waiting"

    def _is_repeat(self, digest: str) -> bool:
        is_repeat = digest in self.known
        if is_repeat:
            self.repeats.append(digest)
        self.known.add(digest)
        return is_repeat

    def _ask_about(self, name: Name | None, *, is_verified: bool = True) -> None:
        if name is not None and (tracking_id := self.tracking_ids.get(name)) is not None:
            (_ask_soon if is_verified else _suspect)(self.recording, tracking_id)


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


def _ask_soon(recording: Recording, tracking_id: TrackingId) -> None:
    """Want an answer that is younger than now."""
    consent = recording.current(tracking_id)
    recording.change(changed(consent, asking=changed(consent.asking, requested_at=recording.now)))


def _suspect(recording: Recording, tracking_id: TrackingId) -> None:
    """Want one in its turn: what was not verified may be anybody's word, and one question serves much of it."""
    consent = recording.current(tracking_id)
    if consent.asking.requested_at is None and consent.asking.suspected_at is None:
        recording.change(changed(consent, asking=changed(consent.asking, suspected_at=recording.now)))
