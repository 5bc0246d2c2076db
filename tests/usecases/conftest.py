from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.usecases.bench import Bench, open_bench, our_crypto
from tracker.adapters.jose import JwcryptoEventCrypto


@pytest.fixture(scope="session")
def crypto(tmp_path_factory: pytest.TempPathFactory) -> JwcryptoEventCrypto:
    return our_crypto(tmp_path_factory.mktemp("keys"))


@pytest_asyncio.fixture
async def bench(database: Path, crypto: JwcryptoEventCrypto) -> AsyncIterator[Bench]:
    async with open_bench(database, crypto) as made:
        yield made
