"""How often each provider may be asked, by all processes together.

What was asked of a provider stands in one row, its ledger. Whoever takes questions in hand holds that row, takes no more than
there is room for, and writes down how many it took, all in the transaction that takes them in hand: so what is claimed and what
is counted cannot differ, whoever is killed when, and a look that finds nothing due writes nothing.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from tracker.domain.breaker import BreakerState
from tracker.domain.errors import ConsentApiError, ConsentApiUnavailableError, StorageError
from tracker.ports import Clock, Ledger, Provider, Store
from tracker.usecases import ledgers
from tracker.usecases.wake import Bell

T = TypeVar("T")
_log = logging.getLogger(__name__)

_SOON_SECONDS = 5.0
_SHORTEST_WAIT_SECONDS = 0.001
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
        except StorageError:  # who was cancelled has them written down all the same
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

    async def spend(self, provider: Provider, most: int, claim: ledgers.Claim[T]) -> Sequence[T]:
        """Let the schedule take questions in hand, as many as there is room for; they count as asked.

        Raises:
            StorageError: Nothing was taken.
        """
        counter = self._counters[provider.id]
        with counter.told() as outcomes:
            spending = partial(ledgers.spend, provider, self.now, outcomes, most, claim)
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
            raise ConsentApiUnavailableError(ledgers.BUSY)
        counter.waiting += 1
        try:
            async with asyncio.timeout(patience_seconds), counter.line:
                while (wait := await self._take_turn(provider)) > 0:
                    if wait > patience_seconds:
                        raise ConsentApiUnavailableError(counter.why_not, retry_after_seconds=wait)
                    await counter.returned.wait(min(wait, _LOOK_AGAIN_SECONDS))
        except TimeoutError:
            raise ConsentApiUnavailableError(ledgers.BUSY) from None
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
            raise ConsentApiUnavailableError(ledgers.BUSY) from None

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
                    ledger = await self._store.transact(partial(ledgers.fold, provider, self.now, outcomes))
                self._note(provider, ledger)
        finally:
            counter.is_writing = False

    async def hold_back(self, provider: Provider, seconds: float) -> None:
        """The provider asked to be left alone for so long; all processes do."""
        await self._store.transact(partial(ledgers.hold, provider, self.now, seconds))

    async def room(self, provider: Provider) -> int:
        """How many questions may be sent now."""
        facts = await self._store.provider_facts([provider.id], self.now, self._clock.now())
        return ledgers.room_in(provider, facts[provider.id].ledger).urgent

    # ------------------------------------------------------------------------------------------ inside

    async def _take_turn(self, provider: Provider) -> float:
        """Take a turn, or say for how many seconds there will be none."""
        counter = self._counters[provider.id]
        if counter.turns and self._clock.monotonic() - counter.taken_at <= _FRESH_SECONDS:
            counter.turns -= 1
            return 0
        with counter.told() as outcomes:
            taking = partial(ledgers.take_turns, provider, self.now, outcomes, counter.waiting)
            turns, wait, ledger = await self._store.transact(taking)
        self._note(provider, ledger)
        counter.turns, counter.taken_at = max(0, turns - 1), self._clock.monotonic()
        counter.why_not = ledgers.why_not(provider, ledger)
        return 0 if turns else max(wait, _SHORTEST_WAIT_SECONDS)

    async def _take_first(self, provider: Provider) -> float:
        """Take room for one question before all others, or say for how many seconds there will be none."""
        counter = self._counters[provider.id]
        with counter.told() as outcomes:
            taking = partial(ledgers.take_first, provider, self.now, outcomes)
            is_taken, wait, ledger = await self._store.transact(taking)
        self._note(provider, ledger)
        counter.why_not = ledgers.why_not(provider, ledger)
        return 0 if is_taken else max(wait, _SHORTEST_WAIT_SECONDS)

    def _note(self, provider: Provider, ledger: Ledger) -> None:
        counter = self._counters[provider.id]
        was_tried, counter.is_tried = counter.is_tried, ledger.breaker.state is not BreakerState.CLOSED
        known = {"provider": provider.id}
        if counter.is_tried and not was_tried:
            _log.warning("%s fails again and again: it is asked one question at a time", provider.id, extra=known)
        elif was_tried and not counter.is_tried:
            _log.info("%s answers again", provider.id, extra=known)
