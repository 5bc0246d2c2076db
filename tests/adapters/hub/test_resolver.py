"""Names are looked up where one provider's dead name server holds up nobody else."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.hub.conftest import World, make_provider, read
from tracker.domain.errors import ConsentApiUnavailableError


@pytest.fixture
def dead_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names under `.dead` are looked up for ever, until the test ends; the others are this machine. Gives what was looked up."""
    seen: list[str] = []
    end = threading.Event()

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        seen.append(host)
        if host.endswith(".dead"):
            end.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no name server")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield seen
    end.set()


async def test_one_providers_dead_name_servers_hold_up_no_other(world: World, dead_names: list[str]) -> None:
    port = world.hub.issuer.rpartition(":")[2]
    world.hub.issuer = f"http://localhost:{port}"
    well = make_provider(world.hub.issuer)
    ill = [make_provider(f"https://{n}.dead", id=f"ill-{n}") for n in range(40)]
    holders = world.connect(well, *ill)
    asked = [asyncio.create_task(read(holders, provider)) for provider in ill]
    async with asyncio.timeout(20):
        while len(dead_names) < len(ill):
            await asyncio.sleep(0.01)
    answer = await read(holders, well)
    assert answer.token is not None
    assert "localhost" in dead_names
    assert not any(task.done() for task in asked)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    await holders.close()


async def test_a_name_without_an_address_is_no_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    holders = world.connect(make_provider("https://nobody.example"))
    with pytest.raises(ConsentApiUnavailableError):
        await read(holders, make_provider("https://nobody.example"))
    await holders.close()


async def test_a_real_name_is_looked_up(world: World) -> None:
    world.hub.issuer = world.hub.issuer.replace("127.0.0.1", "localhost")
    provider = make_provider(world.hub.issuer)
    holders = world.connect(provider)
    assert (await read(holders, provider)).token is not None
    await holders.close()
