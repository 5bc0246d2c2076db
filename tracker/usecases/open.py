"""Work through the inbox: open what waits, record it in batches, and never let one event or one provider hold up the rest.

An event leaves the inbox only in the transaction that records what came of it. So a crash at any instant costs nothing but
opening it again.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import timedelta

from tracker.domain.errors import KeysUnavailableError, StorageError
from tracker.ports import Clock, HolderKeys, InboxItem, Provider, Quarantined, Store
from tracker.usecases.heard import Opened, Refused
from tracker.usecases.opening import NeedsKey, Opener, Outcome
from tracker.usecases.record import Recorder, name_of
from tracker.usecases.suspects import Suspects

_log = logging.getLogger(__name__)

BATCH = 256
_CHUNK = 16  # events opened by one thread in one go: measured, larger ones gain nothing
_KEY_TRIES = 12
_KEY_WAIT = timedelta(seconds=5)
_LONGEST_KEY_WAIT = timedelta(minutes=10)
_UNKNOWN_KEY_TRIES = 2
_UNKNOWN_KEY_WAIT = timedelta(seconds=31)  # a holder's keys are fetched again at most once in 30 s


class Opening:
    """Opens what waits in the inbox."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        opener: Opener,
        keys: HolderKeys,
        recorder: Recorder,
        threads: Executor,
        suspects: Suspects,
    ) -> None:
        self._store = store
        self._clock = clock
        self._opener = opener
        self._keys = keys
        self._recorder = recorder
        self._threads = threads
        self._suspects = suspects
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._had_keys: dict[str, bool] = {}  # by provider: whether its keys could be had when last asked for

    async def run_once(self) -> int:
        """Open and record one batch of what is due; say how many events it was.

        Raises:
            StorageError: The database is away; everything is still in the inbox.
        """
        items = await self._store.inbox_waiting(self._clock.now(), BATCH)
        if not items:
            return 0
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
        await self._record(opened, {item.id: item for item in items})
        for provider, theirs in lacking.values():
            await self._put_off(provider, theirs)
        return len(items)

    async def close(self) -> None:
        """Stop fetching keys."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open_all(self, items: Sequence[InboxItem]) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        chunks = [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]
        opened = await asyncio.gather(*(loop.run_in_executor(self._threads, self._open_chunk, c) for c in chunks))
        return [outcome for chunk in opened for outcome in chunk]

    def _open_chunk(self, items: Sequence[InboxItem]) -> list[Outcome]:
        return [self._open_one(item) for item in items]

    def _open_one(self, item: InboxItem) -> Outcome:
        try:
            return self._opener.open(item)
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

    # ------------------------------------------------------------------------------------------ keys that are not at hand

    async def _put_off(self, provider: Provider, lacking: Sequence[tuple[InboxItem, NeedsKey]]) -> None:
        """Let events wait for keys, each for its time, while the others go on; give up on those that waited enough.

        Attempts are counted over restarts, so nothing is given up before the keys were asked for by this process.
        """
        has_keys = self._had_keys.get(provider.id, False)
        was_asked = provider.id in self._had_keys
        now = self._clock.now()
        waiting: dict[timedelta, list[str]] = {}
        given_up: list[Opened] = []
        for item, needs in lacking:
            tries = _UNKNOWN_KEY_TRIES if has_keys else _KEY_TRIES
            if was_asked and item.attempts >= tries:
                reason = "key_unknown" if has_keys else "keys_unavailable"
                outcome = self._opener.refuse_for_key(item, needs, reason)
                self._suspects.opened(item.id, believed=False)
                given_up.append(Opened(inbox_id=item.id, interaction_id=item.interaction_id, outcome=outcome))
            else:
                wait = (
                    _UNKNOWN_KEY_WAIT if has_keys else min(_KEY_WAIT * 2 ** min(item.attempts, 10), _LONGEST_KEY_WAIT)
                )
                waiting.setdefault(wait, []).append(item.id)
                known = {"interaction_id": item.interaction_id, "provider": provider.id}
                _log.info("Event %s waits for a key of %s", item.interaction_id, provider.id, extra=known)
        for wait, ids in waiting.items():
            await self._store.postpone(ids, now + wait)
        await self._record(given_up, {item.id: item for item, _ in lacking})
        fetching = self._fetching.get(provider.id)
        if fetching is None or fetching.done():
            self._fetching[provider.id] = asyncio.create_task(self._fetch(provider, lacking))

    async def _fetch(self, provider: Provider, lacking: Sequence[tuple[InboxItem, NeedsKey]]) -> None:
        try:
            await self._keys.refresh(provider)
        except KeysUnavailableError as error:
            self._had_keys[provider.id] = False
            _log.warning("The keys of provider %s cannot be had: %s", provider.id, error)
            return
        self._had_keys[provider.id] = True
        # A holder is not asked again at once, so the key may still be missing. Looking again then would be a try wasted.
        found = [item.id for item, needs in lacking if self._keys.find(provider, needs.kid) is not None]
        if found:
            await self._store.hasten(found, self._clock.now())


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
