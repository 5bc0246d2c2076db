"""Whatever is asked for, whatever is refused and whenever we fall over: a job tells what a plain model says, in order."""

import asyncio
import random
import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.usecases.replaying import Retelling, retelling
from tests.usecases.telling import SUBSCRIPTION
from tracker.domain.errors import InvalidRequestError, StorageError
from tracker.domain.subscription import EntryFilter, Parked
from tracker.ports import Progress
from tracker.usecases.rerun import WINDOW

TYPES = ("consent.status_changed", "consent.registered", "payment.status_changed")
CONSENTS = 4


@dataclass(frozen=True)
class Plan:
    """A journal, where the subscription is in it, and what is asked for."""

    types: list[int]
    consents: list[int]
    cursor_share: float
    dead: set[int]
    parked: set[int]
    poisoned: set[int]
    request: dict[str, Any]
    per_second: int
    crashes: list[int]


numbers = st.integers(1, 90)
requests = st.one_of(
    st.fixed_dictionaries({"sequences": st.lists(numbers, min_size=1, max_size=40)}),
    st.just({"is_missing": True}),
    st.fixed_dictionaries({"since": st.integers(0, 90), "until": st.integers(0, 120)}),
    st.fixed_dictionaries({"from_sequence": numbers}, optional={"to_sequence": numbers}),
    st.fixed_dictionaries({"from_time": st.integers(0, 120)}, optional={"to_sequence": numbers}),
)
plans = st.builds(
    Plan,
    types=st.lists(st.integers(0, 2), min_size=90, max_size=90),
    consents=st.lists(st.integers(1, CONSENTS), min_size=90, max_size=90),
    cursor_share=st.sampled_from([0.1, 0.5, 1.0]),
    dead=st.sets(numbers, max_size=30),
    parked=st.sets(numbers, max_size=10),
    poisoned=st.sets(numbers, max_size=8),
    request=requests,
    per_second=st.sampled_from([3, 100]),
    crashes=st.lists(st.integers(1, 4), max_size=3),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans, seed=st.integers(0, 2**32))
def test_a_job_tells_what_a_plain_model_says(template_database: Path, plan: Plan, seed: int) -> None:
    asyncio.run(_play(template_database, plan, random.Random(seed)))


def chosen(plan: Plan, cursor: int) -> list[int] | None:
    """What is to be looked at; None if that cannot be asked for. Entry and dead letter N are of second N."""
    asked, dead = plan.request, sorted(n for n in plan.dead if n <= cursor)
    if "sequences" in asked:
        return sorted(set(asked["sequences"])) if max(asked["sequences"]) <= cursor else None
    if "is_missing" in asked:
        return dead
    if "since" in asked:
        return [n for n in dead if asked["since"] <= n < asked["until"]] if asked["since"] < asked["until"] else None
    first = asked.get("from_sequence", max(1, asked.get("from_time", 1)))
    last = min(asked.get("to_sequence", cursor), cursor)
    if "from_sequence" in asked and not (first <= cursor and first <= asked.get("to_sequence", first)):
        return None
    return list(range(first, last + 1))


async def _play(template_database: Path, plan: Plan, dice: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with retelling(Path(shutil.copy(template_database, folder))) as again:
            await _check(again, plan, dice)


async def _check(again: Retelling, plan: Plan, dice: random.Random) -> None:
    world = again.world
    start = world.clock.now()
    for type_, consent in zip(plan.types, plan.consents, strict=True):
        world.clock.advance(1)
        await world.append(consent, type=TYPES[type_])
    cursor = int(90 * plan.cursor_share)
    await world.subscribe(cursor=cursor, entry_filter=EntryFilter(types=("consent.*",)))
    dead, parked = sorted(n for n in plan.dead if n <= cursor), {n for n in plan.parked - plan.dead if n <= cursor}
    rows = {
        n: Parked(sequence=n, tracking_id="t", attempts=1, next_attempt_at=start + timedelta(seconds=n))
        for n in [*dead, *parked]
    }
    saved = await world.saved()
    given_up = tuple(rows[n] for n in dead)
    progress = Progress(subscription=saved, park=tuple(rows[n] for n in parked), given_up=given_up)
    assert await world.real_store.save_progress(progress)
    world.clock.advance(60)
    times = {
        name: start + timedelta(seconds=plan.request[name])
        for name in ("since", "until", "from_time")
        if name in plan.request
    }
    request: dict[str, Any] = {**plan.request, **times, "per_second": plan.per_second}
    if "sequences" in request:
        request["sequences"] = tuple(request["sequences"])
    expected = chosen(plan, cursor)
    try:
        replay = await again.ask(**request)
    except InvalidRequestError:
        assert expected is None
        return
    assert expected is not None
    assert replay.total == len(expected)
    heard = [n for n in expected if TYPES[plan.types[n - 1]].startswith("consent.") and n not in parked]

    def answer(entry: dict[str, Any]) -> int:
        return 400 if int(entry["sequence"]) in plan.poisoned else 204

    world.subscriber.answer = answer
    repeats = 0
    for crash in plan.crashes:
        repeats += await _crash(again, crash, stops=dice.random() < 0.5)
    assert (await again.turns(3_600)).is_over
    taken = world.subscriber.taken
    told, failed = set(heard) - plan.poisoned, set(heard) & plan.poisoned
    assert set(taken) == told
    assert set(world.subscriber.tried) == set(heard)
    assert len(taken) - len(told) <= repeats * WINDOW
    assert await again.counted(replay) == (len(told), len(failed), len(expected) - len(heard), "done")
    assert set(world.dead_letters()) == set(dead) - told
    assert [one.sequence for one in await again.replays.not_taken(await again.now(replay))] == sorted(failed)
    for consent in range(1, CONSENTS + 1):
        own = [n for n in taken if plan.consents[n - 1] == consent]
        assert list(dict.fromkeys(own)) == sorted(set(own))
    assert world.subscriber.overlaps == []
    assert {row.sequence for row in await world.real_store.parked(SUBSCRIPTION)} == parked
    event(f"told {bool(told)}, failed {bool(failed)}, repeated {len(taken) > len(told)}")


async def _crash(again: Retelling, at_save: int, *, stops: bool) -> int:
    """Lose all that is not in the store, where something was about to be written; or stop in an orderly way."""
    left = at_save

    def fail(name: str) -> None:
        nonlocal left
        left -= name == "save"
        if left <= 0:
            raise StorageError

    if stops:
        running = asyncio.create_task(again.turn())
        enough = len(again.world.subscriber.posts) + at_save
        while not running.done() and len(again.world.subscriber.posts) < enough:
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running})
        if rerun := again.replayer._reruns.pop(SUBSCRIPTION, None):
            await rerun.leave()
    else:
        again.book.on_call = fail
        try:
            await again.turns(30)
        except StorageError:
            event("crashed")
        again.book.on_call = lambda _: None
    again.restart()
    return 1
