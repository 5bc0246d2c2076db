"""What every test may use: a database with the newest schema, made once and copied."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url

from tests.postgres import MAKE_SERVICE_ROLE, SERVICE_ROLE, PostgresServer, postgres_server
from tracker.adapters.store import grants, migrate
from tracker.adapters.store.postgres import in_one_transaction
from tracker.adapters.store.sqlite import one_transaction


@pytest.fixture(scope="session")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    with one_transaction(path) as connection:
        migrate.upgrade(connection)
    return path


@pytest.fixture
def database(template_database: Path, tmp_path: Path) -> Path:
    """A fresh database file."""
    return Path(shutil.copy(template_database, tmp_path / "tracker.db"))


@pytest.fixture
def another_database(template_database: Path, tmp_path: Path) -> Callable[[str], Path]:
    """More of them, by name."""
    return lambda name: Path(shutil.copy(template_database, tmp_path / name))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def template_postgres(postgres: PostgresServer) -> Iterator[str]:
    """The name of a database with the newest schema."""
    url = postgres.create()
    postgres.execute(MAKE_SERVICE_ROLE)

    def make(connection: Connection) -> None:
        migrate.upgrade(connection)
        grants.grant(connection, SERVICE_ROLE)

    asyncio.run(in_one_transaction(url, make))
    yield str(make_url(url).database)
    postgres.drop(url)


@pytest.fixture
def another_postgres(postgres: PostgresServer, template_postgres: str) -> Iterator[Callable[[], str]]:
    """Makes databases of the newest schema on PostgreSQL; gives their URLs."""
    made: list[str] = []

    def make() -> str:
        made.append(postgres.create(template=template_postgres))
        return made[-1]

    yield make
    for url in made:
        postgres.drop(url)
