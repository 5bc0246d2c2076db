from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore


@pytest_asyncio.fixture
async def sqlite(database: Path) -> AsyncIterator[SqliteDatabase]:
    """A SQLite file that is open."""
    opened = SqliteDatabase(database)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def store(sqlite: SqliteDatabase) -> SqlStore:
    """A store on it."""
    return SqlStore(sqlite, SystemIds())
