"""Leases: one holder at a time, epochs that fence the others off, and items of the inbox that one process has in hand."""

import asyncio

import pytest

from tests.contract.facts import NewDatabase, a_subscription, an_item, at
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import LeaseLostError
from tracker.ports import Held, Progress, subscription_lease


async def test_only_one_holds_a_lease_until_it_lets_go(store: SqlStore) -> None:
    assert await store.hold_leases("one", ["a", "b"], 60) == {"a": Held("a", 1), "b": Held("b", 1)}
    assert await store.hold_leases("other", ["a", "b", "c"], 60) == {"c": Held("c", 1)}
    await store.release_leases("one", ["a"])
    assert await store.hold_leases("other", ["a", "b"], 60) == {"a": Held("a", 2)}
    assert await store.hold_leases("one", ["a", "b"], 60) == {"b": Held("b", 1)}
    assert await store.hold_leases("one", [], 60) == {}


async def test_who_renews_keeps_the_epoch_even_after_it_had_run_out(store: SqlStore) -> None:
    await store.hold_leases("one", ["a"], 0)
    assert await store.hold_leases("one", ["a"], 60) == {"a": Held("a", 1)}


async def test_what_has_run_out_is_anybodys_and_the_epoch_rises(store: SqlStore) -> None:
    await store.hold_leases("one", ["a"], 0)
    assert await store.hold_leases("other", ["a"], 60) == {"a": Held("a", 2)}
    assert await store.hold_leases("one", ["a"], 60) == {}


async def test_nobody_lets_go_of_what_is_anothers(store: SqlStore) -> None:
    await store.hold_leases("one", ["a"], 60)
    await store.release_leases("other", ["a", "unknown"])
    assert await store.hold_leases("other", ["a"], 60) == {}


async def test_what_is_held_now_is_known_to_all(store: SqlStore) -> None:
    await store.hold_leases("one", ["process one"], 60)
    await store.hold_leases("other", ["process other", "a"], 60)
    await store.hold_leases("third", ["process third"], 0)
    assert await store.held_leases() == {"process one", "process other", "a"}
    await store.release_leases("other", ["process other"])
    assert await store.held_leases() == {"process one", "a"}


async def test_they_outlive_the_process(new_database: NewDatabase) -> None:
    open_store = new_database()
    first = open_store()
    await first.hold_leases("one", ["a"], 60)
    await first.close()
    second = open_store()
    assert await second.hold_leases("other", ["a"], 60) == {}
    await second.close()


async def test_progress_by_a_lease_that_was_lost_is_refused(store: SqlStore) -> None:
    told = a_subscription(cursor=5)
    await store.add_subscription(told)
    name = subscription_lease(told.id)
    held = (await store.hold_leases("one", [name], 0))[name]
    assert await store.save_progress(Progress(subscription=told, held=held))
    newer = (await store.hold_leases("other", [name], 60))[name]
    with pytest.raises(LeaseLostError):
        await store.save_progress(Progress(subscription=a_subscription(id=told.id, cursor=3), held=held))
    assert await store.get_subscription(told.id) == told
    assert await store.save_progress(Progress(subscription=told, held=newer))


async def test_a_subscription_that_is_deleted_takes_its_lease_along(store: SqlStore) -> None:
    told = a_subscription()
    await store.add_subscription(told)
    name = subscription_lease(told.id)
    held = (await store.hold_leases("one", [name], 60))[name]
    await store.delete_subscription(told.id)
    with pytest.raises(LeaseLostError):
        await store.save_progress(Progress(subscription=told, held=held))


async def test_what_one_process_has_in_hand_another_is_not_given(store: SqlStore) -> None:
    first, second, third = (an_item(n) for n in (1, 2, 3))
    for item in (first, second):
        await store.admit(item)
    assert await store.claim_inbox(at(5), 10, 60) == [first, second]
    await store.admit(third)
    assert await store.claim_inbox(at(5), 10, 60) == [third]
    assert await store.claim_inbox(at(5), 10, 60) == []
    assert (await store.inbox_depth())[0] == 3


async def test_what_is_put_off_is_free_again_when_it_is_due(store: SqlStore) -> None:
    await store.admit(an_item(1))
    (item,) = await store.claim_inbox(at(5), 10, 60)
    await store.postpone([item.id], at(10))
    assert await store.claim_inbox(at(9), 10, 60) == []
    assert [found.id for found in await store.claim_inbox(at(10), 10, 60)] == [item.id]


async def test_what_a_dead_process_had_in_hand_is_given_to_another(store: SqlStore) -> None:
    await store.admit(an_item(1))
    (item,) = await store.claim_inbox(at(5), 10, 0.001)
    found: list[str] = []
    while not found:
        found = [one.id for one in await store.claim_inbox(at(5), 10, 60)]
    assert found == [item.id]


async def test_an_item_is_taken_out_once(store: SqlStore) -> None:
    await store.admit(an_item(1))
    (item,) = await store.claim_inbox(at(5), 10, 0)
    assert await store.transact(lambda transaction: transaction.take_from_inbox([item.id, "unknown"])) == {item.id}
    assert await store.transact(lambda transaction: transaction.take_from_inbox([item.id])) == set()


async def test_what_a_dead_process_held_is_anybodys_soon_though_the_database_clock_was_stepped_back(
    store: SqlStore,
) -> None:
    """By the clock as it is now its leases last for an hour: nobody would be told, and nothing opened, until then."""
    await store.admit(an_item(1))
    await store.hold_leases("dead", ["process dead", "a"], 3_600)
    assert len(await store.claim_inbox(at(9), 10, 3_600)) == 1
    assert await store.hold_leases("other", ["process other"], 0.001) == {"process other": Held("process other", 1)}
    async with asyncio.timeout(10):
        while await store.held_leases():
            pass
    assert await store.hold_leases("other", ["a"], 60) == {"a": Held("a", 2)}
    assert len(await store.claim_inbox(at(9), 10, 60)) == 1
    assert await store.claim_inbox(at(9), 10, 60) == []
