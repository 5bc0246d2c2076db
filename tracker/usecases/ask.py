"""Ask the holders: what is due by the schedule, what somebody wants to know now, and what is in doubt.

A question is counted on the consent's row before it is sent, and the answer carries its number: so the judge can tell
what the holder had been asked before and after it heard something else. Whoever asks holds a lease; if it dies, the
question is asked again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from tracker.domain import schedule
from tracker.domain.allowance import Room
from tracker.domain.consent import Channel, ProviderId, Status, TrackingId
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiError,
    ConsentApiUnavailableError,
    ConsentNotFoundError,
    ConsentNotStagedError,
    InconsistentRowError,
)
from tracker.domain.tracked import TrackedConsent
from tracker.domain.turns import A_QUARTER, HALF, shares
from tracker.journal.entry import Entry
from tracker.ports import Answer, AskLine, Evidence, HolderApi, Provider, Store, Transaction
from tracker.profiles.profile import UnreadableMessageError
from tracker.usecases.budget import Budget
from tracker.usecases.heard import HeardReport, from_snapshot
from tracker.usecases.overdue import alarm
from tracker.usecases.recording import Office, Recording
from tracker.usecases.trail import Trail
from tracker.usecases.trickle import Trickle
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_LEASE = timedelta(seconds=60)
_AT_ONCE = 50
_URGENT_LINES = (AskLine.DOUBTFUL, AskLine.URGENT)
_LEFT_TO_OTHERS = (A_QUARTER, A_QUARTER, HALF, HALF)  # by each line but the last to those behind it
_TRIES_FOR_A_SUSPICION = 10  # some half an hour
_PATIENCE_SECONDS = 10.0
"""So long somebody waits for the turn of a question; then he is told that the holder cannot be asked."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A question that is counted and may be sent; `is_suspicion`: only what was not verified makes us ask it."""

    consent: TrackedConsent
    ask: int
    asked_at: datetime
    is_suspicion: bool = False


class Asker:
    """Asks holders about consents and records their answers."""

    def __init__(
        self,
        store: Store,
        office: Office,
        holders: HolderApi,
        budget: Budget,
        journal_bell: Bell,
        ask_bell: Bell,
        trail: Trail | None = None,
    ) -> None:
        self._store = store
        self._office = office
        self._holders = holders
        self._budget = budget
        self._journal_bell = journal_bell
        self._ask_bell = ask_bell
        self._trail = trail or Trail()
        self._trickle = Trickle(office.clock)
        self._in_line: dict[TrackingId, asyncio.Task[TrackedConsent]] = {}

    async def run_once(self, provider_id: str) -> int:
        """Ask one provider about what is due, as far as its budget goes; say how many questions that was."""
        provider = self._office.providers.require(provider_id)
        claim = partial(_claim_due, self._office, provider.id, suspected=self._trickle.room(provider))
        questions = await self._budget.spend(provider, _AT_ONCE, claim)
        self._trickle.take(provider, sum(question.is_suspicion for question in questions))
        await asyncio.gather(*(self._ask(provider, question) for question in questions))
        return len(questions)

    async def ask_now(self, tracking_id: TrackingId) -> TrackedConsent:
        """Ask about one consent as soon as the provider's budget allows, and give it as it then is.

        All who want to know the same before the question is sent share it. Who comes later gets another: the answer under way
        may be older than what made him ask.

        Raises:
            ConsentNotFoundError: It is not tracked.
            ConsentApiError: The holder gave no answer that can be used, or may not be asked soon enough; what was known stays.
        """
        asking = self._in_line.get(tracking_id)
        if asking is None:
            asking = self._in_line[tracking_id] = asyncio.create_task(self._ask_in_turn(tracking_id))
            asking.add_done_callback(_look_at)
        return await asyncio.shield(asking)

    def abandon_line(self) -> None:
        """Send no question any more that still waits for its turn; who waits for it is cancelled."""
        for asking in self._in_line.values():
            asking.cancel()
        self._in_line.clear()

    async def _ask_in_turn(self, tracking_id: TrackingId) -> TrackedConsent:
        try:
            consent = await self._store.get_consent(tracking_id)
            if consent is None:
                raise ConsentNotFoundError
            provider = self._office.providers.require(consent.provider)
            await self._budget.turn(provider, _PATIENCE_SECONDS)
        finally:
            self._in_line.pop(tracking_id, None)
        question = await self._store.transact(partial(_claim_one, self._office, tracking_id))
        if question is None:
            raise ConsentNotFoundError
        error = await self._ask(provider, question)
        if error is not None and not isinstance(error, ConsentNotStagedError):
            raise error
        return await self._store.get_consent(tracking_id) or question.consent

    async def _ask(self, provider: Provider, question: _Question) -> ConsentApiError | None:
        """Ask one question and record what came of it. Never raises for what the holder does."""
        consent = question.consent
        error: ConsentApiError | None = None
        heard: HeardReport | None = None
        interaction_id = self._office.ids.random()
        try:
            kind = self._office.providers.kind_of(consent)
            answer = await self._holders.read_consent(provider, kind, consent.consent_id, interaction_id)
            heard = self._read(provider, question, answer)
        except ConsentApiError as failure:
            error = failure
            self._note(provider, consent, failure, interaction_id)
        try:
            # The holder's word first: it may be an end.
            record = partial(_record_answer, self._office, question, heard, error)
            entries, overdue = await self._store.transact(record)
        finally:
            await self._budget.heard(provider, error)
        alarm(overdue)
        self._trail.answered(interaction_id, entries)
        if entries:
            self._journal_bell.ring()
            self._ask_bell.ring()
        return error

    def _read(self, provider: Provider, question: _Question, answer: Answer) -> HeardReport:
        consent = question.consent
        try:
            snapshot = provider.profile.read_consent(consent.kind, answer.body)
        except UnreadableMessageError as error:
            raise ConsentApiContractError(f"The holder's answer cannot be read: {error.reason}.") from error
        if snapshot.consent_id != consent.consent_id:
            raise ConsentApiContractError("The holder answered about another consent than was asked about.")
        received_at = self._office.clock.now()
        evidence = None
        if answer.token is not None:
            evidence = Evidence(
                jws_sha256=hashlib.sha256(answer.token.jws).hexdigest(),
                jwe_sha256=None,
                provider=provider.id,
                token=answer.token,
                received_at=received_at,
            )
        return from_snapshot(
            snapshot,
            provider=provider.id,
            digest=hashlib.sha256(f"{consent.tracking_id} {question.ask}".encode()).hexdigest(),
            channel=Channel.POLL,
            received_at=received_at,
            vouched_at=question.asked_at,
            evidence=evidence,
            asked_at=question.asked_at,
            ask=question.ask,
        )

    def _note(self, provider: Provider, consent: TrackedConsent, failure: ConsentApiError, interaction_id: str) -> None:
        if isinstance(failure, ConsentNotStagedError) and consent.told.status is Status.NOT_STAGED:
            return  # it has not been staged yet: the ordinary case
        known = {"interaction_id": interaction_id, "provider": provider.id, "tracking_id": consent.tracking_id}
        _log.warning("Asking %s about consent %s: %s", provider.id, consent.tracking_id, failure, extra=known)


def _look_at(asking: asyncio.Task[TrackedConsent]) -> None:
    """Nobody may be left who would look at what came of it."""
    if not asking.cancelled():
        asking.exception()


def _claim_due(
    office: Office, provider: ProviderId, room: Room, transaction: Transaction, *, suspected: int = 0
) -> list[_Question]:
    """Take what is due, line by line, each with its share: the doubtful first, and nothing waits for ever behind another.

    Args:
        office: What is needed besides.
        provider: Whom to ask.
        room: How many questions there is room for; less for what is not urgent when the day's budget is short.
        transaction: In which they are counted.
        suspected: How many of these may be such as anybody could provoke.
    """
    now, tempo = office.clock.now(), office.tempo(provider)
    most = dict.fromkeys(AskLine, room.ordinary) | dict.fromkeys(_URGENT_LINES, room.urgent)
    most[AskLine.SUSPECTED] = min(room.ordinary, suspected)
    lines: list[list[TrackedConsent]] = []
    seen: set[TrackingId] = set()
    for line in AskLine:
        found = transaction.lock_due_asks(provider, now, most[line], line, tempo) if most[line] else []
        lines.append([consent for consent in found if consent.tracking_id not in seen])
        seen |= {consent.tracking_id for consent in found}
    given = shares(room.urgent, [len(line) for line in lines], _LEFT_TO_OTHERS, office.entropy.fraction)
    urgent = len(_URGENT_LINES)
    if sum(given[urgent:]) > room.ordinary:
        waiting = [len(line) for line in lines[urgent:]]
        given[urgent:] = shares(room.ordinary, waiting, _LEFT_TO_OTHERS[urgent:], office.entropy.fraction)
    questions = [
        (line, consent) for line, found, count in zip(AskLine, lines, given, strict=True) for consent in found[:count]
    ]
    provoked = {consent.tracking_id for line, consent in questions if line is AskLine.SUSPECTED}
    return _count(office, [consent for _, consent in questions], transaction, provoked)


def _claim_one(office: Office, tracking_id: TrackingId, transaction: Transaction) -> _Question | None:
    held = transaction.lock_tracked([tracking_id])
    return next(iter(_count(office, list(held.values()), transaction)), None)


def _count(
    office: Office, consents: list[TrackedConsent], transaction: Transaction, provoked: Collection[TrackingId] = ()
) -> list[_Question]:
    """Count a question on each consent, and lease it."""
    recording = Recording(transaction, office, consents)
    questions: list[_Question] = []
    for consent in consents:
        now = recording.now
        asking = replace(
            consent.asking,
            asked_at=now,
            leased_until=now + _LEASE,
            # What lies ahead was noted while our clock was ahead. From here on it runs as it does now.
            doubted_at=_no_later(consent.asking.doubted_at, now),
            requested_at=_no_later(consent.asking.requested_at, now),
        )
        asks = consent.summary.asks + 1
        counted = replace(consent, summary=replace(consent.summary, asks=asks), asking=asking)
        recording.change(counted)
        questions.append(_Question(counted, asks, now, consent.tracking_id in provoked))
    recording.finish()
    return questions


def _no_later(time: datetime | None, now: datetime) -> datetime | None:
    return None if time is None else min(time, now)


def _record_answer(
    office: Office,
    question: _Question,
    heard: HeardReport | None,
    error: ConsentApiError | None,
    transaction: Transaction,
) -> tuple[list[Entry], list[TrackedConsent]]:
    tracking_id = question.consent.tracking_id
    held = transaction.lock_tracked([tracking_id])
    if tracking_id not in held:
        raise InconsistentRowError("consent", tracking_id, "it was asked about and is gone")
    recording = Recording(transaction, office, held.values())
    if heard is not None:
        recording.load_claims()
        recording.hear(tracking_id, heard.stored, heard.evidence, is_repeat=False)
    consent = recording.current(tracking_id)
    asking = consent.asking
    if consent.summary.asks == question.ask:  # nobody has asked again in the meantime
        asking = replace(asking, leased_until=None)
    if error is None or isinstance(error, ConsentNotStagedError):
        wanted = asking.requested_at
        suspected = asking.suspected_at
        asking = replace(
            asking,
            failures=0,
            not_before=None,
            requested_at=wanted if wanted is not None and wanted > question.asked_at else None,
            suspected_at=suspected if suspected is not None and suspected > question.asked_at else None,
        )
    else:
        failures = asking.failures + 1
        wait = schedule.hold_back(failures, office.entropy.fraction())
        asked_to_wait = error.retry_after_seconds if isinstance(error, ConsentApiUnavailableError) else None
        wait = max(wait, timedelta(seconds=asked_to_wait or 0))
        # What was wanted is still wanted: the question counts as not asked. What was suspected is so still, in its own line.
        wanted = asking.requested_at or (None if question.is_suspicion else question.asked_at)
        suspected = None if failures >= _TRIES_FOR_A_SUSPICION else asking.suspected_at
        asking = replace(
            asking,
            failures=failures,
            not_before=recording.now + wait,
            requested_at=wanted,
            suspected_at=suspected,
        )
    recording.change(replace(consent, asking=asking))
    return recording.finish(), recording.overdue
