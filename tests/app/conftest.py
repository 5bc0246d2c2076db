import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop
from aiohttp.test_utils import TestServer
from joserfc.jwk import RSAKey

from tests import tokens
from tests.adapters.hub.scripted_hub import ScriptedHub
from tests.usecases.bench import NOW, data
from tests.web.site import write_keys


def pytest_asyncio_loop_factories(
    config: pytest.Config,
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The doors are tried on both loops that serve: their transports have little in common."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem == "test_doors":
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of our key files."""
    return write_keys(tmp_path_factory.mktemp("our-keys"))


@pytest_asyncio.fixture
async def hub() -> AsyncIterator[ScriptedHub]:
    hub = ScriptedHub(RSAKey.import_key(tokens.private_jwk(tokens.rsa_key("hub"), kid=tokens.HUB_KID)))
    hub.clock_seconds = int(NOW.timestamp())
    hub.message = {"Data": data()}
    async with TestServer(hub.application()) as server:
        hub.issuer = str(server.make_url("/")).rstrip("/")
        yield hub
        hub.release()
