"""Many callers, one transaction: each has an answer of its own."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests.adapters.store.gates import admit, until_waiting, writer_held_up
from tests.contract.facts import START, a_consent, an_item, append, at, draft_about, save, sequences
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import StorageError
from tracker.journal.entry import Entry
from tracker.ports import Transaction


@pytest.fixture
def commits(sqlite: SqliteDatabase) -> Iterator[list[str]]:
    """One mark for each commit of the writer."""
    seen: list[str] = []

    def note(_: Connection) -> None:
        seen.append("commit")

    event.listen(sqlite._write_engine, "commit", note)
    yield seen
    event.remove(sqlite._write_engine, "commit", note)


async def test_what_waits_is_committed_in_one(sqlite: SqliteDatabase, store: SqlStore, commits: list[str]) -> None:
    async with writer_held_up(sqlite):
        tasks = [asyncio.create_task(admit(store, an_item(number))) for number in range(100)]
        await until_waiting(sqlite, 100)
    await asyncio.gather(*tasks)
    assert len(commits) == 2  # the one that was held up, and the hundred
    assert await store.inbox_depth() == (100, at(0))


async def test_more_than_fits_in_one_is_committed_in_several(
    sqlite: SqliteDatabase, store: SqlStore, commits: list[str]
) -> None:
    async with writer_held_up(sqlite):
        tasks = [asyncio.create_task(admit(store, an_item(number))) for number in range(600)]
        await until_waiting(sqlite, 600)
    await asyncio.gather(*tasks)
    assert len(commits) == 1 + 3
    assert await store.inbox_depth() == (600, at(0))


async def test_what_is_urgent_goes_first_and_waits_for_nothing_else(sqlite: SqliteDatabase, store: SqlStore) -> None:
    done: list[str] = []

    def work(name: str) -> Callable[[Connection], tuple[None, None]]:
        def note(_: Connection) -> tuple[None, None]:
            done.append(name)
            return None, None

        return note

    event.listen(sqlite._write_engine, "commit", lambda _: done.append("commit"))
    async with writer_held_up(sqlite):
        long = [asyncio.create_task(sqlite.write(work("long"))) for _ in range(2)]
        await until_waiting(sqlite, 2)
        short = [asyncio.create_task(sqlite.write(work("short"), urgent=True)) for _ in range(2)]
        await until_waiting(sqlite, 4)
    await asyncio.gather(*long, *short)
    assert done == ["commit", "short", "short", "commit", "long", "long", "commit"]


async def test_events_are_kept_before_anything_else_is_written(sqlite: SqliteDatabase, store: SqlStore) -> None:
    async with writer_held_up(sqlite):
        long = asyncio.create_task(sqlite.write(lambda _: (None, None)))
        await until_waiting(sqlite, 1)
        admitted = asyncio.create_task(store.admit(an_item(1)))
        await until_waiting(sqlite, 2)
        at_commit: list[int] = []
        event.listen(sqlite._write_engine, "commit", lambda c: at_commit.append(_waiting_items(c)))
    await asyncio.gather(long, admitted)
    assert at_commit == [0, 1, 1]  # what held the writer up, the event, the rest


def _waiting_items(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM inbox").scalar_one())


async def test_nobody_is_answered_before_the_commit(sqlite: SqliteDatabase, store: SqlStore) -> None:
    answered: list[int] = []
    before_commit: list[list[int]] = []
    event.listen(sqlite._write_engine, "commit", lambda _: before_commit.append(list(answered)))

    async def admit_one(number: int) -> None:
        await admit(store, an_item(number))
        answered.append(number)

    await asyncio.gather(*(admit_one(number) for number in range(20)))
    assert before_commit[0] == []
    assert sorted(answered) == list(range(20))


async def test_a_poisoned_piece_among_many_fails_alone(sqlite: SqliteDatabase, store: SqlStore) -> None:
    consent = a_consent()
    await save(store, consent)

    def poisoned(transaction: Transaction) -> list[Entry]:
        transaction.lock_tracked([consent.tracking_id])
        transaction.append([draft_about(consent)], START)
        raise LookupError("poison")

    async with writer_held_up(sqlite):
        tasks: list[asyncio.Task[Any]] = []
        for number in range(9):
            work = store.transact(poisoned) if number == 4 else append(store, draft_about(consent))
            tasks.append(asyncio.create_task(work))
            await until_waiting(sqlite, len(tasks))
    results: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results.pop(4), LookupError)
    assert [sequences(entries) for entries in results] == [[number] for number in range(1, 9)]
    assert [entry.previous for entry in await store.entries_of(consent.tracking_id)] == [None, *range(1, 8)]


async def test_what_the_database_refuses_of_one_piece_fails_alone(sqlite: SqliteDatabase, store: SqlStore) -> None:
    twice = an_item(0)
    async with writer_held_up(sqlite):
        tasks = [asyncio.create_task(admit(store, item)) for item in (an_item(1), twice, twice, an_item(2))]
        await until_waiting(sqlite, 4)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [(result is None) for result in results] == [True, True, False, True]
    assert isinstance(results[2], StorageError)
    assert await store.inbox_depth() == (3, at(0))


async def test_a_script_that_stops_an_iteration_leaves_nobody_waiting(sqlite: SqliteDatabase, store: SqlStore) -> None:
    """A future cannot hold a StopIteration: setting it raised, and the callers behind it were never answered."""

    def poisoned(_: Transaction) -> None:
        next(iter(()))

    async with writer_held_up(sqlite):
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(store.transact(poisoned)),
            asyncio.create_task(admit(store, an_item())),
        ]
        await until_waiting(sqlite, 2)
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert isinstance(results[0], RuntimeError)
    assert results[1] is None


async def test_a_piece_whose_caller_was_cancelled_is_done_all_the_same(sqlite: SqliteDatabase, store: SqlStore) -> None:
    async with writer_held_up(sqlite):
        cancelled = asyncio.create_task(admit(store, an_item(1)))
        await until_waiting(sqlite, 1)
        other = asyncio.create_task(admit(store, an_item(2)))
        await until_waiting(sqlite, 2)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    await other
    assert await store.inbox_depth() == (2, at(1))


async def test_what_waits_is_done_on_close_and_what_comes_later_is_refused(database: Path) -> None:
    opened = SqliteDatabase(database)
    store = SqlStore(opened, SystemIds())
    async with writer_held_up(opened):
        tasks = [asyncio.create_task(admit(store, an_item(number))) for number in range(300)]
        await until_waiting(opened, 300)
        closing = asyncio.create_task(store.close())
        while not opened._closed:
            await asyncio.sleep(0)
        with pytest.raises(StorageError, match="closed"):
            await admit(store, an_item(999))
    await closing
    await asyncio.gather(*tasks)
    with pytest.raises(StorageError, match="closed"):
        await store.inbox_depth()
    await store.close()  # once more does no harm
    again = SqlStore(SqliteDatabase(database), SystemIds())
    assert await again.inbox_depth() == (300, at(0))
    await again.close()


async def test_readers_cannot_write(sqlite: SqliteDatabase) -> None:
    with pytest.raises(StorageError, match="readonly"):
        await sqlite.read(lambda connection: connection.exec_driver_sql("DELETE FROM journal"))


async def test_readers_see_what_was_committed_and_nothing_else(sqlite: SqliteDatabase, store: SqlStore) -> None:
    seen: list[int] = []
    loop = asyncio.get_running_loop()

    def look_while_writing(transaction: Transaction) -> None:
        transaction.append([draft_about(a_consent())], START)
        seen.append(asyncio.run_coroutine_threadsafe(store.head(), loop).result(10))

    await store.transact(look_while_writing)
    assert (seen, await store.head()) == ([0], 1)


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)]
)
async def test_connections_are_set_up_to_survive_the_power_supply(
    sqlite: SqliteDatabase, pragma: str, value: object
) -> None:
    def ask(connection: Connection) -> Any:
        return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()

    assert await sqlite.read(ask) == value
    assert await sqlite.write(lambda connection: (ask(connection), None)) == value
