"""How often each provider may be asked, by all processes together.

What was asked of a provider stands in one row, its ledger. Whoever takes questions in hand holds that row, takes no more than
there is room for, and writes down how many it took, all in the transaction that takes them in hand: so what is claimed and what
is counted cannot differ, whoever is killed when, and a look that finds nothing due writes nothing.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from tracker.domain.allowance import Allowance, Room
from tracker.domain.breaker import BreakerState
from tracker.domain.changed import changed
from tracker.domain.errors import ConsentApiError, ConsentApiUnavailableError
from tracker.ports import Clock, Ledger, Provider, Store, Transaction
from tracker.usecases.wake import Bell

T = TypeVar("T")
_log = logging.getLogger(__name__)

_SOON_SECONDS = 5.0
_SHORTEST_WAIT_SECONDS = 0.001
_BUSY = "More is asked of the holder now than it may be asked."

Claim = Callable[[Room, Transaction], Sequence[T]]
"""Takes questions in hand, no more than there is room for; runs in a transaction, perhaps more than once."""

_FRESH_SECONDS = 0.1
"""So long what was taken for all who wait in a line here may lie before it is sent."""
_LOOK_AGAIN_SECONDS = 0.5
"""Who waits for room looks again after so long: others may have given up."""


@dataclass(slots=True)
class _Counter:
    """What this process knows of one provider, and has not written down.

    Attributes:
        outcomes: What came of questions, in order: True for an answer.
        is_writing: Whether somebody writes them down just now.
        is_tried: Whether the breaker was not closed when we last looked.
        why_not: Why there was no turn when we last looked.
        waiting: How many wait here for a turn.
        turns: Turns that were taken for those who wait.
        taken_at: When.
        line: Who waits, one behind the other.
        returned: Rings when there may be room again.
    """

    outcomes: list[bool] = field(default_factory=list)
    is_writing: bool = False
    is_tried: bool = False
    why_not: str = ""
    waiting: int = 0
    turns: int = 0
    taken_at: float = 0.0
    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    returned: Bell = field(default_factory=Bell)

    @contextmanager
    def told(self) -> Iterator[Sequence[bool]]:
        """Take the outcomes out to write them down; they are back if that fails."""
        outcomes, self.outcomes = self.outcomes, []
        try:
            yield outcomes
        except BaseException:
            self.outcomes = outcomes + self.outcomes
            raise


class Budget:
    """The providers' ledgers, as this process uses them. Belongs to one event loop.

    The schedule takes from them, and whoever wants to know at once: these stand in a line, and may have half of the rate while
    the schedule could use the rest, and all that it leaves. So neither ever keeps the other from asking, and both together stay
    within the rate.
    """

    def __init__(self, store: Store, clock: Clock, *, is_shared: bool = False) -> None:
        """Begin with what is written down.

        Args:
            store: Where the ledgers are.
            clock: Ours.
            is_shared: Whether other machines may use them too: then the database's clock counts, and not ours.
        """
        self._store = store
        self._clock = clock
        self._is_shared = is_shared
        self._counters: dict[str, _Counter] = defaultdict(_Counter)

    @property
    def now(self) -> datetime | None:
        """The instant to hold against what is written down; None: the database's."""
        return None if self._is_shared else self._clock.now()

    async def spend(self, provider: Provider, most: int, claim: Claim[T]) -> Sequence[T]:
        """Let the schedule take questions in hand, as many as there is room for; they count as asked.

        Raises:
            StorageError: Nothing was taken.
        """
        counter = self._counters[provider.id]
        with counter.told() as outcomes:
            spending = partial(_spend, provider, self.now, outcomes, most, claim)
            taken, ledger = await self._store.transact(spending)
        self._note(provider, ledger)
        counter.returned.ring_here()
        return taken

    async def turn(self, provider: Provider, patience_seconds: float) -> None:
        """Wait until one question may be sent that somebody waits for, and count it.

        Raises:
            ConsentApiUnavailableError: It would take longer than that.
            StorageError: The database is away.
        """
        counter = self._counters[provider.id]
        if counter.waiting >= patience_seconds * provider.requests_per_second + provider.limits.at_once:
            raise ConsentApiUnavailableError(_BUSY)
        counter.waiting += 1
        try:
            async with asyncio.timeout(patience_seconds), counter.line:
                while (wait := await self._take_turn(provider)) > 0:
                    if wait > patience_seconds:
                        raise ConsentApiUnavailableError(counter.why_not, retry_after_seconds=wait)
                    await counter.returned.wait(min(wait, _LOOK_AGAIN_SECONDS))
        except TimeoutError:
            raise ConsentApiUnavailableError(_BUSY) from None
        finally:
            counter.waiting -= 1

    async def turn_first(self, provider: Provider, patience_seconds: float) -> None:
        """The same for what goes before all questions: it waits for room, and for nobody.

        Raises:
            ConsentApiUnavailableError: It would take longer than that.
            StorageError: The database is away.
        """
        counter = self._counters[provider.id]
        try:
            async with asyncio.timeout(patience_seconds):
                while (wait := await self._take_first(provider)) > 0:
                    if wait > patience_seconds:
                        raise ConsentApiUnavailableError(counter.why_not, retry_after_seconds=wait)
                    await counter.returned.wait(min(wait, _LOOK_AGAIN_SECONDS))
        except TimeoutError:
            raise ConsentApiUnavailableError(_BUSY) from None

    async def turn_soon(self, provider: Provider) -> None:
        """Wait a little while for one question more: one that must be sent again.

        Raises:
            ConsentApiUnavailableError: It would take too long.
            StorageError: The database is away.
        """
        await self.turn(provider, _SOON_SECONDS)

    async def heard(self, provider: Provider, error: ConsentApiError | None) -> None:
        """Note what came of a question.

        An answer is written down with the next questions; at once what all must know at once: that the provider is failing, that
        it wants to be left alone, and how the one question went that tries whether it is well again.
        """
        counter = self._counters[provider.id]
        seconds = error.retry_after_seconds if isinstance(error, ConsentApiUnavailableError) else None
        # Whoever says how long it wants to be left alone is alive.
        counter.outcomes.append(seconds is not None or not isinstance(error, ConsentApiUnavailableError))
        if seconds is not None:
            await self.hold_back(provider, seconds)
        if counter.is_writing or not (counter.is_tried or False in counter.outcomes):
            return
        counter.is_writing = True
        try:
            while counter.outcomes:  # of others too, who came meanwhile
                with counter.told() as outcomes:
                    ledger = await self._store.transact(partial(_fold, provider, self.now, outcomes))
                self._note(provider, ledger)
        finally:
            counter.is_writing = False

    async def hold_back(self, provider: Provider, seconds: float) -> None:
        """The provider asked to be left alone for so long; all processes do."""
        await self._store.transact(partial(_hold, provider, self.now, seconds))

    async def room(self, provider: Provider) -> int:
        """How many questions may be sent now."""
        facts = await self._store.provider_facts([provider.id], self.now, self._clock.now())
        return room_in(provider, facts[provider.id].ledger).urgent

    # ------------------------------------------------------------------------------------------ inside

    async def _take_turn(self, provider: Provider) -> float:
        """Take a turn, or say for how many seconds there will be none."""
        counter = self._counters[provider.id]
        if counter.turns and self._clock.monotonic() - counter.taken_at <= _FRESH_SECONDS:
            counter.turns -= 1
            return 0
        with counter.told() as outcomes:
            taking = partial(_take_turns, provider, self.now, outcomes, counter.waiting)
            turns, wait, ledger = await self._store.transact(taking)
        self._note(provider, ledger)
        counter.turns, counter.taken_at = max(0, turns - 1), self._clock.monotonic()
        counter.why_not = _why_not(provider, ledger)
        return 0 if turns else max(wait, _SHORTEST_WAIT_SECONDS)

    async def _take_first(self, provider: Provider) -> float:
        """Take room for one question before all others, or say for how many seconds there will be none."""
        counter = self._counters[provider.id]
        with counter.told() as outcomes:
            taking = partial(_take_first, provider, self.now, outcomes)
            is_taken, wait, ledger = await self._store.transact(taking)
        self._note(provider, ledger)
        counter.why_not = _why_not(provider, ledger)
        return 0 if is_taken else max(wait, _SHORTEST_WAIT_SECONDS)

    def _note(self, provider: Provider, ledger: Ledger) -> None:
        counter = self._counters[provider.id]
        was_tried, counter.is_tried = counter.is_tried, ledger.breaker.state is not BreakerState.CLOSED
        known = {"provider": provider.id}
        if counter.is_tried and not was_tried:
            _log.warning("%s fails again and again: it is asked one question at a time", provider.id, extra=known)
        elif was_tried and not counter.is_tried:
            _log.info("%s answers again", provider.id, extra=known)


def room_in(provider: Provider, ledger: Ledger) -> Room:
    """What may be asked of a provider now, its breaker considered."""
    room = ledger.allowance.room(provider.limits, ledger.at)
    most = ledger.breaker.room(ledger.at)
    return room if most is None else Room(min(room.urgent, most), min(room.ordinary, most))


def _why_not(provider: Provider, ledger: Ledger) -> str:
    """Why there is no turn, for whoever cannot wait for one."""
    if ledger.allowance.is_held(ledger.at):
        return "The holder asked to be left alone for a while."
    if ledger.breaker.wait(ledger.at):
        return "The holder fails again and again; it is asked one question at a time."
    if provider.daily_requests and ledger.allowance.used_on(ledger.at) >= provider.daily_requests:
        return "The holder was asked all that it may be asked in a day."
    return _BUSY


def _opened(
    provider: Provider, now: datetime | None, outcomes: Sequence[bool], transaction: Transaction
) -> tuple[Ledger, Ledger]:
    """Hold a ledger; give it as it is written, and as it is with what we have not written down yet."""
    written = transaction.providers.lock_ledger(provider.id, now)
    return written, changed(
        written,
        allowance=written.allowance.settled(provider.limits, written.at),
        breaker=written.breaker.heard(outcomes, written.at),
    )


def _close(provider: Provider, written: Ledger, ledger: Ledger, transaction: Transaction) -> Ledger:
    if ledger != written:
        transaction.providers.save_ledger(provider.id, ledger)
    return ledger


def _take(ledger: Ledger, allowance: Allowance, questions: int) -> Ledger:
    breaker = ledger.breaker.let_through(ledger.at) if questions else ledger.breaker
    return changed(ledger, allowance=allowance, breaker=breaker)


def _spend(
    provider: Provider,
    now: datetime | None,
    outcomes: Sequence[bool],
    most: int,
    claim: Claim[T],
    transaction: Transaction,
) -> tuple[Sequence[T], Ledger]:
    written, ledger = _opened(provider, now, outcomes, transaction)
    limits, at = provider.limits, ledger.at
    room, tried = ledger.allowance.for_schedule(limits, at), ledger.breaker.room(at)
    bound = most if tried is None else min(most, tried)
    room = Room(min(room.urgent, bound), min(room.ordinary, bound))
    taken: Sequence[T] = claim(room, transaction) if room.urgent else ()
    if len(taken) > room.urgent:
        raise ValueError("More was taken in hand than there was room for.")
    allowance = ledger.allowance.take(len(taken), limits, at)
    if tried != 0 and not allowance.is_held(at):
        # Who got nothing wants more, as far as we know: or those who wait would have all of it for good.
        allowance = allowance.wanted(at, limits, more=len(taken) == room.urgent < most)
    return taken, _close(provider, written, _take(ledger, allowance, len(taken)), transaction)


def _take_turns(
    provider: Provider, now: datetime | None, outcomes: Sequence[bool], waiting: int, transaction: Transaction
) -> tuple[int, float, Ledger]:
    """Take turns for those who wait here; or none, and say for how long there will be none."""
    written, ledger = _opened(provider, now, outcomes, transaction)
    limits, at, allowance = provider.limits, ledger.at, ledger.allowance
    tried = ledger.breaker.room(at)
    room = allowance.for_turns(limits, at)
    turns = min(waiting, room if tried is None else min(room, tried))
    if turns:
        allowance = allowance.take_turns(turns, limits, at)
        wait = timedelta()
    else:
        if tried != 0 and not allowance.is_held(at):
            allowance = allowance.awaited(waiting, at, limits)
        wait = max(allowance.wait(limits, at), ledger.breaker.wait(at))
    ledger = _close(provider, written, _take(ledger, allowance, turns), transaction)
    return turns, wait.total_seconds(), ledger


def _take_first(
    provider: Provider, now: datetime | None, outcomes: Sequence[bool], transaction: Transaction
) -> tuple[bool, float, Ledger]:
    """Take room for one question, whoever waits; or none, and say for how long there will be none."""
    written, ledger = _opened(provider, now, outcomes, transaction)
    limits, at, allowance = provider.limits, ledger.at, ledger.allowance
    is_free = room_in(provider, ledger).urgent > 0
    wait = timedelta() if is_free else max(allowance.wait(limits, at), ledger.breaker.wait(at))
    taken = allowance.take(1, limits, at) if is_free else allowance
    ledger = _close(provider, written, _take(ledger, taken, int(is_free)), transaction)
    return is_free, wait.total_seconds(), ledger


def _fold(provider: Provider, now: datetime | None, outcomes: Sequence[bool], transaction: Transaction) -> Ledger:
    written, ledger = _opened(provider, now, outcomes, transaction)
    return _close(provider, written, ledger, transaction)


def _hold(provider: Provider, now: datetime | None, seconds: float, transaction: Transaction) -> None:
    written, ledger = _opened(provider, now, (), transaction)
    held = changed(ledger, allowance=ledger.allowance.held(seconds, ledger.at))
    _close(provider, written, held, transaction)
