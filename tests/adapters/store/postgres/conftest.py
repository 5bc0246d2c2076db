from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tracker.adapters.clock import SystemIds
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.store import SqlStore


@pytest.fixture
def url(another_postgres: Callable[[], str]) -> str:
    """A database with the newest schema."""
    return another_postgres()


@pytest_asyncio.fixture
async def open_store(url: str) -> AsyncIterator[Callable[..., SqlStore]]:
    """Opens the database as one more process would."""
    opened: list[SqlStore] = []

    def open_one(at: str | None = None, connections: int = 5) -> SqlStore:
        opened.append(SqlStore(PostgresDatabase(at or url, connections=connections), SystemIds()))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
def store(open_store: Callable[..., SqlStore]) -> SqlStore:
    return open_store()
