import asyncio

import pytest

from tracker.usecases.wake import Bell


async def test_a_ring_wakes_all_who_wait() -> None:
    bell = Bell()
    waiting = [asyncio.create_task(bell.wait(5)) for _ in range(3)]
    await asyncio.sleep(0)
    bell.ring()
    assert await asyncio.gather(*waiting) == [True, True, True]


async def test_a_ring_before_waiting_is_heard_once_by_each() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()

    async def hears() -> tuple[bool, bool]:
        return await bell.wait(0.01), await bell.wait(0.01)

    for heard in await asyncio.gather(asyncio.create_task(hears()), asyncio.create_task(hears())):
        assert heard == (True, False)


async def test_waiting_ends_when_the_time_is_over() -> None:
    bell = Bell()
    assert await bell.wait(0) is False
    assert await bell.wait(0.001) is False


async def test_a_ring_while_its_hearer_is_busy_is_not_lost() -> None:
    bell = Bell()
    turns: list[bool] = []

    async def work() -> None:
        for _ in range(3):
            turns.append(await bell.wait(0.05))
            await asyncio.sleep(0)

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    bell.ring()
    await asyncio.sleep(0)
    bell.ring()
    await working
    assert turns == [True, True, False]


async def test_a_waiter_that_is_cancelled_leaves_nothing_behind() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)
    assert not bell._listening
    bell.ring()


async def test_the_next_ring_is_done_at_once_if_it_rang_since() -> None:
    bell = Bell()
    heard = bell.rings
    ring = bell.next_ring(heard)
    assert not ring.done()
    bell.ring()
    assert ring.done()
    assert bell.next_ring(heard).done()
    assert not bell.next_ring(bell.rings).done()


def test_waiting_outside_of_a_task_is_refused() -> None:
    coroutine = Bell().wait(0)
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError):
            coroutine.send(None)
    finally:
        coroutine.close()
        loop.close()
