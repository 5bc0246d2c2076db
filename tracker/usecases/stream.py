"""Telling one subscriber: read on from the cursor, deliver in order, write down how far we came.

What was done is written after every page, after every 50 deliveries and within a second, each time in one write. A crash in
between means that those deliveries are made again, in the same order. Anything but deliveries is written at the end of the turn.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tracker.domain.errors import LeaseLostError, StorageError, SubscriptionNotFoundError
from tracker.domain.subscription import Parked, Subscription, SubscriptionState
from tracker.journal.entry import Entry
from tracker.ports import Clock, Delivery, Entropy, Held, Progress, Sender, Store
from tracker.usecases.backlog import MOST_PARKED, Backlog, Waiting
from tracker.usecases.endpoint import Endpoint
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_PAGE = 128
_SAVE_EVERY = 50
_SAVE_AFTER = timedelta(seconds=1)
_SAVE_CURSOR_ALONE_AFTER = timedelta(seconds=5)  # over unheard entries it may be moved late
_LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What is left to do after a turn.

    Attributes:
        next_at: When something will be due even if nothing new comes; None: only something new counts.
        is_over: Nothing will be done any more: the subscription is disabled or gone.
    """

    next_at: datetime | None = None
    is_over: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamPorts:
    """What every stream works with.

    Attributes:
        news: Rings when the journal has grown.
        grace_seconds: What posts under way get to finish when we stop.
        most_parked: How many rows a subscription may have.
    """

    store: Store
    sender: Sender
    clock: Clock
    entropy: Entropy
    news: Bell
    grace_seconds: float = 5.0
    most_parked: int = MOST_PARKED


class Stream:
    """One subscription at work; nobody else writes its progress meanwhile."""

    def __init__(
        self,
        subscription: Subscription,
        rows: Iterable[Parked],
        ports: StreamPorts,
        held: Held | None = None,
        is_ours: Callable[[], bool] = lambda: True,
    ) -> None:
        """Begin where the subscription stands.

        Args:
            subscription: As it was read.
            rows: What it has parked.
            ports: What there is to work with.
            held: By what right; None: no other process can be at it.
            is_ours: Whether that right lasts, as far as this process can tell.
        """
        self._ports = ports
        self._is_ours = is_ours
        self._held = held
        self._backlog = Backlog(subscription.cursor, rows, most_parked=ports.most_parked)
        self._endpoint = Endpoint(subscription, self._backlog, ports.clock, ports.entropy)
        self._saved = subscription
        self._saved_at = ports.clock.now()
        self._has_saved = False
        self._landed = 0
        self._heard = -1  # how often the bell had rung when we had read all there was

    async def turn(self) -> Turn:
        """Do all that can be done now.

        Raises:
            StorageError: The database is away. What was delivered and not written will be delivered again.
            SubscriptionNotFoundError: The subscription was deleted meanwhile.
            LeaseLostError: Another process tells this subscriber now.
        """
        self._heard = -1
        try:
            if self._endpoint.state is SubscriptionState.FAILING:
                await self._fill()
                await self._probe()
            if self._endpoint.state is SubscriptionState.ACTIVE:
                await self._deliver()
        except asyncio.CancelledError:
            await self._save_before_leaving()
            raise
        await self._save(lazily=self._has_saved or not self._landed)
        match self._endpoint.state:
            case SubscriptionState.ACTIVE:
                return Turn(self._next_at())
            case SubscriptionState.FAILING:
                return Turn(self._endpoint.subscription.next_attempt_at if self._backlog.heads() else None)
            case SubscriptionState.DISABLED | SubscriptionState.PENDING:
                return Turn(is_over=True)

    async def leave(self) -> None:
        """Write what is still to be written; there will be no more turns here."""
        await self._save_before_leaving()

    def _next_at(self) -> datetime | None:
        due_at = self._backlog.next_due_at()
        if not self._landed:
            return due_at
        save_at = self._saved_at + _SAVE_AFTER
        return save_at if due_at is None else min(due_at, save_at)

    # ------------------------------------------------------------------------------------------ reading

    async def _fill(self) -> None:
        """Read on as far as there is room, unless nothing new can be there."""
        rings = self._ports.news.rings
        while rings != self._heard and self._has_room:
            limit = min(self._backlog.room, _PAGE)
            page = await self._ports.store.entries_after(self._backlog.scanned, limit)
            now = self._ports.clock.now()
            for entry in page:
                if self._hears(entry):
                    self._backlog.take(entry, now)
                else:
                    self._backlog.skip(entry.sequence)
            if self._backlog.cursor - self._saved.cursor >= _PAGE:
                await self._save()
            if len(page) < limit:
                self._heard = rings

    @property
    def _has_room(self) -> bool:
        room = self._backlog.room
        return room >= _PAGE or (room > 0 and self._backlog.is_idle)

    def _hears(self, entry: Entry) -> bool:
        return self._saved.entry_filter.passes(
            entry_type=entry.type, provider=entry.provider, kind=entry.kind, to=entry.to_status
        )

    # ------------------------------------------------------------------------------------------ delivering

    async def _deliver(self) -> None:
        """Deliver until nothing is left that may be tried now, or until the endpoint turns out to be failing."""
        flying: dict[asyncio.Future[Delivery], Waiting] = {}
        try:
            while True:
                rings = self._ports.news.rings
                if self._endpoint.may_start:
                    await self._fill()
                    if not self._is_ours():  # we were stopped for long, or cut off: another may be far ahead of us
                        raise LeaseLostError
                    await self._start(flying)
                if not flying:
                    break
                await self._await_news(flying, rings)
                await self._land(flying)
        except asyncio.CancelledError:
            await self._finish(flying)
            raise
        finally:
            await _abandon(flying)
        self._endpoint.conclude()

    async def _start(self, flying: dict[asyncio.Future[Delivery], Waiting]) -> None:
        now, most = self._ports.clock.now(), self._endpoint.most_at_once
        retries = sum(1 for waiting in flying.values() if waiting.parked is not None)
        batch: list[Waiting] = []
        while len(flying) + len(batch) < most:
            # Retries get half the places: entries that time out must not hold up those that would pass.
            waiting = self._backlog.next(now, retries=retries < max(1, most // 2))
            if waiting is None:
                break
            batch.append(waiting)
            retries += waiting.parked is not None
        for waiting, entry in await self._entries(batch):
            flying[asyncio.ensure_future(self._post(entry))] = waiting

    async def _entries(self, batch: list[Waiting]) -> list[tuple[Waiting, Entry]]:
        """Read the entries of those that were parked. What is no longer in the journal is given up."""
        missing = [waiting.sequence for waiting in batch if waiting.entry is None]
        read = await self._ports.store.entries_at(missing) if missing else {}
        found: list[tuple[Waiting, Entry]] = []
        for waiting in batch:
            entry = waiting.entry or read.get(waiting.sequence)
            if entry is not None:
                found.append((waiting, entry))
            elif waiting.parked is not None:
                lost = replace(
                    waiting.parked, next_attempt_at=self._ports.clock.now(), last_error="No longer in the journal."
                )
                self._backlog.give_up(waiting, lost)
        return found

    async def _post(self, entry: Entry) -> Delivery:
        body = entry.told(with_private=self._saved.include_private)
        return await self._ports.sender.send(self._endpoint.subscription, entry.id, body, self._ports.clock.now())

    async def _await_news(self, flying: dict[asyncio.Future[Delivery], Waiting], rings: int) -> None:
        """Wait for an answer; or for new entries, which must not wait for an endpoint that takes its time over others."""
        ring = self._ports.news.next_ring(rings)
        awaited: set[asyncio.Future[Any]] = {*flying, ring}
        try:
            await asyncio.wait(awaited, timeout=_LOOK_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ring.cancel()

    async def _land(self, flying: dict[asyncio.Future[Delivery], Waiting]) -> None:
        for task in [task for task in flying if task.done()]:
            self._endpoint.hear(flying.pop(task), task.result())
            self._landed += 1
        if self._backlog.must_save or self._is_time(self._ports.clock.now()):
            await self._save(lazily=not self._backlog.must_save)

    async def _finish(self, flying: dict[asyncio.Future[Delivery], Waiting]) -> None:
        """Give what is under way a little time, and take its answers in."""
        if flying:
            await asyncio.wait(flying, timeout=self._ports.grace_seconds)
            for task in [task for task in flying if task.done()]:
                self._endpoint.hear(flying.pop(task), task.result())

    async def _probe(self) -> None:
        """Try a failing endpoint, if it is time."""
        pair = await self._entries([self._backlog.begin(waiting) for waiting in self._endpoint.to_try()])
        answers: list[tuple[Waiting, Delivery]] = []
        for waiting, entry in pair:
            answers.append((waiting, await self._post(entry)))
            if self._endpoint.hear_tries(answers, are_enough=len(answers) == len(pair)):
                break
        for waiting, _ in pair[len(answers) :]:
            self._backlog.release(waiting)

    # ------------------------------------------------------------------------------------------ writing down

    async def _save(self, *, lazily: bool = False) -> None:
        """Write how far we have come, if there is anything to write."""
        current = replace(self._endpoint.subscription, cursor=self._backlog.cursor)
        moved = replace(self._saved, cursor=current.cursor, last_delivered_at=current.last_delivered_at)
        only_moved = not self._backlog.has_changes and current == moved
        if only_moved and current == self._saved:
            return
        now = self._ports.clock.now()
        if only_moved and lazily and not self._is_time(now):
            return
        park, settled, given_up = self._backlog.changes()
        progress = Progress(subscription=current, held=self._held, park=park, settled=settled, given_up=given_up)
        if not await self._ports.store.save_progress(progress):
            raise SubscriptionNotFoundError
        self._backlog.saved()
        # From when it is written: where that takes long, as much is told in between as where it does not.
        self._saved, self._saved_at, self._has_saved, self._landed = current, self._ports.clock.now(), True, 0

    def _is_time(self, now: datetime) -> bool:
        """Whether deliveries, or that there was nothing to deliver, were kept in mind for long enough."""
        longest = _SAVE_AFTER if self._landed else _SAVE_CURSOR_ALONE_AFTER
        # A clock that has been stepped back says nothing.
        return self._landed >= _SAVE_EVERY or not timedelta() <= now - self._saved_at < longest

    async def _save_before_leaving(self) -> None:
        try:
            await self._save()
        except SubscriptionNotFoundError:
            return  # that is why we were asked to leave
        except LeaseLostError:
            return  # what was delivered and not written is delivered again, by another
        except StorageError as error:
            _log.warning("The last steps of subscription %s were not written: %s", self._saved.id, error)


async def _abandon(flying: dict[asyncio.Future[Delivery], Waiting]) -> None:
    for task in flying:
        task.cancel()
    if flying:
        await asyncio.wait(flying)
