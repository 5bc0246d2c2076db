"""Receiver, API and workers in processes of their own on one PostgreSQL: an event goes all the way, whoever is killed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.e2e.service import Service, an_event, issuer
from tests.postgres import as_service, query

CONSENTS = 8


@asynccontextmanager
async def subscriber() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Who is told; gives its URL and what it was told."""
    told: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", told
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def _time_of(n: int) -> str:
    return (datetime(2026, 3, 2, 6, tzinfo=UTC) + timedelta(seconds=n)).isoformat()


@pytest.mark.timeout(240)
async def test_any_role_may_be_killed_and_the_others_carry_on(
    tmp_path: Path, another_postgres: Callable[[], str]
) -> None:
    url = as_service(another_postgres())
    async with issuer() as issuer_url, subscriber() as (hook, told), AsyncExitStack() as stack:
        processes: dict[str, Service] = {}
        for name, role in (("receiver", "receiver"), ("api", "api"), ("worker-1", "worker"), ("worker-2", "worker")):
            (tmp_path / name).mkdir()
            sections = '[log]\nlevel = "error"\n[notifications]\nallow_networks = ["127.0.0.0/8"]'
            process = Service(tmp_path / name, issuer_url, sections, postgres=url, roles=role)
            await process.start()
            stack.push_async_callback(process.kill)
            processes[name] = process
        api, receiver = processes["api"], processes["receiver"]
        key = await api.run("keys", "add-api-key", "--name", "test", "--scope", "read,write")
        http = await stack.enter_async_context(aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}))
        for n in range(CONSENTS):
            body = {"provider": "demobank", "kind": "account-access", "consent_id": f"c{n}"}
            async with http.post(f"{api.url}/v1/consents", json=body) as response:
                assert response.status == 201
        async with http.post(f"{api.url}/v1/subscriptions", json={"url": hook, "types": ["consent.*"]}) as response:
            assert response.status == 201
        for door, path in ((receiver, "/v1/consents"), (processes["worker-1"], "/webhooks/uae-v2.1")):
            async with http.get(f"{door.url}{path}") as response:
                assert response.status == 404

        async def send(round_: int) -> None:
            for n in range(CONSENTS):
                status = ("Authorized", "Suspended")[round_ % 2]
                event = an_event(issuer_url, f"c{n}", status, _time_of(100 * round_ + n), time.time())
                async with http.post(f"{receiver.url}/webhooks/uae-v2.1", data=event) as response:
                    assert response.status == 202

        def moves() -> int:
            return len({entry["id"] for entry in told if entry["type"] == "consent.status_changed"})

        await send(0)
        await until(lambda: moves() == CONSENTS)
        # Whoever tells the subscriber dies without a word: the other takes over, and with what was in hand.
        await processes["worker-1"].kill()
        await send(1)
        await until(lambda: moves() == 2 * CONSENTS)
        await processes["worker-1"].start()
        await processes["worker-2"].kill()
        await api.kill()
        await send(2)
        await until(lambda: moves() == 3 * CONSENTS)
        sequences = {int(entry["sequence"]) for entry in told}
        assert sequences <= set(range(1, max(sequences) + 1))
        assert [row[0] for row in query(url, "SELECT count(*) FROM inbox")] == [0]
        assert [row[0] for row in query(url, "SELECT sum(repeats) FROM report")] == [0]
        for consent in {entry["subject"] for entry in told}:
            heard = [int(entry["sequence"]) for entry in told if entry["subject"] == consent]
            assert list(dict.fromkeys(heard)) == sorted(set(heard))
