import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.usecases.bench import Bench, Desk, open_bench, our_crypto
from tracker.adapters.jose import JwcryptoEventCrypto


@pytest.fixture(scope="session")
def crypto(tmp_path_factory: pytest.TempPathFactory) -> JwcryptoEventCrypto:
    return our_crypto(tmp_path_factory.mktemp("keys"))


@pytest_asyncio.fixture
async def bench(database: Path, crypto: JwcryptoEventCrypto) -> AsyncIterator[Bench]:
    async with open_bench(database, crypto) as made:
        yield made


@pytest.fixture(scope="module")
def desk(
    template_database: Path, tmp_path_factory: pytest.TempPathFactory, crypto: JwcryptoEventCrypto
) -> Iterator[Desk]:
    path = tmp_path_factory.mktemp("random") / "tracker.db"
    path.write_bytes(template_database.read_bytes())
    with asyncio.Runner() as run:
        opened = open_bench(path, crypto)
        bench = run.run(opened.__aenter__())
        try:
            yield Desk(run, bench)
        finally:
            run.run(opened.__aexit__(None, None, None))
