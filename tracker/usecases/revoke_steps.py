"""What is written of a request to revoke a consent, each step in a transaction of its own.

An attempt belongs to whoever has the lease on the request, and every step looks whether that is still so.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from tracker.domain import schedule
from tracker.domain.changed import changed
from tracker.domain.consent import Channel, TrackingId
from tracker.domain.errors import (
    ConsentApiError,
    ConsentApiUnavailableError,
    InvalidRequestError,
    NotRevocableError,
    RevocationPendingError,
)
from tracker.domain.overlay import Deed, Overlay, Revocation, RevocationState
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import Provider, Transaction
from tracker.usecases.deed import Condition, held_for_a_deed
from tracker.usecases.recording import Office, Recording

_LEASE = timedelta(seconds=60)
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Attempt:
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


def request(
    office: Office, tracking_id: TrackingId, revoked_by: str, condition: Condition | None, transaction: Transaction
) -> list[Entry]:
    """Put a request on record, or make the first one due again."""
    recording, consent = held_for_a_deed(office, tracking_id, condition, transaction)
    known = office.providers.kind_of(consent).revokers
    if not known:
        raise NotRevocableError(f"Consents of kind {consent.kind} cannot be revoked by us.")
    if revoked_by not in known:
        raise InvalidRequestError(f"revoked_by is one of {', '.join(sorted(known))}.")
    first = consent.overlay.revocation
    if first is not None and first.is_open:
        again = changed(consent, overlay=replace(consent.overlay, revocation=first.pressed_again(recording.now)))
        if first.state is RevocationState.REFUSED:  # it will be sent once more, and the journal tells on whose word
            recording.deed(again, Deed.REVOCATION_REQUESTED, revoked_by=first.revoked_by)
        else:
            recording.change(again)
    elif consent.told.status.is_open:
        made = Revocation(revoked_by=revoked_by, requested_at=recording.now, due_at=recording.now)
        asked_for = changed(consent, overlay=replace(consent.overlay, revocation=made))
        recording.deed(asked_for, Deed.REVOCATION_REQUESTED, revoked_by=revoked_by)
    elif first is None:
        raise NotRevocableError(f"It is {consent.told.status}: there is nothing to revoke.")
    return recording.finish()


def withdraw(
    office: Office, tracking_id: TrackingId, condition: Condition | None, transaction: Transaction
) -> list[Entry]:
    """Take a request back."""
    recording, consent = held_for_a_deed(office, tracking_id, condition, transaction)
    revocation = consent.overlay.revocation
    if revocation is None or not revocation.is_open:
        raise NotRevocableError("There is no request to revoke it that could be withdrawn.")
    if revocation.is_leased(recording.now):
        raise RevocationPendingError("It is being sent to the holder at this moment; try again in a minute.")
    asking = changed(consent.asking, requested_at=consent.asking.requested_at or recording.now)
    summary = consent.summary
    if revocation.may_have_arrived():
        # As good as an end that our own application saw: no use until a question that is asked from now on is answered.
        summary = changed(summary, end_hinted_at_ask=summary.asks)
    left = changed(consent, overlay=Overlay(paused=consent.overlay.paused), asking=asking, summary=summary)
    recording.deed(left, Deed.REVOCATION_WITHDRAWN)
    return recording.finish()


def claim_due(office: Office, provider: Provider, transaction: Transaction) -> list[Attempt]:
    """Take in hand what is due with a provider and nobody is at."""
    now = office.clock.now()
    return _claim(office, transaction.lock_due_revocations(provider.id, now, _AT_ONCE), transaction)


def claim_one(office: Office, tracking_id: TrackingId, transaction: Transaction) -> Attempt | None:
    """Take one request in hand, if it is pending and nobody is at it."""
    held = transaction.lock_tracked([tracking_id])
    return next(iter(_claim(office, list(held.values()), transaction)), None)


def _claim(office: Office, held: list[TrackedConsent], transaction: Transaction) -> list[Attempt]:
    recording = Recording(transaction, office, held)
    attempts: list[Attempt] = []
    for consent in held:
        revocation = consent.overlay.revocation
        if revocation is not None and revocation.is_free(recording.now):
            claimed = revocation.claimed(recording.now + _LEASE)
            recording.change(changed(consent, overlay=replace(consent.overlay, revocation=claimed)))
            attempts.append(Attempt(office.providers.require(consent.provider), consent, claimed))
    recording.finish()
    return attempts


def count(office: Office, attempt: Attempt, transaction: Transaction) -> Attempt | None:
    """Count a sending, unless there is nothing to send any more."""
    recording, consent, revocation = _held(office, attempt, transaction)
    if revocation is None:
        return None
    counted = revocation.about_to_be_sent(recording.now, recording.now + _LEASE)
    recording.change(changed(consent, overlay=replace(consent.overlay, revocation=counted)))
    recording.finish()
    return replace(attempt, revocation=counted)


def decide(
    office: Office, attempt: Attempt, answer: str | None, transaction: Transaction
) -> tuple[Attempt | None, list[Entry]]:
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
        channel = Channel.CLOCK if consent.is_given_up else Channel.OPERATOR
        failed = Deed.REVOCATION_FAILED
        recording.deed(decided, failed, revoked_by=read.revoked_by, reason=read.last_error, channel=channel)
    else:
        recording.change(decided)
    return replace(attempt, revocation=read) if is_due else None, recording.finish()


def hold_up(
    office: Office, attempt: Attempt, error: ConsentApiError, answer: str | None, transaction: Transaction
) -> None:
    """An attempt brought no answer: put the request off."""
    recording, consent, revocation = _held(office, attempt, transaction)
    if revocation is not None:
        wait = schedule.hold_back(revocation.failures + 1, office.entropy.fraction())
        asked_to_wait = error.retry_after_seconds if isinstance(error, ConsentApiUnavailableError) else None
        wait = max(wait, timedelta(seconds=asked_to_wait or 0))
        held_up = revocation.held_up(recording.now, recording.now + wait, error.code, answer)
        recording.change(changed(consent, overlay=replace(consent.overlay, revocation=held_up)))
    recording.finish()


def _held(
    office: Office, attempt: Attempt, transaction: Transaction
) -> tuple[Recording, TrackedConsent, Revocation | None]:
    """The consent as it is now, and the request on it if this attempt may still write it."""
    recording, consent = held_for_a_deed(office, attempt.consent.tracking_id, None, transaction)
    found = consent.overlay.revocation
    return recording, consent, found if attempt.is_still_ours(found) else None
