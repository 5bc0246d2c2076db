"""Events that wait for a key of their holder. Each provider's wait by themselves, and cost the others nothing.

An event is opened as far as its key id once; from then on it is remembered here that it waits, so that it is not
decrypted again before its key has come. All of it is in the inbox: a restart forgets this and finds it out again.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tracker.domain.consent import ProviderId
from tracker.domain.errors import KeysUnavailableError, StorageError
from tracker.ports import Clock, HolderKeys, InboxItem, Provider, Store
from tracker.usecases.opening import NeedsKey

_log = logging.getLogger(__name__)

LONGEST_WAIT = timedelta(days=3)
"""So long an event waits while its holder's keys cannot be had."""
_PATIENCE_SECONDS = 3600.0
"""So long this process waits at least: it may have been down for days itself."""
_FIRST_WAIT = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=10)
_UNKNOWN_KEY_TRIES = 2  # of this process: what another one asked for is not at hand here
_UNKNOWN_KEY_PAUSE = timedelta(seconds=31)  # a holder's keys are fetched again at most once in 30 s
_SOUGHT_SECONDS = 3600.0
"""So long a key that was given up is still looked for: its holder may publish it late, and say that its set is good for hours."""
_TAKEN_ELSEWHERE_SECONDS = 2 * _LONGEST_PAUSE.total_seconds()
"""What was not seen again for so long was recorded by another process: nobody else would tell us."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An event whose key cannot be had, and why: `key_unknown`, `keys_unavailable`."""

    item: InboxItem
    needs: NeedsKey
    reason: str


@dataclass(slots=True)
class _Waiting:
    """What this process knows of an event that waits; others may have had it in hand as well.

    Attributes:
        since: When it was first seen here.
        seen: When it was last.
        tries: How often it was put off here.
    """

    needs: NeedsKey
    received_at: datetime
    since: float
    seen: float
    tries: int = 0


@dataclass(slots=True)
class _Group:
    """Those that wait for one key, in order."""

    first_received_at: datetime
    ids: dict[str, None] = field(default_factory=dict)


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
        self._groups: dict[tuple[ProviderId, str], _Group] = {}  # by provider and key id
        self._fetching: dict[ProviderId, asyncio.Task[None]] = {}
        self._had_keys: dict[ProviderId, bool] = {}  # whether its keys could be had when last asked for
        self._found: dict[ProviderId, deque[str]] = {}  # those whose key has come
        self._sought: dict[
            ProviderId, tuple[str, float]
        ] = {}  # the key that was last given up, and until when it is sought

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
                needs = waiting.needs
                self._counts[needs.provider.id] -= 1
                group = self._groups[needs.provider.id, needs.kid]
                del group.ids[one]
                if not group.ids:
                    del self._groups[needs.provider.id, needs.kid]

    async def put_off(self, provider: Provider, lacking: Sequence[tuple[InboxItem, NeedsKey]]) -> list[GivenUp]:
        """Let one provider's events wait, each for its time, and fetch its keys; give back those that waited enough.

        While the keys cannot be had that is three days, counted from receipt. When they could be had and the key was not
        among them, it is two tries. Nothing is given up before this process has asked for the keys.
        """
        now = self._clock.now()
        pauses: dict[timedelta, list[str]] = {}
        given_up: list[GivenUp] = []
        for item, needs in lacking:
            self._remember(item, needs)
        too_many = self._counts[provider.id] - self._most_each
        for item, needs in reversed(lacking):  # if there is no room for all, then for those that came first
            if self._find(self._waiting[item.id]):  # it has come since it was looked for
                pauses.setdefault(timedelta(), []).append(item.id)
            elif provider.id in self._had_keys and (too_many > 0 or self._has_waited_enough(item, now)):
                reason = "key_unknown" if self._had_keys[provider.id] else "keys_unavailable"
                given_up.append(GivenUp(item, needs, reason))
                self._sought[provider.id] = (needs.kid, self._clock.monotonic() + _SOUGHT_SECONDS)
                too_many -= 1
            else:
                self._waiting[item.id].tries += 1
                pauses.setdefault(self._pause(item, provider), []).append(item.id)
                known = {"interaction_id": item.interaction_id, "provider": provider.id}
                _log.info("Event %s waits for a key of %s", item.interaction_id, provider.id, extra=known)
        for pause, ids in pauses.items():
            await self._store.postpone(ids, now + pause)
        if self._fetching.get(provider.id) is None:
            task = self._fetching[provider.id] = asyncio.create_task(
                self._fetch(provider), name=f"keys of {provider.id}"
            )
            task.add_done_callback(lambda _: self._fetching.pop(provider.id))
        return given_up

    async def refresh(self, provider: Provider) -> None:
        """See to a provider's keys, and let what waited for one that came be released.

        Raises:
            KeysUnavailableError: They cannot be had now.
        """
        self._forget_what_was_taken_elsewhere()
        self._seek(provider)
        try:
            await self._keys.refresh(provider)
        except KeysUnavailableError:
            self._had_keys[provider.id] = False
            self._note_found(provider)  # it may have withdrawn all, and what came before opens with those
            raise
        self._had_keys[provider.id] = True
        self._note_found(provider)

    def _seek(self, provider: Provider) -> None:
        kid, until = self._sought.get(provider.id, ("", 0.0))
        if (
            self._clock.monotonic() >= until or self._keys.find(provider, kid) is not None
        ):  # not to find it has it fetched
            self._sought.pop(provider.id, None)

    def _note_found(self, provider: Provider) -> None:
        # A holder is not asked again at once, so the key may still be missing. Looking again then would be a try wasted.
        found = self._found[provider.id] = deque()
        for (owner, kid), group in self._groups.items():
            # A key that is not good for the first of a group is good for none: so a hundred thousand cost one look.
            if owner == provider.id and self._keys.find(provider, kid, group.first_received_at) is not None:
                found.extend(one for one in group.ids if self._find(self._waiting[one]))

    async def release(self, most: int) -> None:
        """Make some of those due whose key has come, the same number of each provider's; the others have a turn later.

        Raises:
            StorageError: The database is away; they are due at their time.
        """
        ready = [found for found in self._found.values() if found]
        some = [found.popleft() for found in ready for _ in range(min(len(found), max(1, most // len(ready))))]
        if some:
            try:
                await self._store.hasten(some, self._clock.now())
            except StorageError:
                self._found_again(some)
                raise
            self.forget(some)  # whoever opens them next

    async def settled(self) -> None:
        """Wait until no keys are being fetched."""
        await asyncio.gather(*self._fetching.values(), return_exceptions=True)

    async def close(self) -> None:
        """Stop fetching keys."""
        for task in list(self._fetching.values()):
            task.cancel()
        await self.settled()

    def _found_again(self, ids: Sequence[str]) -> None:
        for one in ids:
            if (waiting := self._waiting.get(one)) is not None:
                self._found.setdefault(waiting.needs.provider.id, deque()).appendleft(one)

    def _forget_what_was_taken_elsewhere(self) -> None:
        before = self._clock.monotonic() - _TAKEN_ELSEWHERE_SECONDS
        self.forget([one for one, waiting in self._waiting.items() if waiting.seen < before])

    def _find(self, waiting: _Waiting) -> bool:
        needs = waiting.needs
        return self._keys.find(needs.provider, needs.kid, waiting.received_at) is not None

    def _remember(self, item: InboxItem, needs: NeedsKey) -> None:
        now = self._clock.monotonic()
        if (waiting := self._waiting.get(item.id)) is not None:
            waiting.seen = now
        else:
            self._waiting[item.id] = _Waiting(needs, item.received_at, since=now, seen=now)
            self._counts[needs.provider.id] += 1
            group = self._groups.setdefault((needs.provider.id, needs.kid), _Group(item.received_at))
            group.ids[item.id] = None
            group.first_received_at = min(group.first_received_at, item.received_at)

    def _has_waited_enough(self, item: InboxItem, now: datetime) -> bool:
        waiting = self._waiting[item.id]
        if self._had_keys[waiting.needs.provider.id]:
            return waiting.tries >= _UNKNOWN_KEY_TRIES
        was_patient = self._clock.monotonic() - waiting.since >= _PATIENCE_SECONDS
        return was_patient and now - item.received_at >= LONGEST_WAIT

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
