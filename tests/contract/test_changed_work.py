"""What a subscriber had to do before its terms changed it has to do after: on either database, however slow we are."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from tests.contract.facts import NewDatabase
from tests.contract.test_completions import ENDS, World
from tracker.adapters.clock import SystemEntropy, SystemIds
from tracker.domain.subscription import EntryFilter
from tracker.usecases.subscribe import SubscriptionChanges, Subscriptions
from tracker.usecases.wake import Bell


@pytest_asyncio.fixture
async def world(new_database: NewDatabase) -> AsyncIterator[World]:
    opened = new_database()
    stores = [opened(), opened()]
    yield World(stores)
    for store in stores:
        await store.close()


def changing(world: World) -> Subscriptions:
    return Subscriptions(
        store=world.store,
        clock=world.clock,
        ids=SystemIds(),
        entropy=SystemEntropy(),
        check_url=lambda _: None,
        changed=Bell(),
    )


@pytest.mark.parametrize(
    "changes",
    [
        SubscriptionChanges(others={"completion": replace(ENDS, within=timedelta(hours=2))}),
        SubscriptionChanges(others={"completion": None}),
        SubscriptionChanges(types=("provider.*",)),
        SubscriptionChanges(only=EntryFilter(to=frozenset({"Consumed"}))),
    ],
    ids=["other terms", "no terms", "other types", "another filter"],
)
async def test_what_was_asked_for_before_a_change_is_due_also_if_nobody_had_looked(
    world: World, changes: SubscriptionChanges
) -> None:
    await world.subscribe(entry_filter=EntryFilter(types=("*",)))
    (end,) = await world.move("a")
    await changing(world).change(world.subscription.id, changes, lambda _: None)
    (later,) = await world.move("b")
    await world.processes[1].run_once()
    due = {sequence for sequence, *_ in await world.work()}
    assert end.sequence in due
    is_asked = isinstance(changes.others.get("completion"), type(ENDS))
    assert (later.sequence in due) is is_asked


async def test_one_with_a_long_journal_behind_it_is_changed_all_the_same(world: World) -> None:
    await world.subscribe(entry_filter=EntryFilter(types=("*",)))
    names: list[Any] = ["a"] * 600
    entries = await world.move(*names)
    await changing(world).change(
        world.subscription.id, SubscriptionChanges(others={"completion": None}), lambda _: None
    )
    await world.processes[1].run_once()
    due = await world.store.find_work((world.subscription.id, entries[-1].sequence, "data_deleted"))
    assert due is not None
