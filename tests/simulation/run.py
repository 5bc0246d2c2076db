"""Runs one provider's scenario: its life goes on, events come in, the tracker's deeds are done when they are due.

The use cases, the judge and the schedule are the product's own; the worker's ticks are kept here, on the same grid of one
second, as its scheduler waits in real time.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

from tests.simulation import holders
from tests.simulation.chance import START, Scenario, is_in
from tests.simulation.holder import SECOND, Life
from tests.simulation.ledger import Figures, Ledger
from tests.simulation.memory import MemoryStore
from tests.simulation.office import Chore, CountedIds, Staff, hire
from tests.simulation.simulated_time import SimulatedClock, simulate
from tests.simulation.witness import Broken, Notes, Queue, WatchedStore, Witness
from tests.usecases.bench import UAE
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.condition import HEALTHY
from tracker.domain.errors import ConsentApiError
from tracker.journal.entry import Entry
from tracker.ports import InboxItem
from tracker.usecases.heard import Opened
from tracker.usecases.opening import NeedsKey
from tracker.usecases.register import Registration
from tracker.usecases.wake import Bell

OpenStore = Callable[[], AbstractAsyncContextManager[Any]]
_LONGEST_PAUSE_SECONDS = 15.0
_SETTLED = timedelta(minutes=20)  # whoever asked to be left alone has been


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        figures: What was added up.
        broken: What must never be so, and was.
        account: What the provider was asked.
        journal: Everything told.
    """

    figures: Figures
    broken: list[Broken]
    account: holders.Account
    journal: list[Entry]


@asynccontextmanager
async def in_memory() -> AsyncIterator[MemoryStore]:
    """A store in memory."""
    yield MemoryStore()


def on_disk(path: Path) -> OpenStore:
    """The store on a SQLite file with the newest schema."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[SqlStore]:
        store = SqlStore(SqliteDatabase(path), SystemIds())
        try:
            yield store
        finally:
            await store.close()

    return opened


def run(scenario: Scenario, open_store: OpenStore = in_memory) -> Outcome:
    """Simulate one provider."""
    log = logging.getLogger("tracker")
    level = log.level
    log.setLevel(logging.CRITICAL)  # what fails is worth a line, and it is a lot

    async def story() -> Outcome:
        async with open_store() as store:
            return await _Run(scenario, store).whole()

    try:
        return simulate(story)
    finally:
        log.setLevel(level)


class _Run:
    def __init__(self, scenario: Scenario, store: Any) -> None:
        self._scenario = scenario
        self._clock = SimulatedClock(START)
        self._ledger = Ledger(scenario, self._clock)
        lives = {life.consent_id: life for life in scenario.lives}
        rules = {name: kind.rules for name, kind in UAE.kinds.items()}
        self._witness = Witness(lives, rules, self._clock, self._ledger.saved)
        self._inner = store
        self._store = WatchedStore(store, self._witness)
        self._holder = holders.SimulatedHolder(scenario, self._clock, self._ledger.asked, self._ledger.sent)
        self._staff: Staff = hire(scenario.provider, self._store, self._holder, self._clock, scenario.options)
        self._witness.due_at, self._witness.on_notes = self._staff.due_at, self._note_chores
        self._chores = [(chore, Queue()) for chore in self._staff.chores]
        self._condition = HEALTHY
        self._ids = CountedIds()

    async def whole(self) -> Outcome:
        """From the first day to the last, and one more answer about each."""
        deeds = [self._ask(), self._let_the_clock_speak(), self._go_on()]
        deeds += [self._do(chore, queue) for chore, queue in self._chores]
        standing = [asyncio.create_task(deed) for deed in deeds]
        end = asyncio.create_task(self._clock.until(self._scenario.options.end))
        done, _ = await asyncio.wait([*standing, end], return_when=asyncio.FIRST_COMPLETED)
        while end not in done:
            for task in done:
                task.result()  # the world has told all that it had to tell, or something broke
                standing.remove(task)
            done, _ = await asyncio.wait([*standing, end], return_when=asyncio.FIRST_COMPLETED)
        figures = self._ledger.close()
        for task in standing:
            task.cancel()
        await asyncio.gather(*standing, return_exceptions=True)
        await self._settle()
        journal = await self._store.entries_after(0, 10_000_000)
        return Outcome(figures, self._witness.broken, self._holder.account, journal)

    # ------------------------------------------------------------------------------------------ the world

    async def _go_on(self) -> None:
        """Registrations and events, in the order in which they come."""
        steps: list[tuple[datetime, int, Callable[[], Any]]] = []
        for life in self._scenario.lives:
            steps.append((life.registered_at, len(steps), lambda life=life: self._register(life)))
            for number, move in enumerate(life.moves):
                for sent in move.deliveries:
                    at = move.at + sent.after
                    if not is_in(self._scenario.weather.silent, at):
                        minted = move.at + sent.minted_after
                        deed = lambda life=life, n=number, minted=minted: self._receive(life, n, minted)
                        steps.append((at, len(steps), deed))
        for at, _, deed in sorted(steps, key=lambda step: step[:2]):
            await self._clock.until(at)
            await deed()

    async def _register(self, life: Life) -> None:
        await self._staff.registrar.register(
            Registration(
                provider=self._scenario.provider,
                kind=life.kind,
                consent_id=life.consent_id,
                base_consent_id=life.base_consent_id,
                expiration_date_time=life.expires if life.says_expiry else None,
                authorization_expiration_date_time=life.authorization_expires,
            )
        )

    async def _receive(self, life: Life, number: int, minted: datetime) -> None:
        item = InboxItem(
            id=self._ids.ordered(),
            profile=UAE.name,
            body=holders.event(self._scenario.provider, life, number, minted),
            received_at=self._clock.now(),
            interaction_id=self._ids.random(),
        )
        await self._store.admit(item)
        outcome = self._staff.opener.open(item)
        if isinstance(outcome, NeedsKey):
            raise TypeError("The key is at hand.")
        await self._staff.recorder.record(
            [Opened(inbox_id=item.id, interaction_id=item.interaction_id, outcome=outcome)]
        )

    # ------------------------------------------------------------------------------------------ the worker's ticks

    async def _ask(self) -> None:
        pause, bell = 1.0, self._staff.ask_bell
        while True:
            rings = bell.rings
            asked = await self._staff.asker.run_once(self._scenario.provider)
            pause = 1.0 if asked else min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await self._rest(self._witness.asks, pause, bell, rings)

    async def _let_the_clock_speak(self) -> None:
        nobody = Bell()
        while True:
            await self._staff.expiry.run_once()
            await self._rest(self._witness.ticks, 1.0, nobody, 0)

    def _note_chores(self, notes: Notes) -> None:
        now = self._clock.now()
        for chore, queue in self._chores:
            for at in chore.wanted(notes, now):
                queue.put(f"{at}", at)

    async def _do(self, chore: Chore, queue: Queue) -> None:
        """Look when there may be something to do, on the grid on which the worker looks."""
        nobody = Bell()
        while True:
            begun = self._clock.now()
            await chore.run()
            if self._staff.condition() != self._condition:
                self._condition = self._staff.condition()
                self._ledger.turned(self._condition)
                self._witness.look_again()
            queue.drop(begun)
            if chore.again_seconds is not None:
                queue.put("again", begun + timedelta(seconds=chore.again_seconds))
            await self._rest(queue, chore.every_seconds, nobody, 0)
            await asyncio.sleep(-self._clock.monotonic() % chore.every_seconds)

    async def _rest(self, queue: Queue, pause: float, bell: Bell, rings: int) -> None:
        """Wait for the tick in which something will be due, or for the bell; what is due already waits for the budget."""
        begun = self._clock.monotonic()
        while bell.rings == rings:
            due = queue.next()
            if due is not None and due <= self._clock.now():
                until = begun + pause
            else:
                until = None if due is None else float(ceil((due - START) / SECOND))
            left = None if until is None else until - self._clock.monotonic()
            if left is not None and left <= 0:
                return
            waits = {bell.next_ring(rings), queue.earlier_than(due)}
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    # ------------------------------------------------------------------------------------------ the end

    async def _settle(self) -> None:
        """After one more answer past the settling time, what we know is what the holder's record says."""
        self._holder.is_calm = True
        await asyncio.sleep(_SETTLED.total_seconds())
        for case in self._witness.cases.values():
            if case.latest is None:
                continue
            await asyncio.sleep(2 / self._scenario.options.requests_per_second)  # within the budget that it has
            try:
                consent = await self._staff.asker.ask_now(case.latest.consent.tracking_id)
            except ConsentApiError as error:
                self._witness.break_(case, f"cannot be asked about after the end: {error}")
                continue
            true = self._holder.true_status(case.life)
            if consent.decision(case.rules).status is not true:
                self._witness.break_(case, f"is {consent.told.status} after a last answer, and truly {true}")
