"""kill -9 while a subscriber is told again: another goes on, every entry arrives, and at most a window a kill arrives twice."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.service import Service, issuer
from tests.e2e.test_roles import subscriber
from tracker.usecases.rerun import WINDOW

ENTRIES = 180
KILLS = 2
SECTIONS = '[log]\nlevel = "error"\n[notifications]\nallow_networks = ["127.0.0.0/8"]'


@pytest.mark.timeout(240)
@pytest.mark.parametrize("is_shared", [False, True], ids=["sqlite", "postgres"])
async def test_a_job_survives_whoever_runs_it(
    tmp_path: Path, another_postgres: Callable[[], str], *, is_shared: bool
) -> None:
    url = another_postgres() if is_shared else None
    async with issuer() as issuer_url, subscriber() as (hook, told), AsyncExitStack() as stack:
        services = []
        for name in ("one", "two")[: 1 + is_shared]:
            (tmp_path / name).mkdir()
            services.append(Service(tmp_path / name, issuer_url, SECTIONS, postgres=url))
            await services[-1].start()
            stack.push_async_callback(services[-1].kill)
        key = await services[0].run("keys", "add-api-key", "--name", "test", "--scope", "read,write")
        http = await stack.enter_async_context(aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}))
        rows = [{"provider": "demobank", "kind": "account-access", "consent_id": f"c{n}"} for n in range(ENTRIES)]
        async with http.post(f"{services[0].url}/v1/consents/batch", json={"items": rows}) as response:
            assert response.status == 200, await response.text()
        async with http.post(f"{services[0].url}/v1/subscriptions", json={"url": hook}) as response:
            one = (await response.json())["id"]
        asked = ("subscriptions", "replay", one, "--from-sequence", "1", "--per-second", "60")
        job = (await services[0].run(*asked)).split(":")[0]

        async def state() -> str:
            lines = await services[0].run("subscriptions", "jobs", one, "--job", job)
            return lines.splitlines()[0].removeprefix(f"{job}: ")

        for kill in range(KILLS):
            async with asyncio.timeout(60):
                while len(told) < 50 * (kill + 1):
                    await asyncio.sleep(0.01)
            for service in services:  # whichever runs it
                await service.kill()
            for service in services:
                await service.start()
        async with asyncio.timeout(90):
            while not (await state()).startswith("done"):
                await asyncio.sleep(0.2)
        assert await state() == f"done, {ENTRIES} done of {ENTRIES}"
        sequences = [int(entry["sequence"]) for entry in told]
        assert set(sequences) == set(range(1, ENTRIES + 1))
        assert len(sequences) <= ENTRIES + KILLS * WINDOW
        assert all(entry["redelivered"] is True for entry in told)
