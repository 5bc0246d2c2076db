from pathlib import Path

import pytest_asyncio

from tests.migrations.filled import fill


@pytest_asyncio.fixture
async def full_database(database: Path) -> Path:
    """A database with at least one row in every table."""
    await fill(database)
    return database
