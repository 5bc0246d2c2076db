import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.web.site import Site, open_site, write_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of our key files."""
    return write_keys(tmp_path_factory.mktemp("our-keys"))


@pytest_asyncio.fixture
async def site(database: Path, keys: Path) -> AsyncIterator[Site]:
    async with open_site(database, keys) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_site(
    template_database: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """One site for a module full of calls that are all refused and leave nothing behind."""
    database = Path(shutil.copy(template_database, tmp_path_factory.mktemp("shared") / "tracker.db"))
    async with open_site(database, keys) as made:
        yield made
