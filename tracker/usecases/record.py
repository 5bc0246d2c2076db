"""Record what was opened: one transaction for a batch of events, and the inbox items gone in the same one."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from tracker.domain.consent import TrackingId
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import Name, Store, Transaction
from tracker.usecases.heard import HeardOther, HeardReport, Opened, Refused
from tracker.usecases.recording import Office, Recording
from tracker.usecases.wake import Bell


class Recorder:
    """Puts opened events on record."""

    def __init__(self, store: Store, office: Office, journal_bell: Bell, ask_bell: Bell) -> None:
        self._store = store
        self._office = office
        self._journal_bell = journal_bell
        self._ask_bell = ask_bell

    async def record(self, batch: Sequence[Opened]) -> list[Entry]:
        """Record a batch, all or nothing, and wake whoever waits for what came of it.

        Raises:
            StorageError: Nothing of it is on record; the inbox still has it all.
        """
        entries = await self._store.transact(partial(_record, self._office, batch))
        if entries:
            self._journal_bell.ring()
        self._ask_bell.ring()
        return entries


def _record(office: Office, batch: Sequence[Opened], transaction: Transaction) -> list[Entry]:
    names = {name for opened in batch if (name := _name_of(opened)) is not None}
    held = transaction.lock_named(names)
    recording = Recording(transaction, office, held.values())
    recording.load_claims()
    known = transaction.known_digests({d for o in batch if (d := _digest_of(o)) is not None})
    tracking_ids = {name: consent.tracking_id for name, consent in held.items()}
    repeats: dict[str, int] = defaultdict(int)
    for opened in batch:
        match opened.outcome:
            case HeardReport() as heard:
                digest = heard.stored.report.digest
                tracking_id = tracking_ids.get(heard.name)
                if tracking_id is not None:
                    recording.hear(tracking_id, heard.stored, heard.evidence, is_repeat=digest in known)
                elif digest in known:
                    repeats[digest] += 1
                else:  # not registered yet: kept until it is
                    stored = replace(heard.stored, report=replace(heard.stored.report, recorded_at=recording.now))
                    transaction.add_report(stored, heard.evidence)
                known.add(digest)
            case HeardOther(event=event, evidence=evidence, asks_about=asks_about):
                if event.digest in known:
                    repeats[event.digest] += 1
                else:
                    transaction.add_other_event(replace(event, recorded_at=recording.now), evidence)
                known.add(event.digest)
                _ask_soon(recording, tracking_ids.get(asks_about) if asks_about else None)
            case Refused(quarantined=quarantined, asks_about=asks_about):
                transaction.quarantine(replace(quarantined, quarantined_at=recording.now))
                _ask_soon(recording, tracking_ids.get(asks_about) if asks_about else None)
    for digest, times in repeats.items():
        for _ in range(times):
            transaction.count_repeat(digest)
    transaction.drop_inbox([opened.inbox_id for opened in batch])
    return recording.finish()


def _name_of(opened: Opened) -> Name | None:
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


def _ask_soon(recording: Recording, tracking_id: TrackingId | None) -> None:
    if tracking_id is not None:
        recording.change(wants_asking(recording.current(tracking_id), recording))


def wants_asking(consent: TrackedConsent, recording: Recording) -> TrackedConsent:
    """A consent about which an answer is wanted that is younger than now."""
    return replace(consent, asking=replace(consent.asking, requested_at=recording.now))
