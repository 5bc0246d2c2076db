"""Have consents revoked by their holders: one request a consent, kept until the holder's own word ends it.

The request is on record, and the consent not usable any more, before anything is sent. Then whoever was asked sends it at
once; what that did not end is taken up by the workers. A sending is counted on the consent's row before it begins, so that
whoever finds it there after a crash knows that it may have arrived, and asks the holder before it sends again. What the
holder says when asked is recorded as any other answer; a consent that it says has ended takes the request along.

What the holder's answers mean is decided in `domain.overlay`.
"""

import asyncio
import logging
from functools import partial

from tracker.domain.consent import TrackingId
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiError,
    ConsentNotStagedError,
    RevocationRefusedError,
)
from tracker.domain.overlay import ACCEPTED
from tracker.journal.entry import Entry
from tracker.ports import HolderApi, Store
from tracker.usecases import revoke_steps as steps
from tracker.usecases.ask import Asker
from tracker.usecases.budget import Budget
from tracker.usecases.deed import Condition
from tracker.usecases.recording import Office
from tracker.usecases.revoke_steps import Attempt
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 10.0


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
        script = partial(steps.request, self._office, tracking_id, revoked_by, condition)
        self._tell(await self._store.transact(script))

    async def withdraw(self, tracking_id: TrackingId, condition: Condition | None = None) -> None:
        """Take a request back. If the holder may have taken it, the consent is in doubt until the holder has been asked.

        Raises:
            ConsentNotFoundError: It is not tracked.
            ProviderNotFoundError: Its provider has left the configuration.
            NotRevocableError: There is no request that stands.
            RevocationPendingError: It is being sent at this moment.
        """
        self._tell(await self._store.transact(partial(steps.withdraw, self._office, tracking_id, condition)))

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
        attempts = await self._store.transact(partial(steps.claim_due, self._office, provider))
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
        attempt = await self._store.transact(partial(steps.claim_one, self._office, tracking_id))
        if attempt is not None:
            await self._attempt(attempt)

    async def _attempt(self, attempt: Attempt) -> None:
        """Read, if it was sent before; send, if it is to be; read what came of it. Each step is on record before the next."""
        interaction_id = self._office.ids.random()
        answer: str | None = None
        ours: Attempt | None = attempt
        try:
            if attempt.revocation.sent_at is not None:
                ours = await self._read_back(attempt, None, interaction_id)
            if ours is None:
                return
            attempt = ours
            await self._budget.turn_first(attempt.provider, _PATIENCE_SECONDS)
            ours = await self._store.transact(partial(steps.count, self._office, attempt))
            if ours is None:
                return
            attempt = ours
            answer = await self._send(attempt, interaction_id)
            await self._read_back(attempt, answer, interaction_id)
        except ConsentApiError as error:
            await self._store.transact(partial(steps.hold_up, self._office, attempt, error, answer))

    async def _send(self, attempt: Attempt, interaction_id: str) -> str:
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

    async def _read_back(self, attempt: Attempt, answer: str | None, interaction_id: str) -> Attempt | None:
        """Ask the holder, and decide; give the attempt if it is to be sent now.

        Raises:
            ConsentApiError: The holder does not say.
        """
        await self._asker.ask_now(attempt.consent.tracking_id)
        following, entries = await self._store.transact(partial(steps.decide, self._office, attempt, answer))
        self._tell(entries, interaction_id)
        return following

    def _note(self, attempt: Attempt, failure: ConsentApiError, interaction_id: str) -> None:
        provider, tracking_id = attempt.provider, attempt.consent.tracking_id
        known = {"interaction_id": interaction_id, "provider": provider.id, "tracking_id": tracking_id}
        _log.warning("Revoking consent %s at %s: %s", tracking_id, provider.id, failure, extra=known)
