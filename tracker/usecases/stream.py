"""Telling one subscriber: read on from the cursor, deliver in order, write down how far we came.

What was done is written after every page, after every 50 deliveries and within a second, each time in one write. A crash in
between means that those deliveries are made again, in the same order. Anything but deliveries is written at the end of the turn.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from tracker.domain.errors import LeaseLostError, StorageError, SubscriptionNotFoundError
from tracker.domain.subscription import Parked, Subscription, SubscriptionState, announced, next_announcement_at
from tracker.journal.entry import Entry
from tracker.ports import Clock, Delivery, Entropy, Held, Ids, Progress, Sender, Store, Telling
from tracker.usecases.announcing import announcement, is_about
from tracker.usecases.backlog import MOST_PARKED, Backlog, Waiting
from tracker.usecases.endpoint import Endpoint
from tracker.usecases.flight import Flight
from tracker.usecases.ping import ping_body
from tracker.usecases.reads import SharedReads
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
    ids: Ids
    entropy: Entropy
    news: Bell
    grace_seconds: float = 5.0
    most_parked: int = MOST_PARKED

    @cached_property
    def reads(self) -> SharedReads:
        """The journal, read for all streams together."""
        return SharedReads(self.store, self.news)


class Stream:
    """One subscription at work; nobody else writes its progress meanwhile."""

    def __init__(
        self,
        subscription: Subscription,
        rows: Iterable[Parked],
        ports: StreamPorts,
        held: Held | None = None,
        is_ours: Callable[[], bool] = lambda: True,
        held_for: Callable[[datetime], timedelta] = lambda _: timedelta(),
    ) -> None:
        """Begin where the subscription stands.

        Args:
            subscription: As it was read.
            rows: What it has parked.
            ports: What there is to work with.
            held: By what right; None: no other process can be at it.
            is_ours: Whether that right lasts, as far as this process can tell.
            held_for: How long from now the endpoint is to be left alone, as somebody else was asked.
        """
        self._ports = ports
        self._held_for = held_for
        self._is_ours = is_ours
        self._held = held
        self._backlog = Backlog(
            subscription.cursor, rows, most_parked=ports.most_parked, order=subscription.manner.order
        )
        self._endpoint = Endpoint(subscription, self._backlog, ports.clock, ports.entropy)
        self._saved = subscription
        self._saved_at = ports.clock.now()
        self._has_saved = False
        self._landed = 0
        self._has_retried = False  # the last that was started had a row
        self._heard = -1  # how often the bell had rung when we had read all there was
        self._turned_at: datetime | None = None

    async def turn(self) -> Turn:
        """Do all that can be done now.

        Raises:
            StorageError: The database is away. What was delivered and not written will be delivered again.
            SubscriptionNotFoundError: The subscription was deleted meanwhile.
            LeaseLostError: Another process tells this subscriber now.
        """
        self._heard = -1
        self._mind_the_clock()
        try:
            if self._endpoint.state is SubscriptionState.FAILING and not self._is_held:
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
                try_at = self._endpoint.subscription.next_attempt_at if self._backlog.heads() else None
                return Turn(_first(self._held_until or try_at, next_announcement_at(self._endpoint.subscription)))
            case SubscriptionState.DISABLED | SubscriptionState.PENDING:
                return Turn(is_over=True)

    async def leave(self) -> None:
        """Write what is still to be written; there will be no more turns here."""
        await self._save_before_leaving()

    def _next_at(self) -> datetime | None:
        due_at = self._held_until or self._backlog.next_due_at()
        if not self._landed:
            return due_at
        return _first(due_at, self._saved_at + _SAVE_AFTER)

    @property
    def _is_held(self) -> bool:
        return self._held_for(self._ports.clock.now()) > timedelta()

    @property
    def _held_until(self) -> datetime | None:
        now = self._ports.clock.now()
        held = self._held_for(now)
        return now + held if held > timedelta() else None

    def _mind_the_clock(self) -> None:
        """See that nothing waits for what an earlier clock said: on a first turn, and when the clock was set back."""
        now, before = self._ports.clock.now(), self._turned_at
        if before is None or now < before:
            self._endpoint.mind_the_clock(set_back=timedelta() if before is None else before - now)
        self._turned_at = now

    # ------------------------------------------------------------------------------------------ reading

    async def _fill(self) -> None:
        """Read on as far as there is room, unless nothing new can be there."""
        rings = self._ports.news.rings
        while rings != self._heard and self._has_room:
            limit = min(self._backlog.room, _PAGE)
            page = await self._ports.reads.after(self._backlog.scanned, limit)
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
        return not is_about(entry, self._saved) and self._saved.entry_filter.passes(
            entry_type=entry.type, provider=entry.provider, kind=entry.kind, to=entry.to_status
        )

    # ------------------------------------------------------------------------------------------ delivering

    async def _deliver(self) -> None:
        """Deliver until nothing is left that may be tried now, or until the endpoint turns out to be failing."""
        flight = Flight(self._post, self._ports.clock)
        try:
            while True:
                rings = self._ports.news.rings
                if self._endpoint.may_start and not self._is_held:
                    await self._fill()
                    self._require_ours()
                    await self._start(flight)
                if not flight:
                    break
                # New entries must not wait for an endpoint that takes its time over others.
                await flight.wait(self._ports.news, rings, _LOOK_AGAIN_SECONDS)
                await self._land(flight)
        except asyncio.CancelledError:
            await flight.wait_for_all(self._ports.grace_seconds)
            self._hear(flight)
            raise
        finally:
            await flight.abandon()
        self._endpoint.conclude()

    def _require_ours(self) -> None:
        if not self._is_ours():  # we were stopped for long, or cut off: another may be far ahead of us
            raise LeaseLostError

    async def _start(self, flight: Flight) -> None:
        """Fill the places. Waiting for one is no attempt."""
        in_flight, retries = self._endpoint.in_flight, flight.retries
        batch: list[Waiting] = []
        while len(flight) + len(batch) < in_flight.places:
            waiting = self._next(may_retry=retries < in_flight.places_for_retries)
            if waiting is None:
                break
            batch.append(waiting)
            self._has_retried = waiting.parked is not None
            retries += self._has_retried
        else:
            in_flight.note_full()
        for waiting, entry in await self._entries(batch):
            flight.start(waiting, entry)

    def _next(self, *, may_retry: bool) -> Waiting | None:
        """What is to be tried next. Where there is one place only, first attempts and retries take turns at it."""
        now = self._ports.clock.now()
        if self._has_retried and self._endpoint.in_flight.places == 1:
            return self._backlog.next(now, retries=False) or self._backlog.next(now)
        return self._backlog.next(now, retries=may_retry)

    async def _entries(self, batch: list[Waiting]) -> list[tuple[Waiting, Entry]]:
        """Read the entries of those that were parked.

        What is no longer in the journal is given up. What the filter has come to forbid is let go.
        """
        missing = [waiting.sequence for waiting in batch if waiting.entry is None]
        read = await self._ports.store.entries_at(missing) if missing else {}
        found: list[tuple[Waiting, Entry]] = []
        for waiting in batch:
            entry = waiting.entry or read.get(waiting.sequence)
            if entry is not None and waiting.parked is not None and not self._hears(entry):
                self._backlog.settle(waiting)
            elif entry is not None:
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

    async def _land(self, flight: Flight) -> None:
        self._hear(flight)
        now = self._ports.clock.now()
        self._backlog.set_aside(now)
        if self._backlog.must_save or self._is_time(now):
            await self._save(lazily=not self._backlog.must_save)

    def _hear(self, flight: Flight) -> None:
        for landed in flight.land():
            self._endpoint.hear(landed.waiting, landed.delivery, landed.seconds)
            self._landed += 1

    async def _probe(self) -> None:
        """Try a failing endpoint, if it is time."""
        pair = await self._entries([self._backlog.begin(waiting) for waiting in self._endpoint.to_try()])
        answers: list[tuple[Waiting, Delivery]] = []
        for waiting, entry in pair:
            self._require_ours()
            answers.append((waiting, await self._post(entry)))
            if len(pair) == 1 and await self._is_shown_by_ping(*answers[0], entry.source):
                break
            if self._endpoint.hear_tries(answers, are_enough=len(answers) == len(pair)):
                break
        for waiting, _ in pair[len(answers) :]:
            self._backlog.release(waiting)

    async def _is_shown_by_ping(self, waiting: Waiting, delivery: Delivery, source: str) -> bool:
        """Whether a ping, where it takes one, shows that it was the entry that went wrong, and not the endpoint."""
        if not self._endpoint.is_unclear(waiting, delivery):
            return False
        to, ping_id, now = self._endpoint.subscription, self._ports.ids.ordered(), self._ports.clock.now()
        pong = await self._ports.sender.send(to, ping_id, ping_body(to.id, ping_id, source, now), now)
        return self._endpoint.hear_ping(waiting, delivery, pong)

    # ------------------------------------------------------------------------------------------ writing down

    async def _save(self, *, lazily: bool = False) -> None:
        """Write how far we have come, if there is anything to write."""
        now = self._ports.clock.now()
        current = announced(replace(self._endpoint.subscription, cursor=self._backlog.cursor), now)
        moved = replace(self._saved, cursor=current.cursor, last_delivered_at=current.last_delivered_at)
        only_moved = not self._backlog.has_changes and current == moved
        if only_moved and current == self._saved:
            return
        if only_moved and lazily and not self._is_time(now):
            return
        park, settled, given_up = self._backlog.changes()
        told = announcement(self._saved, current, now, self._ports.ids)
        progress = Progress(
            subscription=current,
            held=self._held,
            park=park,
            settled=settled,
            given_up=given_up,
            telling=None if told is None else Telling((told,), now),
        )
        if not await self._ports.store.save_progress(progress):
            raise SubscriptionNotFoundError
        if told is not None:
            self._ports.news.ring()
        self._backlog.saved()
        self._endpoint.subscription = current
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


def _first(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
