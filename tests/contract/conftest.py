"""The implementations of the store. A second one is a second entry in `IMPLEMENTATIONS`, and every test runs on it too."""

from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract.facts import NewDatabase, OpenStore
from tests.damage import reachable
from tests.postgres import as_service
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.ports import Ids


def _sqlite(request: pytest.FixtureRequest) -> NewDatabase:
    another: Callable[[str], Path] = request.getfixturevalue("another_database")
    numbers = count(1)

    def new(ids: Ids | None = None) -> OpenStore:
        path = another(f"contract-{next(numbers)}.db")
        return lambda: reachable(SqlStore(SqliteDatabase(path), ids or SystemIds()), path)

    return new


def _postgres(request: pytest.FixtureRequest) -> NewDatabase:
    another: Callable[[], str] = request.getfixturevalue("another_postgres")

    def new(ids: Ids | None = None) -> OpenStore:
        owners = another()
        url = as_service(owners)  # with no more rights than a service has
        return lambda: reachable(SqlStore(PostgresDatabase(url), ids or SystemIds()), owners)

    return new


IMPLEMENTATIONS: dict[str, Callable[[pytest.FixtureRequest], NewDatabase]] = {
    "sqlite": _sqlite,
    "postgres": _postgres,
}


@pytest.fixture(params=IMPLEMENTATIONS)
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    """Makes empty databases; each can be opened, closed and opened again."""
    return IMPLEMENTATIONS[request.param](request)


@pytest_asyncio.fixture
async def store(new_database: NewDatabase) -> AsyncIterator[SqlStore]:
    opened = new_database()()
    yield opened
    await opened.close()
