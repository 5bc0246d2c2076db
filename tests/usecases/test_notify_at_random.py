"""Whatever an endpoint does and whenever we fall over: all is told or given up, and each consent's story in its order."""

import asyncio
import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from tests.usecases.telling import Telling, first_deliveries, telling
from tracker.domain.errors import StorageError
from tracker.domain.manner import Manner, Order
from tracker.domain.subscription import EntryFilter, SubscriptionState
from tracker.journal.entry import Entry

CONSENTS = 5
NEVER_POISONED = 99
UNHEARD = "payment.status_changed"

Step = tuple[str, Any]

appends = st.tuples(st.just("append"), st.integers(1, 25))
moods = st.tuples(
    st.just("mood"), st.sampled_from(["fine", "500", "503", "400", "401", "0", "429:40", "503:90", "flaky", "mostly"])
)
waits = st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0, 20.0, 200.0, 2_000.0, 20_000.0]))
crashes = st.tuples(st.just("crash"), st.integers(1, 3))
stops = st.tuples(st.just("stop"), st.integers(1, 8))
changes = st.tuples(
    st.just("change"), st.builds(Manner, order=st.sampled_from(Order), most_in_flight=st.integers(1, 64))
)
plans = st.lists(st.one_of(appends, moods, waits, crashes, stops), min_size=4, max_size=16)
plans_with_changes = st.lists(st.one_of(appends, moods, waits, crashes, stops, changes), min_size=4, max_size=16)
shares = st.sampled_from([0.0, 0.05, 0.3])


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans, poisoned_share=shares, seed=st.integers(0, 2**32))
@example(
    plan=[("append", 9), ("wait", 2_000.0), ("mood", "500"), ("append", 9), ("crash", 1), ("wait", 20_000.0)],
    poisoned_share=0.3,
    seed=1,
)
@example(
    plan=[
        ("stop", 2),
        ("mood", "flaky"),
        ("stop", 5),
        ("crash", 1),
        ("mood", "mostly"),
        ("crash", 2),
        ("wait", 2_000.0),
    ],
    poisoned_share=0.05,
    seed=2,
)
def test_all_is_told_or_given_up_and_in_order(
    template_database: Path, plan: list[Step], poisoned_share: float, seed: int
) -> None:
    asyncio.run(_play(template_database, plan, poisoned_share, random.Random(seed)))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans_with_changes, poisoned_share=shares, seed=st.integers(0, 2**32))
@example(
    plan=[("append", 25), ("mood", "flaky"), ("stop", 3), ("change", Manner()), ("crash", 2), ("wait", 2_000.0)],
    poisoned_share=0.3,
    seed=1,
)
@example(
    plan=[("mood", "mostly"), ("append", 25), ("stop", 2), ("mood", "500"), ("wait", 3.0), ("crash", 1)],
    poisoned_share=0.05,
    seed=2,
)
def test_without_order_all_is_told_or_given_up_too_and_after_any_change_of_that(
    template_database: Path, plan: list[Step], poisoned_share: float, seed: int
) -> None:
    asyncio.run(_play(template_database, plan, poisoned_share, random.Random(seed), Order.NONE))


async def _play(
    template_database: Path,
    plan: list[Step],
    poisoned_share: float,
    dice: random.Random,
    order: Order = Order.CONSENT,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with telling(Path(shutil.copy(template_database, folder))) as world:
            await world.subscribe(entry_filter=EntryFilter(types=("consent.*",)), manner=Manner(order=order))
            play = Play(world, poisoned_share, dice, is_ordered=order is Order.CONSENT)
            for step, detail in plan:
                await play.take(step, detail)
            play.mood = "fine"
            await world.turns(3_700)  # the longest wait of a failing endpoint
            for _ in range(200):
                # What is poisoned and comes last can make the endpoint look down: the next entry that is taken shows better.
                if await play.is_over():
                    break
                play.note(await world.append(NEVER_POISONED))
                await world.turns(300)
            await play.check()


class Play:
    """One plan, played. What is poisoned stays so; moods change."""

    def __init__(self, world: Telling, poisoned_share: float, dice: random.Random, *, is_ordered: bool) -> None:
        self.is_ordered = is_ordered
        self.world = world
        self.dice = dice
        self.poisoned_share = poisoned_share
        self.mood = "fine"
        self.heard: dict[int, str] = {}
        self.poison: dict[int, str] = {}
        world.subscriber.answer = self.answer

    def note(self, entries: list[Entry]) -> None:
        self.heard |= {entry.sequence: entry.tracking_id for entry in entries}

    async def append(self, count: int) -> None:
        entries = await self.world.append(*[self.dice.randint(1, CONSENTS) for _ in range(count)])
        self.note(entries)
        for entry in entries:
            if self.dice.random() < self.poisoned_share:
                self.poison[entry.sequence] = self.dice.choice(["400", "422", "500", "0", "302"])
        await self.world.append(1, type=UNHEARD)

    def answer(self, entry: dict[str, Any]) -> int | str:
        bad = self.poison.get(int(entry["sequence"]))
        if bad is not None:
            return bad
        if self.mood == "flaky":
            return self.dice.choice(["500", "0", "422", "204"])
        if self.mood == "mostly":
            return self.dice.choice(["204", "204", "204", "503"])
        return "204" if self.mood == "fine" else self.mood

    async def take(self, step: str, detail: Any) -> None:
        if step == "mood":
            self.mood = detail
        elif step == "wait":
            await self.world.turns(detail)
        elif step == "append":
            await self.append(detail)
            await self.world.turn()
        elif step == "change":
            await self.append(15)
            await _stop(self.world, self.dice.randint(1, 8))
            before = await self.world.saved()
            changed = replace(before, manner=detail)
            assert await self.world.real_store.change_subscription(changed, before.version)
        elif step == "crash":
            await self.append(15)
            await _crash(self.world, detail)
        else:
            await self.append(15)
            await _stop(self.world, detail)

    async def is_over(self) -> bool:
        saved, head = await self.world.saved(), await self.world.real_store.head()
        return saved.state is SubscriptionState.ACTIVE and saved.cursor == head and not await self.world.parked()

    async def check(self) -> None:
        saved = await self.world.saved()
        assert saved.state is SubscriptionState.ACTIVE
        assert saved.cursor == await self.world.real_store.head()
        assert await self.world.parked() == {}
        taken = self.world.subscriber.taken
        told, lost = set(taken), set(self.world.dead_letters())
        assert told | lost == set(self.heard)
        for consent in set(self.heard.values()) if self.is_ordered else ():
            story = first_deliveries(s for s in taken if self.heard[s] == consent)
            assert story == sorted(story)
        assert self.world.subscriber.overlaps == [] or not self.is_ordered
        event(f"overlaps {bool(self.world.subscriber.overlaps)}")
        event(f"given up {bool(lost)}, repeated {len(taken) > len(told)}")


async def _crash(world: Telling, at_save: int) -> None:
    """Lose everything that is not in the store, where something was about to be written."""
    left = at_save

    def fail(name: str) -> None:
        nonlocal left
        left -= name == "save_progress"
        if left <= 0:
            raise StorageError

    world.store.on_call = fail
    try:
        for _ in range(at_save + 1):
            await world.turn()
            world.clock.advance(5)
    except StorageError:
        event("crashed")
    world.store.on_call = lambda _: None
    world.restart()


async def _stop(world: Telling, after_posts: int) -> None:
    """Stop in the middle of a turn."""
    turn = asyncio.create_task(world.turn())
    enough = len(world.subscriber.posts) + after_posts
    while not turn.done() and len(world.subscriber.posts) < enough:
        await asyncio.sleep(0)
    turn.cancel()
    try:
        await turn
    except asyncio.CancelledError:
        event("stopped")
    world.restart()
