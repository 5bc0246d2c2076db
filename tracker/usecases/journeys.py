"""What our own application saw: its request pushed, its customer come back, a token, a refusal.

Nothing of it is the holder's word. It is noted on the consent, and the holder is asked at once; an end that it may tell of
denies use until the holder has answered. It never makes a consent usable.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from tracker.domain.changed import changed
from tracker.domain.consent import Channel, Status, TrackingId
from tracker.domain.errors import ConsentNotFoundError, InvalidRequestError
from tracker.domain.journey import Journey
from tracker.domain.report import Report
from tracker.domain.tracked import TrackedConsent
from tracker.journal.canonical import NotCanonicalError, canonical
from tracker.journal.entry import Entry
from tracker.ports import Store, StoredReport, Transaction
from tracker.profiles.around import Granted
from tracker.profiles.profile import Profile, UnreadableMessageError
from tracker.usecases.recording import Office, Recording
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
"""What of an error is kept. It came through a browser: anything else might be anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error of the authorization or of the push before it.

    Attributes:
        error: The code.
        description: What describes it.
    """

    error: str
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is noted of a consent.

    Attributes:
        channel: By which our application knows.
        what: Which deed it was.
        said: What it said, as JSON.
        status: A status that it tells of; only an end counts.
        grant: What a token told, if it did.
        note: What becomes of the journey.
    """

    channel: Channel
    what: str
    said: Mapping[str, Any]
    status: Status | None = None
    grant: Granted | None = None
    note: Callable[[Journey], Journey] = lambda journey: journey


class Journeys:
    """Notes what our own application saw, and has the holder asked."""

    def __init__(
        self, store: Store, office: Office, journal_bell: Bell, ask_bell: Bell, trail: Trail | None = None
    ) -> None:
        self._store = store
        self._office = office
        self._journal_bell = journal_bell
        self._ask_bell = ask_bell
        self._trail = trail or Trail()

    async def pushed(self, consent: TrackedConsent, failure: Failure | None, expires_in_seconds: int | None) -> None:
        """The authorization request was pushed, and taken or refused.

        Raises:
            ConsentNotFoundError: It is not tracked any more.
        """
        now = self._office.clock.now()
        ends = None if failure or expires_in_seconds is None else now + timedelta(seconds=expires_in_seconds)
        words = _words(failure)

        def note(journey: Journey) -> Journey:
            taken = failure is None
            return changed(journey, pushed_at=now, push_accepted=taken, request_expires_at=ends, **words)

        await self._note(consent, _Seen(channel=Channel.CALLBACK, what="pushed", said={}, note=note))

    async def returned(self, consent: TrackedConsent, failure: Failure | None) -> None:
        """The customer came back from the holder's pages: with a code, or with an error.

        Raises:
            ConsentNotFoundError: It is not tracked any more.
        """
        words = _words(failure)
        now = self._office.clock.now()

        def note(journey: Journey) -> Journey:
            return changed(journey, returned_at=now, code_received=failure is None, **words)

        status = None
        if failure is not None:
            status = self._profile_of(consent).end_after_error(failure.error, failure.description)
        seen = _Seen(channel=Channel.CALLBACK, what="returned", said=words, status=status, note=note)
        await self._note(consent, seen)

    async def granted(self, consent: TrackedConsent, details: object) -> None:
        """A token was given, with details that tell of the consent.

        Raises:
            InvalidRequestError: They cannot be read, or are about another consent.
            ConsentNotFoundError: It is not tracked any more.
        """
        try:
            grant = self._profile_of(consent).read_granted(details)
            canonical(dict(grant.terms))
        except UnreadableMessageError as error:
            raise InvalidRequestError(f"The authorization details cannot be read: {error.reason}.") from error
        except NotCanonicalError as error:
            raise InvalidRequestError("The authorization details have no canonical form.") from error
        if grant.consent_id not in {None, consent.consent_id}:
            raise InvalidRequestError("The authorization details are about another consent.")
        now, said = self._office.clock.now(), {"details": details}

        def note(journey: Journey) -> Journey:
            return changed(journey, token_at=now)

        seen = _Seen(channel=Channel.TOKEN, what="granted", said=said, status=grant.status, grant=grant, note=note)
        await self._note(consent, seen)

    async def refused(self, consent: TrackedConsent, status: int, code: str | None) -> None:
        """A call for data under the consent was refused.

        Raises:
            ConsentNotFoundError: It is not tracked any more.
        """
        end = self._profile_of(consent).end_after_refusal(status, code)
        said = {"status": status, "code": _code(code)}
        await self._note(consent, _Seen(channel=Channel.TOKEN, what="refused", said=said, status=end))

    def _profile_of(self, consent: TrackedConsent) -> Profile:
        return self._office.providers.require(consent.provider).profile

    async def _note(self, consent: TrackedConsent, seen: _Seen) -> None:
        entries = await self._store.transact(partial(_note, self._office, consent.tracking_id, seen))
        if entries is None:
            raise ConsentNotFoundError
        self._trail.appended(entries)
        if entries:
            self._journal_bell.ring()
        self._ask_bell.ring()


def _words(failure: Failure | None) -> dict[str, str | None]:
    if failure is None:
        return {"error": None, "error_description": None}
    return {"error": _code(failure.error), "error_description": _code(failure.description)}


def _code(word: str | None) -> str | None:
    return word if word is not None and _CODE.fullmatch(word) else None


def _note(office: Office, tracking_id: TrackingId, seen: _Seen, transaction: Transaction) -> list[Entry] | None:
    held = transaction.lock_tracked([tracking_id])
    if tracking_id not in held:
        return None
    recording = Recording(transaction, office, held.values())
    consent = recording.current(tracking_id)
    wanted = changed(consent.asking, requested_at=recording.now)
    recording.change(changed(consent, journey=seen.note(consent.journey), asking=wanted))
    if seen.status is not None and seen.status.is_terminal:
        stored = _report(consent, seen, recording)
        digest = stored.report.digest
        recording.load_claims()
        is_repeat = digest in transaction.known_digests([digest])
        recording.hear(tracking_id, stored, None, is_repeat=is_repeat)
    return recording.finish()


def _report(consent: TrackedConsent, seen: _Seen, recording: Recording) -> StoredReport:
    """An end that our application may have seen. Said again before anybody has asked, it is the same hint."""
    told = canonical([consent.tracking_id, consent.summary.asks, seen.what, dict(seen.said)])
    since = seen.grant.status_date_time if seen.grant is not None else None
    report = Report(
        digest=hashlib.sha256(told).hexdigest(),
        channel=seen.channel,
        status=seen.status or Status.UNKNOWN,
        status_date_time=since or recording.now,
        received_at=recording.now,
        recorded_at=recording.now,
        asks=consent.summary.asks,
    )
    return StoredReport(
        report=report,
        provider=consent.provider,
        consent_id=consent.consent_id,
        tracking_id=consent.tracking_id,
        event_type=seen.what,
        vouched_at=recording.now,
        terms=dict(seen.said) if seen.grant is None else seen.grant.terms,
    )
