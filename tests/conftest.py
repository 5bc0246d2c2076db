"""What every test may use: a database with the newest schema, made once and copied."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tracker.adapters.store import migrate
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
