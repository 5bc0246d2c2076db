"""Telling all subscribers: one loop each, so that none waits for another, and somebody who looks after the loops."""

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

from tracker.domain.errors import LeaseLostError, StorageError, SubscriptionNotFoundError
from tracker.domain.subscription import Subscription, SubscriptionState
from tracker.ports import subscription_lease
from tracker.usecases.leasing import Leasing
from tracker.usecases.stream import Stream, StreamPorts, Turn
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 1.0
_TURN_AT_LEAST_EVERY_SECONDS = 10.0
_SHORTEST_WAIT_SECONDS = 0.01
_LONGEST_BACKOFF_SECONDS = 60
_WRITING_SECONDS = 3.0  # what the last progress gets to be written when we stop
_LONGEST_WITHOUT_DATABASE_SECONDS = 4  # one that is back is used again within seconds, however long it was away


class Notifier:
    """Keeps a loop running for every subscription that is neither disabled nor paused."""

    def __init__(self, ports: StreamPorts, subscriptions_changed: Bell, leasing: Leasing | None = None) -> None:
        """Take what there is to work with.

        Args:
            ports: What the streams work with; its bell rings when the journal has grown.
            subscriptions_changed: Rings when a subscription came or went. Without it that is seen within a second.
            leasing: Which subscribers are told by this process, if there are others; None: all.
        """
        self._ports = ports
        self._leasing = leasing
        self._subscriptions_changed = subscriptions_changed
        self._streams: dict[str, Stream] = {}
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._versions: dict[str, int] = {}  # of the terms by which each loop tells
        self._held: dict[
            str, Subscription
        ] = {}  # those whose endpoints asked somebody else to wait, as they were last read
        self._head = 0

    async def run(self) -> None:
        """Look after the loops until cancelled; then let them finish or abandon their posts and write how far they came."""
        try:
            while True:
                try:
                    await self._look_after_loops()
                    await self._look_at_head()
                except StorageError as error:
                    _log.error("The subscriptions could not be read; trying again: %s", error)
                    self._streams.clear()  # it may be another one that comes back, and an older one: its word counts
                    self._stop_what_has_run_out()
                await self._subscriptions_changed.wait(_LOOK_AGAIN_SECONDS)
        finally:
            await _stop(self._loops.values(), self._ports.grace_seconds + _WRITING_SECONDS)
            self._loops.clear()
            self._versions.clear()
            if self._leasing is not None:
                await self._leasing.leave()

    async def run_once(self, subscription_id: str) -> Turn:
        """Do all that can be done now for one subscription. Its loop, if it runs, must not be disturbed by this.

        Raises:
            StorageError: The database is away.
        """
        stream = self._streams.pop(subscription_id, None) or await self._load(subscription_id)
        if stream is None:
            return Turn(is_over=True)
        try:
            turn = await stream.turn()
        except SubscriptionNotFoundError:
            return Turn(is_over=True)
        except LeaseLostError:
            if self._leasing is not None:
                self._leasing.lost(subscription_lease(subscription_id))
            return Turn(is_over=True)
        # Only what came through unharmed is remembered; after an error the store's word counts.
        if not turn.is_over:
            self._streams[subscription_id] = stream
        return turn

    async def _load(self, subscription_id: str) -> Stream | None:
        # First by what right, then where it stands: what is read under a lease is the newest there is.
        held = None
        if self._leasing is not None:
            held = self._leasing.held.get(subscription_lease(subscription_id))
            if held is None:
                return None
        subscription = await self._ports.store.get_subscription(subscription_id)
        if subscription is None or subscription.locked or subscription.state is SubscriptionState.PENDING:
            return None
        rows = await self._ports.store.parked(subscription_id)
        self._note_held(subscription)
        is_ours, held_for = partial(self._is_ours, subscription_id), partial(self._held_for, subscription_id)
        return Stream(subscription, rows, self._ports, held, is_ours, held_for)

    def _note_held(self, subscription: Subscription) -> None:
        self._held.pop(subscription.id, None)
        if subscription.held_until is not None:
            self._held[subscription.id] = subscription

    def _held_for(self, subscription_id: str, now: datetime) -> timedelta:
        found = self._held.get(subscription_id)
        return timedelta() if found is None else found.held_for(now)

    def _is_ours(self, subscription_id: str) -> bool:
        return self._leasing is None or subscription_lease(subscription_id) in self._leasing.held

    # ------------------------------------------------------------------------------------------ loops

    async def _look_after_loops(self) -> None:
        subscriptions = await self._ports.store.subscriptions()
        self._held = {found.id: found for found in subscriptions if found.held_until is not None}
        versions = {found.id: found.version for found in subscriptions}
        wanted = {found.id for found in subscriptions if found.is_told}
        # One that is disabled has just ended by itself, or is about to.
        known = {found.id for found in subscriptions if found.paused_at is None and found.locked is None}
        if self._leasing is not None:
            ours = await self._leasing.share([subscription_lease(one) for one in wanted])
            wanted = {one for one in wanted if subscription_lease(one) in ours}
            known = wanted
        # By other terms it is told anew, from where it stands.
        self._stop_loops_but({one for one in known if self._versions.get(one) == versions[one]})
        over = [key for key, loop in self._loops.items() if loop.done()]
        for key in over:
            del self._loops[key]
            del self._versions[key]
            self._streams.pop(key, None)
        if self._leasing is not None:
            await self._leasing.release([subscription_lease(key) for key in over if key not in wanted])
        for subscription_id in wanted - self._loops.keys():
            name = f"notify {subscription_id}"
            self._versions[subscription_id] = versions[subscription_id]
            self._loops[subscription_id] = asyncio.create_task(self._follow(subscription_id), name=name)

    def _stop_loops_but(self, subscription_ids: Collection[str]) -> None:
        for subscription_id, loop in self._loops.items():
            if subscription_id not in subscription_ids and not loop.cancelling():
                loop.cancel()  # it leaves in its own time; the others are not kept waiting for it

    def _stop_what_has_run_out(self) -> None:
        """Another process may be telling them by now."""
        if self._leasing is not None:
            held = self._leasing.held
            self._stop_loops_but([key for key in self._loops if subscription_lease(key) in held])

    async def _look_at_head(self) -> None:
        """Ring for entries that nobody rang for, such as another process's; one look for all the loops."""
        head = await self._ports.store.head()
        if head < self._head:
            _log.error(
                "The journal ends at %d and did at %d: subscribers are told from where this database says",
                head,
                self._head,
            )
            self._stop_loops_but(())  # they have read on beyond; new ones begin where they stand now
        if head != self._head:
            self._head = head
            self._ports.news.ring()

    async def _follow(self, subscription_id: str) -> None:
        """One subscription's loop, until it is over or cancelled; then all that was done is written."""
        try:
            await self._take_turns(subscription_id)
        finally:
            if stream := self._streams.get(subscription_id):
                await stream.leave()

    async def _take_turns(self, subscription_id: str) -> None:
        """Turn after turn, as the bell or the time calls for."""
        failures = 0
        while True:
            try:
                turn = await self.run_once(subscription_id)
                failures, backoff = 0, timedelta()
            except Exception as error:  # noqa: BLE001 - whatever ails one loop is logged, and it goes on
                failures += 1
                is_away = isinstance(error, StorageError) and error.retryable
                longest = _LONGEST_WITHOUT_DATABASE_SECONDS if is_away else _LONGEST_BACKOFF_SECONDS
                backoff = timedelta(seconds=min(longest, 2 ** min(failures - 1, 10)))
                turn = Turn()
                if is_away:
                    _log.warning("Telling subscription %s waits %s: %s", subscription_id, backoff, error)
                else:
                    _log.exception("Telling subscription %s failed; it goes on in %s.", subscription_id, backoff)
            if turn.is_over:
                return
            await self._wait(turn.next_at, backoff.total_seconds())

    async def _wait(self, next_at: datetime | None, backoff_seconds: float) -> None:
        """Wait until something is due, or the bell rings, or for long enough; after an error until its time has come."""
        clock = self._ports.clock
        longest = _TURN_AT_LEAST_EVERY_SECONDS
        not_before = clock.monotonic() + backoff_seconds  # however the clock is set meanwhile
        while True:
            seconds = longest if next_at is None else (next_at - clock.now()).total_seconds()
            if backoff_seconds:
                seconds = not_before - clock.monotonic()
            await self._ports.news.wait(min(longest, max(_SHORTEST_WAIT_SECONDS, seconds)))
            if clock.monotonic() >= not_before:
                return


async def _stop(loops: Collection[asyncio.Task[None]], seconds: float) -> None:
    for loop in loops:
        loop.cancel()
    if loops:
        _, late = await asyncio.wait(loops, timeout=seconds)
        for loop in late:
            _log.warning("%s did not finish in time and is cut short", loop.get_name())
            loop.cancel()
