"""Have consents revoked by their holders: one request a consent, kept until the holder's own word ends it.

The request is on record, and the consent not usable any more, before anything is sent. Then whoever was asked sends it at
once; what that did not end is taken up by the workers. A sending is counted on the consent's row before it begins, so that
whoever finds it there after a crash knows that it may have arrived, and asks the holder before it sends again. What the
holder says when asked is recorded as any other answer; a consent that it says has ended takes the request along.

What the holder's answers mean is decided in `domain.overlay`.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from tracker.domain import schedule
from tracker.domain.changed import changed
from tracker.domain.consent import TrackingId
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiError,
    ConsentApiUnavailableError,
    ConsentNotFoundError,
    ConsentNotStagedError,
    InvalidRequestError,
    NotRevocableError,
    RevocationPendingError,
    RevocationRefusedError,
)
from tracker.domain.overlay import ACCEPTED, Deed, Overlay, Revocation, RevocationState
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import HolderApi, Provider, Store, Transaction
from tracker.usecases.ask import Asker
from tracker.usecases.budget import Budget
from tracker.usecases.recording import Office, Recording
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_LEASE = timedelta(seconds=60)
_AT_ONCE = 20
_PATIENCE_SECONDS = 10.0

Condition = Callable[[int], None]
"""Is given the consent's version; raises if the caller had another one in mind."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt, by whoever has the lease.

    Attributes:
        provider: Whose consent it is.
        consent: As it was when it was claimed.
        revocation: The request, as this attempt last wrote it.
    """

    provider: Provider
    consent: TrackedConsent
    revocation: Revocation

    def is_still_ours(self, found: Revocation | None) -> bool:
        """Whether nobody has ended, withdrawn or taken over what this attempt is about."""
        mine = self.revocation
        return (
            found is not None
            and found.state is RevocationState.PENDING
            and (found.requested_at, found.attempts) == (mine.requested_at, mine.attempts)
        )


class Revoker:
    """Asks holders to revoke consents."""

    def __init__(
        self,
        store: Store,
        office: Office,
        holders: HolderApi,
        budget: Budget,
        asker: Asker,
        journal_bell: Bell,
        trail: Trail | None = None,
    ) -> None:
        self._store = store
        self._office = office
        self._holders = holders
        self._budget = budget
        self._asker = asker
        self._journal_bell = journal_bell
        self._trail = trail or Trail()
        self._under_way: dict[TrackingId, asyncio.Task[None]] = {}

    async def request(self, tracking_id: TrackingId, revoked_by: str, condition: Condition | None = None) -> None:
        """Put a request on record; a second one gets the first, and makes it due again.

        Raises:
            ConsentNotFoundError: It is not tracked.
            ProviderNotFoundError: Its provider has left the configuration.
            InvalidRequestError: The holder cannot be told this of who revokes.
            NotRevocableError: The holder has said nothing of it yet, or it has ended.
        """
        script = partial(_request, self._office, tracking_id, revoked_by, condition)
        self._tell(await self._store.transact(script))

    async def withdraw(self, tracking_id: TrackingId, condition: Condition | None = None) -> None:
        """Take a request back. If the holder may have taken it, the consent is in doubt until the holder has been asked.

        Raises:
            ConsentNotFoundError: It is not tracked.
            ProviderNotFoundError: Its provider has left the configuration.
            NotRevocableError: There is no request that stands.
            RevocationPendingError: It is being sent at this moment.
        """
        self._tell(await self._store.transact(partial(_withdraw, self._office, tracking_id, condition)))

    async def carry_out(self, tracking_id: TrackingId) -> None:
        """Do now what is to be done about a request, if it is pending and nobody is at it.

        What the holder does is never raised: it is on record. All who want it in this process share one attempt.
        """
        attempt = self._under_way.get(tracking_id)
        if attempt is None:
            attempt = self._under_way[tracking_id] = asyncio.create_task(self._carry_out(tracking_id))
            attempt.add_done_callback(lambda done: self._end(tracking_id, done))
        await asyncio.shield(attempt)

    async def run_once(self, provider_id: str) -> int:
        """Take up what is due with one provider; say how many requests that was."""
        provider = self._office.providers.require(provider_id)
        attempts = await self._store.transact(partial(_claim_due, self._office, provider))
        await asyncio.gather(*(self._attempt(attempt) for attempt in attempts))
        return len(attempts)

    # ------------------------------------------------------------------------------------------ inside

    def _end(self, tracking_id: TrackingId, done: asyncio.Task[None]) -> None:
        self._under_way.pop(tracking_id, None)
        if not done.cancelled():
            done.exception()  # nobody may be left who would look at it

    def _tell(self, entries: list[Entry], interaction_id: str | None = None) -> None:
        if interaction_id is None:
            self._trail.appended(entries)
        else:
            self._trail.answered(interaction_id, entries)
        if entries:
            self._journal_bell.ring()

    async def _carry_out(self, tracking_id: TrackingId) -> None:
        attempt = await self._store.transact(partial(_claim_one, self._office, tracking_id))
        if attempt is not None:
            await self._attempt(attempt)

    async def _attempt(self, attempt: _Attempt) -> None:
        """Read, if it was sent before; send, if it is to be; read what came of it. Each step is on record before the next."""
        interaction_id = self._office.ids.random()
        answer: str | None = None
        ours: _Attempt | None = attempt
        try:
            if attempt.revocation.sent_at is not None:
                ours = await self._read_back(attempt, None, interaction_id)
            if ours is None:
                return
            attempt = ours
            await self._budget.turn_first(attempt.provider, _PATIENCE_SECONDS)
            ours = await self._store.transact(partial(_count, self._office, attempt))
            if ours is None:
                return
            attempt = ours
            answer = await self._send(attempt, interaction_id)
            await self._read_back(attempt, answer, interaction_id)
        except ConsentApiError as error:
            await self._store.transact(partial(_hold_up, self._office, attempt, error, answer))

    async def _send(self, attempt: _Attempt, interaction_id: str) -> str:
        """Send it; give what the holder answered, in one word.

        Raises:
            ConsentApiError: It did not answer, or not us.
        """
        consent, provider = attempt.consent, attempt.provider
        kind = self._office.providers.kind_of(consent)
        try:
            await self._holders.revoke_consent(
                provider, kind, consent.consent_id, attempt.revocation.revoked_by, interaction_id
            )
        except ConsentApiError as error:
            self._note(attempt, error, interaction_id)
            await self._budget.heard(provider, error)
            match error:
                case RevocationRefusedError(reason=reason):
                    return reason
                case ConsentNotStagedError() | ConsentApiContractError():  # whatever it is: the holder is asked
                    return error.code
                case _:
                    raise
        await self._budget.heard(provider, None)
        return ACCEPTED

    async def _read_back(self, attempt: _Attempt, answer: str | None, interaction_id: str) -> _Attempt | None:
        """Ask the holder, and decide; give the attempt if it is to be sent now.

        Raises:
            ConsentApiError: The holder does not say.
        """
        await self._asker.ask_now(attempt.consent.tracking_id)
        following, entries = await self._store.transact(partial(_decide, self._office, attempt, answer))
        self._tell(entries, interaction_id)
        return following

    def _note(self, attempt: _Attempt, failure: ConsentApiError, interaction_id: str) -> None:
        provider, tracking_id = attempt.provider, attempt.consent.tracking_id
        known = {"interaction_id": interaction_id, "provider": provider.id, "tracking_id": tracking_id}
        _log.warning("Revoking consent %s at %s: %s", tracking_id, provider.id, failure, extra=known)


# ---------------------------------------------------------------------------------------------- scripts


def held_for_a_deed(
    office: Office, tracking_id: TrackingId, condition: Condition | None, transaction: Transaction
) -> tuple[Recording, TrackedConsent]:
    """Hold a consent that something of our own is to be done to, and let the clock speak about it first.

    Raises:
        ConsentNotFoundError: It is not tracked.
        ProviderNotFoundError: Its provider has left the configuration.
    """
    held = transaction.lock_tracked([tracking_id])
    if tracking_id not in held:
        raise ConsentNotFoundError
    office.providers.require(held[tracking_id].provider)
    if condition is not None:
        condition(held[tracking_id].version)
    recording = Recording(transaction, office, held.values())
    recording.tick(tracking_id)
    return recording, recording.current(tracking_id)


def _request(
    office: Office, tracking_id: TrackingId, revoked_by: str, condition: Condition | None, transaction: Transaction
) -> list[Entry]:
    recording, consent = held_for_a_deed(office, tracking_id, condition, transaction)
    known = office.providers.kind_of(consent).revokers
    if not known:
        raise NotRevocableError(f"Consents of kind {consent.kind} cannot be revoked by us.")
    if revoked_by not in known:
        raise InvalidRequestError(f"revoked_by is one of {', '.join(sorted(known))}.")
    first = consent.overlay.revocation
    if first is not None:
        again = replace(consent.overlay, revocation=first.pressed_again(recording.now))
        recording.change(changed(consent, overlay=again))
    elif not consent.told.status.is_open:
        raise NotRevocableError(f"It is {consent.told.status}: there is nothing to revoke.")
    else:
        made = Revocation(revoked_by=revoked_by, requested_at=recording.now, due_at=recording.now)
        asked_for = changed(consent, overlay=replace(consent.overlay, revocation=made))
        recording.deed(asked_for, Deed.REVOCATION_REQUESTED, revoked_by=revoked_by)
    return recording.finish()


def _withdraw(
    office: Office, tracking_id: TrackingId, condition: Condition | None, transaction: Transaction
) -> list[Entry]:
    recording, consent = held_for_a_deed(office, tracking_id, condition, transaction)
    revocation = consent.overlay.revocation
    if revocation is None or not revocation.is_open:
        raise NotRevocableError("There is no request to revoke it that could be withdrawn.")
    if revocation.leased_until is not None and revocation.leased_until > recording.now:
        raise RevocationPendingError("It is being sent to the holder at this moment; try again in a minute.")
    asking = changed(consent.asking, requested_at=consent.asking.requested_at or recording.now)
    summary = consent.summary
    if revocation.may_have_arrived():
        # As good as an end that our own application saw: no use until a question that is asked from now on is answered.
        summary = changed(summary, end_hinted_at_ask=summary.asks)
    left = changed(consent, overlay=Overlay(paused=consent.overlay.paused), asking=asking, summary=summary)
    recording.deed(left, Deed.REVOCATION_WITHDRAWN)
    return recording.finish()


def _claim_due(office: Office, provider: Provider, transaction: Transaction) -> list[_Attempt]:
    now = office.clock.now()
    return _claim(office, transaction.lock_due_revocations(provider.id, now, _AT_ONCE), transaction)


def _claim_one(office: Office, tracking_id: TrackingId, transaction: Transaction) -> _Attempt | None:
    held = transaction.lock_tracked([tracking_id])
    return next(iter(_claim(office, list(held.values()), transaction)), None)


def _claim(office: Office, held: list[TrackedConsent], transaction: Transaction) -> list[_Attempt]:
    recording = Recording(transaction, office, held)
    attempts: list[_Attempt] = []
    for consent in held:
        revocation = consent.overlay.revocation
        if revocation is not None and revocation.is_free(recording.now):
            claimed = revocation.claimed(recording.now + _LEASE)
            recording.change(changed(consent, overlay=replace(consent.overlay, revocation=claimed)))
            attempts.append(_Attempt(office.providers.require(consent.provider), consent, claimed))
    recording.finish()
    return attempts


def _count(office: Office, attempt: _Attempt, transaction: Transaction) -> _Attempt | None:
    """Count a sending, unless there is nothing to send any more."""
    recording, consent, revocation = _held(office, attempt, transaction)
    if revocation is None:
        return None
    counted = revocation.about_to_be_sent(recording.now, recording.now + _LEASE)
    recording.change(changed(consent, overlay=replace(consent.overlay, revocation=counted)))
    recording.finish()
    return replace(attempt, revocation=counted)


def _decide(
    office: Office, attempt: _Attempt, answer: str | None, transaction: Transaction
) -> tuple[_Attempt | None, list[Entry]]:
    """The holder was asked: say what follows. If the consent has ended, the request has too, and nothing does."""
    recording, consent, revocation = _held(office, attempt, transaction)
    if revocation is None:
        return None, []
    settling = office.providers.kind_of(consent).rules.settling
    read = revocation.read_back(recording.now, settling, answer)
    is_due = read.due_at is not None and read.due_at <= recording.now
    if is_due:
        read = read.claimed(recording.now + _LEASE)
    decided = changed(consent, overlay=replace(consent.overlay, revocation=read))
    if read.state is RevocationState.REFUSED:
        recording.deed(decided, Deed.REVOCATION_FAILED, revoked_by=read.revoked_by, reason=read.last_error)
    else:
        recording.change(decided)
    return replace(attempt, revocation=read) if is_due else None, recording.finish()


def _hold_up(
    office: Office, attempt: _Attempt, error: ConsentApiError, answer: str | None, transaction: Transaction
) -> None:
    recording, consent, revocation = _held(office, attempt, transaction)
    if revocation is not None:
        wait = schedule.hold_back(revocation.failures + 1, office.entropy.fraction())
        asked_to_wait = error.retry_after_seconds if isinstance(error, ConsentApiUnavailableError) else None
        wait = max(wait, timedelta(seconds=asked_to_wait or 0))
        held_up = revocation.held_up(recording.now + wait, error.code, answer)
        recording.change(changed(consent, overlay=replace(consent.overlay, revocation=held_up)))
    recording.finish()


def _held(
    office: Office, attempt: _Attempt, transaction: Transaction
) -> tuple[Recording, TrackedConsent, Revocation | None]:
    """The consent as it is now, and the request on it if this attempt may still write it."""
    recording, consent = held_for_a_deed(office, attempt.consent.tracking_id, None, transaction)
    found = consent.overlay.revocation
    return recording, consent, found if attempt.is_still_ours(found) else None
