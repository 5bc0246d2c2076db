"""Our clock is set forward and back, by up to ten days, at any time: whoever works again is told all, within about an hour."""

import asyncio
import random
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from tests.usecases.telling import Telling, subscriptions, telling
from tests.usecases.test_notify_at_random import Play, Step, appends, moods, shares, stops, waits
from tracker.domain.manner import Attempts, Manner
from tracker.domain.subscription import EntryFilter, SubscriptionState

clocks = st.tuples(
    st.just("clock"),
    st.one_of(
        st.sampled_from([-10.0, -3.5, -1.0, -0.2, -0.01, 0.01, 0.2, 1.0, 3.5, 10.0]),
        st.floats(-10, 10, allow_nan=False, width=16),
    ),
)
restarts = st.tuples(st.just("restart"), st.none())
days = st.tuples(st.just("wait"), st.sampled_from([86_400.0, 300_000.0]))
plans = st.lists(
    st.one_of(clocks, clocks, appends, moods, moods, waits, days, stops, restarts), min_size=4, max_size=20
)

FAILS_QUICKLY = Attempts(alone_seconds=(5, 15), down_seconds=(1, 5, 30, 600), disable_after_seconds=3_600)
LONGEST_WAIT = 4_000.0
"""After an hour at most the endpoint is tried again."""


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    plan=plans,
    attempts=st.sampled_from([Attempts(), FAILS_QUICKLY]),
    poisoned_share=shares,
    seed=st.integers(0, 2**32),
)
@example(  # who began anew took the wait of a clock that had been ahead for its own
    plan=[("append", 9), ("mood", "429:40"), ("append", 5), ("clock", -0.2), ("restart", None)],
    attempts=Attempts(),
    poisoned_share=0.0,
    seed=1,
)
@example(
    plan=[("clock", 3.5), ("mood", "500"), ("append", 5), ("wait", 200.0), ("clock", -1.0), ("stop", 8)],
    attempts=FAILS_QUICKLY,
    poisoned_share=0.3,
    seed=2,
)
def test_whatever_the_clock_does_whoever_works_again_is_told_all(
    template_database: Path, plan: list[Step], attempts: Attempts, poisoned_share: float, seed: int
) -> None:
    asyncio.run(_play(template_database, plan, attempts, poisoned_share, random.Random(seed)))


async def _play(
    template_database: Path, plan: list[Step], attempts: Attempts, poisoned_share: float, dice: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with telling(Path(shutil.copy(template_database, folder))) as world:
            await world.subscribe(entry_filter=EntryFilter(types=("consent.*",)), manner=Manner(attempts=attempts))
            play = Play(world, poisoned_share, dice, is_ordered=True)
            for step, detail in plan:
                if step == "clock":
                    world.clock.set(world.clock.now() + timedelta(days=detail))
                elif step == "restart":
                    world.restart()
                else:
                    await play.take(step, detail)
            play.mood, play.poisoned_share = "fine", 0.0
            play.poison.clear()
            await _resume(world)
            await world.turns(LONGEST_WAIT)
            for _ in range(3):  # what a dead letter's consent has left, and where the cursor stands
                await world.turns(400)
            await play.check()


async def _resume(world: Telling) -> None:
    if (await world.saved()).state is SubscriptionState.DISABLED:
        event("disabled")
        await subscriptions(world).resume((await world.saved()).id, lambda _: None)
        world.restart()
