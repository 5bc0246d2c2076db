"""Events that wait for a key of their holder. Each provider's wait by themselves, and cost the others nothing.

An event is opened as far as its key id once; from then on it is remembered here that it waits, so that it is not
decrypted again before its key has come. All of it is in the inbox: a restart forgets this and finds it out again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.domain.consent import ProviderId
from tracker.domain.errors import KeysUnavailableError
from tracker.ports import Clock, HolderKeys, InboxItem, Provider, Store
from tracker.usecases.opening import NeedsKey

_log = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(days=3)
"""So long an event waits while its holder's keys cannot be had."""
_FIRST_WAIT = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=10)
_UNKNOWN_KEY_TRIES = 2
_UNKNOWN_KEY_PAUSE = timedelta(seconds=31)  # a holder's keys are fetched again at most once in 30 s
_HASTENED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An event whose key cannot be had, and why: `key_unknown`, `keys_unavailable`."""

    item: InboxItem
    needs: NeedsKey
    reason: str


@dataclass(frozen=True, slots=True)
class _Waiting:
    needs: NeedsKey
    received_at: datetime


class KeyWait:
    """Lets events wait for keys, and has the keys fetched. Belongs to the event loop, but for `still_needs`."""

    def __init__(self, store: Store, clock: Clock, keys: HolderKeys, *, most_each: int) -> None:
        """Begin with nobody waiting.

        Args:
            store: Where the inbox is.
            clock: Ours.
            keys: The holders' keys.
            most_each: How many events of one provider may wait. Whoever knows our public key can make such events; the
                inbox must not be full of them when others' come.
        """
        self._store = store
        self._clock = clock
        self._keys = keys
        self._most_each = most_each
        self._waiting: dict[str, _Waiting] = {}  # by inbox id
        self._counts: Counter[ProviderId] = Counter()
        self._fetching: dict[ProviderId, asyncio.Task[None]] = {}
        self._had_keys: dict[ProviderId, bool] = {}  # whether its keys could be had when last asked for

    def still_needs(self, item: InboxItem) -> NeedsKey | None:
        """Say what an event still waits for, without opening it; None: nothing is known against opening it."""
        waiting = self._waiting.get(item.id)
        if waiting is None or self._find(waiting):
            return None
        return waiting.needs

    def forget(self, ids: Sequence[str]) -> None:
        """Note that events wait no more: they are recorded or set aside."""
        for one in ids:
            if (waiting := self._waiting.pop(one, None)) is not None:
                self._counts[waiting.needs.provider.id] -= 1

    async def put_off(self, provider: Provider, lacking: Sequence[tuple[InboxItem, NeedsKey]]) -> list[GivenUp]:
        """Let one provider's events wait, each for its time, and fetch its keys; give back those that waited enough.

        While the keys cannot be had that is three days, counted from receipt. When they could be had and the key was not
        among them, it is two tries. Nothing is given up before this process has asked for the keys, but for what has no
        room to wait.
        """
        now = self._clock.now()
        pauses: dict[timedelta, list[str]] = {}
        given_up: list[GivenUp] = []
        for item, needs in lacking:
            if (reason := self._has_waited_enough(item, needs, now)) is not None:
                given_up.append(GivenUp(item, needs, reason))
            else:
                self._remember(item, needs)
                pauses.setdefault(self._pause(item, provider), []).append(item.id)
        for pause, ids in pauses.items():
            await self._store.postpone(ids, now + pause)
        if self._fetching.get(provider.id) is None:
            task = self._fetching[provider.id] = asyncio.create_task(
                self._fetch(provider), name=f"keys of {provider.id}"
            )
            task.add_done_callback(lambda _: self._fetching.pop(provider.id))
        return given_up

    async def refresh(self, provider: Provider) -> None:
        """See to a provider's keys, and let what waited for one that came be opened at once.

        Raises:
            KeysUnavailableError: They cannot be had now.
            StorageError: The database is away; what waited is opened at its time.
        """
        try:
            await self._keys.refresh(provider)
        except KeysUnavailableError:
            self._had_keys[provider.id] = False
            await self._hasten(provider)  # it may have withdrawn all, and what came before opens with those
            raise
        self._had_keys[provider.id] = True
        await self._hasten(provider)

    async def _hasten(self, provider: Provider) -> None:
        # A holder is not asked again at once, so the key may still be missing. Looking again then would be a try wasted.
        mine = [(one, waiting) for one, waiting in self._waiting.items() if waiting.needs.provider.id == provider.id]
        found = [one for one, waiting in mine if self._find(waiting)]
        for at in range(0, len(found), _HASTENED_AT_ONCE):
            await self._store.hasten(found[at : at + _HASTENED_AT_ONCE], self._clock.now())

    async def settled(self) -> None:
        """Wait until no keys are being fetched."""
        await asyncio.gather(*self._fetching.values(), return_exceptions=True)

    async def close(self) -> None:
        """Stop fetching keys."""
        for task in list(self._fetching.values()):
            task.cancel()
        await self.settled()

    def _find(self, waiting: _Waiting) -> bool:
        needs = waiting.needs
        return self._keys.find(needs.provider, needs.kid, waiting.received_at) is not None

    def _remember(self, item: InboxItem, needs: NeedsKey) -> None:
        if item.id not in self._waiting:
            self._waiting[item.id] = _Waiting(needs, item.received_at)
            self._counts[needs.provider.id] += 1

    def _has_waited_enough(self, item: InboxItem, needs: NeedsKey, now: datetime) -> str | None:
        provider = needs.provider.id
        has_keys = self._had_keys.get(provider, False)
        reason = "key_unknown" if has_keys else "keys_unavailable"
        if item.id not in self._waiting and self._counts[provider] >= self._most_each:
            return reason
        is_over = item.attempts >= _UNKNOWN_KEY_TRIES if has_keys else now - item.received_at >= LONGEST_WAIT
        return reason if is_over and provider in self._had_keys else None

    def _pause(self, item: InboxItem, provider: Provider) -> timedelta:
        if self._had_keys.get(provider.id, False):
            return _UNKNOWN_KEY_PAUSE
        pause: timedelta = _FIRST_WAIT * (1 << min(item.attempts, 10))
        return min(pause, _LONGEST_PAUSE)

    async def _fetch(self, provider: Provider) -> None:
        is_news = self._had_keys.get(provider.id, True)
        try:
            await self.refresh(provider)
        except KeysUnavailableError as error:
            if is_news:
                _log.warning("The keys of provider %s cannot be had: %s", provider.id, error)
