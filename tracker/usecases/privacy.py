"""One person's data: all that is held, and its erasure as far as no duty stands against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from tracker.domain.consent import Channel
from tracker.domain.plain_data import plain_data
from tracker.domain.retention import Keeping, RetentionPlan, keeping
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry, base64url, rfc3339
from tracker.ports import Store, Transaction
from tracker.ports.retention import Erasure, Gone, RetentionStore
from tracker.usecases.dispose import ERASURE_REQUESTED, certain_now, let_go
from tracker.usecases.drafting import draft_of
from tracker.usecases.persons import consents_of
from tracker.usecases.recording import Office
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

ERASURE_SCHEDULED: Final = "consent.erasure_scheduled"
FORMAT: Final = "consent-tracker/privacy-export/1"

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a consent whose person asked for erasure.

    Attributes:
        consent: As it was when it was looked at.
        keeping: Why it stays, if it does.
        records: How much there is of it; None where it stays.
        is_gone: Whether it is gone now.
        is_scheduled: Whether it goes by itself once nothing stands against it any more.
    """

    consent: TrackedConsent
    keeping: Keeping
    records: Gone | None = None
    is_gone: bool = False
    is_scheduled: bool = False


class Privacy:
    """Answers persons who ask what is held of them, or that it go."""

    def __init__(
        self,
        *,
        store: Store,
        readings: RetentionStore,
        office: Office,
        plan: RetentionPlan,
        journal_bell: Bell,
        trail: Trail | None = None,
    ) -> None:
        self._store = store
        self._readings = readings
        self._office = office
        self._plan = plan
        self._journal_bell = journal_bell
        self._trail = trail or Trail()

    async def preview(self, user_ref: str) -> list[Fate]:
        """Say what an erasure would do now. Nothing is written."""
        return [
            await self._store.transact(partial(self._look, consent))
            async for consent in consents_of(self._store, user_ref)
        ]

    async def erase(self, user_ref: str, requested_by: str) -> list[Fate]:
        """Erase what may go, and have the rest go by itself when it may. To ask twice is to ask once.

        Raises:
            StorageError: The database is away. What is gone is gone, what was scheduled is; ask again for the others.
        """
        found = [consent async for consent in consents_of(self._store, user_ref)]
        fates = []
        for consent in found:
            done = await self._store.transact(partial(self._erase, consent, requested_by))
            if done is None:
                continue
            fate, entries = done
            fates.append(fate)
            self._trail.appended(entries)
            if entries:
                self._journal_bell.ring()
        if any(fate.is_gone for fate in fates):
            await self._readings.scrub()
        return fates

    async def scheduled(self) -> list[Erasure]:
        """All requests that wait for a duty to pass."""
        found: list[Erasure] = []
        while page := await self._readings.erasures(_PAGE, found[-1].tracking_id if found else ""):
            found += page
        return found

    def _judged(self, consent: TrackedConsent, transaction: Transaction) -> Keeping:
        ties = replace(transaction.disposals.ties(consent), is_asked=True)
        now = self._office.clock.now()
        certain = certain_now(transaction, now)
        return keeping(consent, self._plan.of(consent), ties, now, goes_unasked=True, certain=certain)

    def _look(self, consent: TrackedConsent, transaction: Transaction) -> Fate:
        judged = self._judged(consent, transaction)
        return Fate(
            consent=consent, keeping=judged, records=transaction.disposals.count(consent) if judged.may_go else None
        )

    def _erase(
        self, found: TrackedConsent, requested_by: str, transaction: Transaction
    ) -> tuple[Fate, Sequence[Entry]] | None:
        consent = transaction.lock_named([found.name]).get(found.name)
        if consent is None or consent.tracking_id != found.tracking_id:
            return None
        judged, now = self._judged(consent, transaction), self._office.clock.now()
        if judged.may_go:
            done = let_go(self._office, transaction, consent, judged, ERASURE_REQUESTED)
            return Fate(consent=consent, keeping=judged, records=done.gone, is_gone=True), done.entries
        wanted = Erasure(
            tracking_id=consent.tracking_id,
            requested_by=requested_by,
            requested_at=now,
            look_at=judged.look_again_at(now),
        )
        is_new = transaction.disposals.ask_for(wanted)
        said = draft_of(
            self._office,
            consent,
            ERASURE_SCHEDULED,
            channel=Channel.OPERATOR,
            reason=",".join(judged.obstacles),
            private={"by": requested_by},
        )
        entries = transaction.append([said], now) if is_new else []
        return Fate(consent=consent, keeping=judged, is_scheduled=True), entries

    # ------------------------------------------------------------------------------------------ what is held

    async def held(self, user_ref: str) -> dict[str, Any]:
        """All that is held about a person, as JSON; see docs/privacy.md.

        Raises:
            StorageError: The database is away, or a row cannot be read: then it would not be all.
        """
        consents = [await self._held_of(consent) async for consent in consents_of(self._store, user_ref)]
        return {
            "format": FORMAT,
            "user_ref": user_ref,
            "made_at": rfc3339(self._office.clock.now()),
            "consents": consents,
        }

    async def _held_of(self, consent: TrackedConsent) -> dict[str, Any]:
        judged = await self._store.transact(partial(self._judged, consent))
        entries = await self._store.entries_of(consent.tracking_id)
        reports = await self._store.reports_of(consent.tracking_id)
        payments, after = [], ""
        while page := await self._store.payments_of(consent.name, _PAGE, after):
            payments += page
            after = page[-1].payment_id
        return {
            "consent": plain_data(consent),
            "kept": _told_keeping(judged),
            "entries": [_told_entry(entry) for entry in entries],
            "reports": [plain_data(report) for report in reports],
            "payments": [plain_data(payment) for payment in payments],
            "told": await self._told(consent, entries),
            "other_records": (await self._readings.held_about(consent)).tables,
        }

    async def _told(self, consent: TrackedConsent, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """Who was told of it: whose place is behind an entry, and who hears it, was told it, or it is among what was refused."""
        told = []
        for subscription in await self._store.subscriptions():
            heard = [
                entry.sequence
                for entry in entries
                if subscription.entry_filter.passes(
                    entry_type=entry.type, provider=entry.provider, kind=entry.kind, to=entry.to_status
                )
            ]
            first = max(min(heard, default=0) - 1, 0)
            lost = await self._store.undelivered(subscription.id, first, _PAGE)
            refused = {one.sequence for one in lost if one.tracking_id == consent.tracking_id}
            sequences = [one for one in heard if one <= subscription.cursor and one not in refused]
            if sequences:
                told.append(
                    {
                        "subscription_id": subscription.id,
                        "description": subscription.description,
                        "url": subscription.url or None,
                        "with_personal_values": subscription.include_private,
                        "sequences": sequences,
                    }
                )
        return told


def _told_keeping(judged: Keeping) -> Mapping[str, Any]:
    until: Mapping[str, datetime] = {record.value: time for record, time in judged.duties.items()}
    return {
        "because": [obstacle.value for obstacle in judged.obstacles],
        "until": {record: rfc3339(time) for record, time in until.items()},
    }


def _told_entry(entry: Entry) -> Mapping[str, Any]:
    salt = entry.private_salt
    return {
        "entry": entry.leaf,
        "leaf_hash": entry.leaf_hash.hex(),
        "private": entry.private,
        "private_salt": None if salt is None else base64url(salt),
    }
