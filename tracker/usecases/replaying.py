"""Running the replays of all subscribers: one loop for each that has any, apart from those that tell what is new."""

import asyncio
import logging
from collections.abc import Collection
from datetime import timedelta
from functools import partial

from tracker.domain.errors import LeaseLostError, StorageError
from tracker.ports import replay_lease
from tracker.usecases.leasing import Leasing
from tracker.usecases.rerun import ReplayPorts, Rerun
from tracker.usecases.stream import Turn
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 1.0
_TURN_AT_LEAST_EVERY_SECONDS = 5.0
_SHORTEST_WAIT_SECONDS = 0.01
_LONGEST_BACKOFF_SECONDS = 60
_WRITING_SECONDS = 3.0


class Replayer:
    """Keeps a loop running for every subscription that has something to be told again, and may be told it."""

    def __init__(self, ports: ReplayPorts, changed: Bell, leasing: Leasing | None = None) -> None:
        """Take what there is to work with.

        Args:
            ports: What the replays work with.
            changed: Rings when a replay was asked for or cancelled. Without it that is seen within a second.
            leasing: Which subscribers' replays this process runs, if there are others; None: all.
        """
        self._ports = ports
        self._changed = changed
        self._leasing = leasing
        self._reruns: dict[str, Rerun] = {}
        self._loops: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look after the loops until cancelled; then let them finish or abandon their posts and write how far they came."""
        try:
            while True:
                try:
                    await self._look_after_loops()
                except StorageError as error:
                    _log.error("The replays could not be read; trying again: %s", error)
                    self._stop_what_has_run_out()
                await self._changed.wait(_LOOK_AGAIN_SECONDS)
        finally:
            for loop in self._loops.values():
                loop.cancel()
            if self._loops:
                await asyncio.wait(self._loops.values(), timeout=self._ports.grace_seconds + _WRITING_SECONDS)
            self._loops.clear()
            if self._leasing is not None:
                await self._leasing.leave()

    async def run_once(self, subscription_id: str) -> Turn:
        """Do all that can be done now of one subscription's replays. Its loop, if it runs, must not be disturbed by this.

        Raises:
            StorageError: The database is away.
        """
        while True:
            rerun = self._reruns.pop(subscription_id, None) or await self._load(subscription_id)
            if rerun is None:
                return Turn(is_over=True)
            try:
                turn = await rerun.turn()
            except LeaseLostError:
                if self._leasing is not None:
                    self._leasing.lost(replay_lease(subscription_id))
                return Turn(is_over=True)
            except asyncio.CancelledError:
                self._reruns[subscription_id] = rerun  # it will leave
                raise
            if not turn.is_over:
                # Only what came through unharmed is remembered; after an error the store's word counts.
                self._reruns[subscription_id] = rerun
                return turn
            if subscription_id not in await self._ports.book.to_run() or not await self._is_told(subscription_id):
                return turn

    async def _is_told(self, subscription_id: str) -> bool:
        """Whether it is told as far as the database cannot know: its secrets may be unreadable here."""
        subscription = await self._ports.store.get_subscription(subscription_id)
        return subscription is not None and subscription.is_told

    async def _load(self, subscription_id: str) -> Rerun | None:
        held = None
        if self._leasing is not None:
            held = self._leasing.held.get(replay_lease(subscription_id))
            if held is None:
                return None
        replay = await self._ports.book.next_of(subscription_id)
        if replay is None:
            return None
        return Rerun(replay, self._ports, held, partial(self._is_ours, subscription_id))

    def _is_ours(self, subscription_id: str) -> bool:
        return self._leasing is None or replay_lease(subscription_id) in self._leasing.held

    # ------------------------------------------------------------------------------------------ loops

    async def _look_after_loops(self) -> None:
        wanted = set(await self._ports.book.to_run())
        if self._leasing is not None and (wanted or self._loops):
            ours = await self._leasing.share([replay_lease(one) for one in wanted])
            wanted = {one for one in wanted if replay_lease(one) in ours}
            self._stop_loops_but(wanted)
        over = [key for key, loop in self._loops.items() if loop.done()]
        for key in over:
            del self._loops[key]
        if self._leasing is not None:
            await self._leasing.release([replay_lease(key) for key in over if key not in wanted])
        for subscription_id in wanted - self._loops.keys():
            self._loops[subscription_id] = asyncio.create_task(
                self._follow(subscription_id), name=f"replay to {subscription_id}"
            )

    def _stop_loops_but(self, subscription_ids: Collection[str]) -> None:
        for subscription_id, loop in self._loops.items():
            if subscription_id not in subscription_ids and not loop.cancelling():
                loop.cancel()  # it leaves in its own time; the others are not kept waiting for it

    def _stop_what_has_run_out(self) -> None:
        """Another process may be running them by now."""
        if self._leasing is not None:
            held = self._leasing.held
            self._stop_loops_but([key for key in self._loops if replay_lease(key) in held])

    async def _follow(self, subscription_id: str) -> None:
        try:
            await self._take_turns(subscription_id)
        finally:
            if rerun := self._reruns.pop(subscription_id, None):
                await rerun.leave()

    async def _take_turns(self, subscription_id: str) -> None:
        failures = 0
        while True:
            try:
                turn = await self.run_once(subscription_id)
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever ails one loop is logged, and it goes on
                failures += 1
                backoff = timedelta(seconds=min(_LONGEST_BACKOFF_SECONDS, 2 ** min(failures - 1, 6)))
                turn = Turn(next_at=self._ports.clock.now() + backoff)
                if isinstance(error, StorageError) and error.retryable:
                    _log.warning("Telling subscription %s again waits %s: %s", subscription_id, backoff, error)
                else:
                    _log.exception("Telling subscription %s again failed; it goes on in %s.", subscription_id, backoff)
            if turn.is_over:
                return
            await self._wait(turn)

    async def _wait(self, turn: Turn) -> None:
        seconds = _TURN_AT_LEAST_EVERY_SECONDS
        if turn.next_at is not None:
            seconds = (turn.next_at - self._ports.clock.now()).total_seconds()
        await self._changed.wait(min(_TURN_AT_LEAST_EVERY_SECONDS, max(_SHORTEST_WAIT_SECONDS, seconds)))
