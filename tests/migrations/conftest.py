from pathlib import Path

import pytest_asyncio

from tests.migrations.filled import counts, fill
from tracker.adapters.store.sqlite import SqliteDatabase


@pytest_asyncio.fixture
async def full_database(database: Path) -> Path:
    """A database with at least one row in every table."""
    await fill(SqliteDatabase(database))
    assert [table for table, count in counts(database).items() if not count] == [], "Fill the new table too."
    return database
