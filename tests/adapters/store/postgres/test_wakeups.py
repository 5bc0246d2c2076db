"""Rings from process to process: heard by the others, not by oneself, together, and again after the connection was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import make_url

from tests.postgres import PostgresServer, query
from tracker.adapters.store.wakeups import PostgresWakeups

NAMES = frozenset({"inbox", "journal"})


class Process:
    def __init__(self, url: str) -> None:
        self.heard: list[str] = []
        self.wakeups = PostgresWakeups(url, self.heard.append, NAMES)


@asynccontextmanager
async def processes(url: str, count: int = 2) -> AsyncIterator[list[Process]]:
    """So many, connected."""
    made = [Process(url) for _ in range(count)]
    tasks = [asyncio.create_task(process.wakeups.run()) for process in made]
    for process in made:
        await until(lambda process=process: set(process.heard) == NAMES)
        process.heard.clear()
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def until(condition: object) -> None:
    async with asyncio.timeout(30):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_a_ring_is_heard_by_the_others_only(url: str) -> None:
    async with processes(url, 3) as (one, two, three):
        one.wakeups.tell("inbox")
        await until(lambda: two.heard and three.heard)
        two.wakeups.tell("journal")
        await until(lambda: "journal" in one.heard and "journal" in three.heard)
        assert (one.heard, two.heard, three.heard) == (["journal"], ["inbox"], ["inbox", "journal"])


async def test_many_rings_of_one_moment_are_passed_on_as_few(url: str) -> None:
    async with processes(url) as (one, two):
        for _ in range(1_000):
            one.wakeups.tell("inbox")
            one.wakeups.tell("journal")
        await until(lambda: set(two.heard) == NAMES)
        one.wakeups.tell("inbox")
        await until(lambda: two.heard.count("inbox") == 2)
        assert sorted(two.heard) == ["inbox", "inbox", "journal"]


async def test_who_lost_the_connection_takes_all_as_told_and_hears_again(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with processes(url) as (one, two):
        await asyncio.to_thread(
            query, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        )
        await until(lambda: set(one.heard) == set(two.heard) == NAMES)
        one.heard.clear()
        two.heard.clear()
        one.wakeups.tell("inbox")
        await until(lambda: two.heard == ["inbox"])
        assert one.heard == []
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_rings_that_are_no_bells_of_ours_are_not_heard(url: str) -> None:
    async with processes(url) as (one, two):
        await asyncio.to_thread(query, url, "SELECT pg_notify('tracker', 'kitchen,inbox,')")
        await until(lambda: one.heard and two.heard)
        assert one.heard == two.heard == ["inbox"]


async def test_it_goes_on_looking_while_no_server_takes_writes(
    url: str, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """As in the seconds of a failover; who gave up for ever would be woken by nobody, and never be ready again."""
    postgres.execute(f'ALTER DATABASE "{make_url(url).database}" SET default_transaction_read_only = on')
    process = Process(url + ("&" if "?" in url else "?") + "target_session_attrs=read-write")
    running = asyncio.create_task(process.wakeups.run())
    await until(lambda: "cannot be woken" in caplog.text or running.done())
    assert not running.done()
    postgres.execute(f'ALTER DATABASE "{make_url(url).database}" RESET default_transaction_read_only')
    await until(lambda: set(process.heard) == NAMES)
    running.cancel()
    await asyncio.wait({running})
