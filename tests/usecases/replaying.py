"""A subscriber that is told again, beside the one loop that tells it what is new; moved by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from tests.usecases.telling import SUBSCRIPTION, Interrupted, NoJitter, Telling, telling
from tracker.adapters.clock import SystemIds
from tracker.domain.replay import Replay
from tracker.domain.subscription import Parked
from tracker.ports import Progress, ReplayBook, Store
from tracker.usecases.leasing import Leasing
from tracker.usecases.replaying import Replayer
from tracker.usecases.replays import ReplayRequest, Replays
from tracker.usecases.rerun import ReplayPorts
from tracker.usecases.stream import Turn
from tracker.usecases.wake import Bell


class Retelling:
    """All of it. `world` tells what is new, this what is asked for again."""

    def __init__(self, world: Telling) -> None:
        self.world = world
        self.book = Interrupted(world.real_store.replays)
        self.changed = Bell()
        self.replays = Replays(
            store=cast("Store", world.store),
            book=cast("ReplayBook", self.book),
            clock=world.clock,
            ids=SystemIds(),
            changed=self.changed,
        )
        self.replayer = self.restart()

    def ports(self, **changes: Any) -> ReplayPorts:
        facts: dict[str, Any] = {
            "store": self.world.store,
            "book": self.book,
            "sender": self.world.sender,
            "clock": self.world.clock,
            "entropy": NoJitter(),
            "grace_seconds": 0.2,
        }
        return ReplayPorts(**facts | changes)

    def restart(self, leasing: Leasing | None = None, **changes: Any) -> Replayer:
        """A new one, as after a crash: it knows what is in the store."""
        self.replayer = Replayer(self.ports(**changes), self.changed, leasing)
        return self.replayer

    async def ask(self, **request: Any) -> Replay:
        return await self.replays.ask(SUBSCRIPTION, ReplayRequest(**{"per_second": 100} | request))

    async def turn(self) -> Turn:
        return await self.replayer.run_once(SUBSCRIPTION)

    async def turns(self, seconds: float = 60) -> Turn:
        """Turn after turn, until it is over or so much time has passed."""
        clock = self.world.clock
        end = clock.monotonic() + seconds
        while True:
            turn = await self.turn()
            left = end - clock.monotonic()
            if turn.is_over or left <= 0:
                return turn
            due = 5.0 if turn.next_at is None else (turn.next_at - clock.now()).total_seconds()
            clock.advance(min(left, max(due, 0.001)))

    async def now(self, replay: Replay) -> Replay:
        return await self.replays.get(SUBSCRIPTION, replay.id)

    async def counted(self, replay: Replay) -> tuple[int, int, int, str]:
        found = await self.now(replay)
        return found.done, found.failed, found.skipped, found.state.value

    async def give_up(self, *sequences: int, consent: str = "t", seconds: float = 0) -> None:
        """Make dead letters of entries that the subscription has gone past."""
        from datetime import timedelta

        at = self.world.clock.now() + timedelta(seconds=seconds)
        rows = [
            Parked(sequence=n, tracking_id=consent, attempts=6, next_attempt_at=at, last_error="400") for n in sequences
        ]
        saved = await self.world.saved()
        assert await self.world.real_store.save_progress(Progress(subscription=saved, given_up=tuple(rows)))


@asynccontextmanager
async def retelling(database: Path) -> AsyncIterator[Retelling]:
    async with telling(database) as world:
        yield Retelling(world)
