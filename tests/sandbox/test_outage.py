"""A hub that is away, in each of its ways."""

import asyncio

import aiohttp
import pytest

from tracker.sandbox import Mode


async def asks(hub, timeout=5.0):
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as fresh,
        fresh.get(f"{hub.url}/.well-known/openid-configuration") as response,
    ):
        return response.status


async def test_nothing_listens_and_open_connections_are_reset(tpp, hub):
    assert await asks(hub) == 200
    await tpp.token()  # leaves a connection open
    await hub.outages.begin(Mode.REFUSE)
    with pytest.raises(aiohttp.ClientConnectorError):
        await asks(hub)
    with pytest.raises(aiohttp.ClientConnectionError):
        await tpp.token()
    await hub.outages.end()
    assert await asks(hub) == 200
    await hub.outages.begin(Mode.REFUSE)  # and once more, at the same address
    with pytest.raises(aiohttp.ClientConnectorError):
        await asks(hub)
    await hub.outages.end()
    assert await asks(hub) == 200


async def test_connections_are_reset(tpp, hub):
    await hub.outages.begin(Mode.RESET)
    with pytest.raises(aiohttp.ClientConnectionError):
        await asks(hub)
    await hub.outages.end()
    assert await asks(hub) == 200
    assert hub.recorder.requests_to("discovery")[0].status == 0


async def test_nobody_is_answered_until_it_is_over(tpp, hub):
    await hub.outages.begin(Mode.HANG)
    with pytest.raises(TimeoutError):
        await asks(hub, timeout=0.2)
    waiting = asyncio.create_task(asks(hub))
    async with asyncio.timeout(5):
        while hub.outages.waiting < 2:  # whoever gave up is still waited with
            await asyncio.sleep(0.01)
    await hub.outages.end()
    assert await waiting == 200  # by itself aiohttp asks once more
    assert [seen.status for seen in hub.recorder.requests_to("discovery")] == [0, 0, 200]  # whoever waited is cut off


async def test_it_comes_back_by_itself(tpp, hub, sleep):
    await hub.outages.begin(Mode.REFUSE, seconds=30)
    with pytest.raises(aiohttp.ClientConnectorError):
        await asks(hub)
    while sleep.asked[-1:] != [30]:
        await asyncio.sleep(0)
    sleep.wake.set()
    async with asyncio.timeout(5):
        while hub.outages.mode is not None:
            await asyncio.sleep(0.01)
    assert await asks(hub) == 200


async def test_whoever_drives_it_still_can(http, tpp, hub):
    async with http.post(f"{hub.url}/sandbox/outage", data='{"mode": "hang"}') as response:
        assert response.status == 204
    with pytest.raises(TimeoutError):
        await asks(hub, timeout=0.1)
    async with http.delete(f"{hub.url}/sandbox/outage") as response:
        assert response.status == 204
    assert await asks(hub) == 200
    async with http.post(f"{hub.url}/sandbox/outage", data='{"mode": "refuse"}') as response:
        assert response.status == 422
        assert "needs seconds" in (await response.json())["error"]
