"""Work through the inbox: open what waits, record it in batches, and never let one event or one provider hold up the rest.

An event leaves the inbox only in the transaction that records what came of it. So a crash at any instant costs nothing but
opening it again.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

from tracker.domain.errors import StorageError
from tracker.ports import Clock, InboxItem, Provider, Quarantined, Store
from tracker.usecases.claim_size import ClaimSize
from tracker.usecases.heard import Opened, Refused
from tracker.usecases.key_wait import KeyWait
from tracker.usecases.opening import NeedsKey, Opener, Outcome
from tracker.usecases.precedence import Precedence
from tracker.usecases.record import Recorder, name_of
from tracker.usecases.suspects import Suspects

_log = logging.getLogger(__name__)

BATCH = 256
_CHUNK = 16  # events opened by one thread in one go: measured, larger ones gain nothing


class Opening:
    """Opens what waits in the inbox."""

    def __init__(  # noqa: PLR0913 - what opening needs, each by its name
        self,
        store: Store,
        clock: Clock,
        opener: Opener,
        key_wait: KeyWait,
        recorder: Recorder,
        threads: Executor,
        suspects: Suspects,
        *,
        lease_seconds: float = 0,
        precedence: Precedence | None = None,
    ) -> None:
        """Take what there is to work with.

        Args:
            store: The database.
            clock: Ours.
            opener: Opens one event.
            key_wait: Those that wait for a key.
            recorder: Puts opened events on record.
            threads: Where events are opened.
            suspects: Who sent what could not be believed.
            lease_seconds: So long other processes leave alone what this one has in hand; 0: there are no others.
            precedence: Which of them takes first; None: there are no others.
        """
        self._store = store
        self._clock = clock
        self._opener = opener
        self.key_wait = key_wait
        self._recorder = recorder
        self._threads = threads
        self._suspects = suspects
        self._lease_seconds = lease_seconds
        self._claim_size = ClaimSize(BATCH, lease_seconds)
        self._precedence = precedence or Precedence(clock)

    async def run_once(self) -> int:
        """Open and record one batch of what is due; say how many events it was.

        Raises:
            StorageError: The database is away; everything is still in the inbox.
        """
        await self.key_wait.release(BATCH // 2)
        until = await self._precedence.due_until()
        if until is None:
            return 0
        began = self._clock.monotonic()
        items = await self._store.claim_inbox(until, self._claim_size.now, self._lease_seconds)
        self._precedence.found(len(items))
        if not items:
            return 0
        try:
            await self._work_through(items)
        except StorageError:
            self._claim_size.failed()
            raise
        self._claim_size.took(len(items), self._clock.monotonic() - began)
        return len(items)

    async def _work_through(self, items: Sequence[InboxItem]) -> None:
        outcomes = await self._open_all(items)
        opened: list[Opened] = []
        lacking: dict[str, tuple[Provider, list[tuple[InboxItem, NeedsKey]]]] = {}
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, NeedsKey):
                lacking.setdefault(outcome.provider.id, (outcome.provider, []))[1].append((item, outcome))
            else:
                believed = outcome.quarantined.verified if isinstance(outcome, Refused) else True
                self._suspects.opened(item.id, believed=believed)
                opened.append(Opened(inbox_id=item.id, interaction_id=item.interaction_id, outcome=outcome))
        by_id = {item.id: item for item in items}
        await self._finish(opened, by_id)
        for provider, theirs in lacking.values():
            given_up = await self.key_wait.put_off(provider, theirs)
            refused: list[Opened] = []
            for one in given_up:
                self._suspects.opened(one.item.id, believed=False)
                outcome = self._opener.refuse_for_key(one.item, one.needs, one.reason)
                interaction_id = one.item.interaction_id
                refused.append(Opened(inbox_id=one.item.id, interaction_id=interaction_id, outcome=outcome))
            await self._finish(refused, by_id)

    async def leave(self) -> None:
        """Let another process go first from now on."""
        await self._precedence.leave()

    async def _finish(self, opened: Sequence[Opened], items: dict[str, InboxItem]) -> None:
        await self._record(opened, items)
        self.key_wait.forget([one.inbox_id for one in opened])

    async def _open_all(self, items: Sequence[InboxItem]) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        chunks = [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]
        opened = await asyncio.gather(*(loop.run_in_executor(self._threads, self._open_chunk, c) for c in chunks))
        return [outcome for chunk in opened for outcome in chunk]

    def _open_chunk(self, items: Sequence[InboxItem]) -> list[Outcome]:
        return [self._open_one(item) for item in items]

    def _open_one(self, item: InboxItem) -> Outcome:
        try:
            return self.key_wait.still_needs(item) or self._opener.open(item)
        except Exception:  # noqa: BLE001 - logged, and the event kept
            # Our own mistake, not the sender's: the event is kept aside, and the others go on.
            _log.exception("Opening event %s failed", item.interaction_id)
            return Refused(quarantined=_set_aside(item, "open_failed"))

    async def _record(self, opened: Sequence[Opened], items: dict[str, InboxItem]) -> None:
        """Record a batch; if it cannot be, halve it until what is poisoned stands alone, and set that aside."""
        if not opened:
            return
        try:
            await self._recorder.record(opened)
        except StorageError as error:
            if error.retryable:
                raise
            await self._split(opened, items)
        except Exception:  # noqa: BLE001 - logged, and retried in halves
            _log.exception("Recording %d events failed", len(opened))
            await self._split(opened, items)

    async def _split(self, opened: Sequence[Opened], items: dict[str, InboxItem]) -> None:
        if len(opened) > 1:
            middle = len(opened) // 2
            await self._record(opened[:middle], items)
            await self._record(opened[middle:], items)
            return
        poisoned = opened[0]
        quarantined = _set_aside(items[poisoned.inbox_id], "record_failed")
        # It may have told of an end: the holder is asked. Unless it is the consent itself that cannot be written.
        for asks_about in (name_of(poisoned), None):
            aside = Refused(quarantined=quarantined, asks_about=asks_about)
            try:
                await self._recorder.record([replace(poisoned, outcome=aside)])
            except Exception as error:
                if asks_about is None or (isinstance(error, StorageError) and error.retryable):
                    raise
            else:
                return


def _set_aside(item: InboxItem, reason: str) -> Quarantined:
    # Counted as verified: it may be, and what may be genuine is never evicted.
    return Quarantined(
        id=item.id,
        profile=item.profile,
        step="record",
        reason=reason,
        verified=True,
        body=item.body,
        received_at=item.received_at,
        quarantined_at=item.received_at,
        interaction_id=item.interaction_id,
        retries=item.retries,
    )
