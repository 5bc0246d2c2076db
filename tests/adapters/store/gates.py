"""A way to hold the writer's thread up, so that what comes meanwhile shares the next transaction."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection

from tracker.adapters.store import rows
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.ports import InboxItem


@asynccontextmanager
async def writer_held_up(database: SqliteDatabase) -> AsyncIterator[None]:
    """While this is entered the writer is at work on a piece of ours; on leaving it goes on, with all that waits in one."""
    entered, opened = threading.Event(), threading.Event()

    def wait(_: Connection) -> tuple[None, None]:
        entered.set()
        assert opened.wait(30)
        return None, None

    held = asyncio.create_task(database.write(wait))
    await asyncio.get_running_loop().run_in_executor(None, entered.wait, 30)
    try:
        yield
    finally:
        opened.set()
        await held


async def until_waiting(database: SqliteDatabase, count: int) -> None:
    """Let tasks run until so many writes wait."""
    for _ in range(10_000):
        if database.waiting >= count:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"Only {database.waiting} of {count} writes wait.")


async def admit(store: SqlStore, item: InboxItem) -> None:
    """Keep an event in a write of its own: the store itself makes one of many."""
    await store._admit_all([rows.inbox_values(item)])
