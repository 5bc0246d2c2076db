from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.adapters.store.counted import Counted
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.postgres import PostgresDatabase
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


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def counted(
    request: pytest.FixtureRequest, database: Path, another_postgres: Callable[[], str]
) -> AsyncIterator[Counted]:
    opened = SqliteDatabase(database) if request.param == "sqlite" else PostgresDatabase(another_postgres())
    engine = opened._write_engine if isinstance(opened, SqliteDatabase) else opened._engine.sync_engine
    store = SqlStore(opened, SystemIds())
    counting = Counted(store, engine)
    yield counting
    counting.forget()
    await store.close()
