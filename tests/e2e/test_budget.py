"""Two workers and an API on one PostgreSQL ask one provider, one of the workers is killed, and its budget is kept."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.adapters.hub.scripted_hub import ScriptedHub, Seen, says
from tests.e2e.service import Service
from tests.usecases.town import hub_key

RATE = 8
IMPORTED = 20
SECONDS = 8.0


@pytest.mark.timeout(240)
async def test_a_providers_budget_is_kept_by_all_and_over_a_kill(
    tmp_path: Path, another_postgres: Callable[[], str]
) -> None:
    url, asked = another_postgres(), []

    def unknown(seen: Seen) -> web.StreamResponse:
        asked.append((time.monotonic(), seen.raw_path.rpartition("/")[2]))
        return says(404)(seen)

    hub = ScriptedHub(hub_key("demobank"))
    hub.always["consent"] = unknown
    async with TestServer(hub.application()) as server, AsyncExitStack() as stack:
        hub.issuer = str(server.make_url("/")).rstrip("/")
        processes: dict[str, Service] = {}
        for name, role in (("api", "api"), ("worker-1", "worker"), ("worker-2", "worker")):
            (tmp_path / name).mkdir()
            sections = f'requests_per_second = {RATE}\n[log]\nlevel = "error"'
            processes[name] = Service(tmp_path / name, hub.issuer, sections, postgres=url, roles=role)
        api = processes["api"]
        await api.start()
        stack.push_async_callback(api.kill)
        key = await api.run("keys", "add-api-key", "--name", "test", "--scope", "read,write")
        http = await stack.enter_async_context(aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}))
        rows = [{"provider": "demobank", "kind": "account-access", "consent_id": f"i{n}"} for n in range(IMPORTED)]
        rows += [{"provider": "demobank", "kind": "account-access", "consent_id": f"r{n}"} for n in range(12)]
        async with http.post(f"{api.url}/v1/consents/batch", json={"items": rows}) as response:
            assert response.status == 200, await response.text()

        async def refresh(consent_id: str) -> None:
            while True:
                async with http.post(f"{api.url}/v1/consents/demobank/{consent_id}/refresh") as response:
                    await response.read()

        refreshing = [asyncio.create_task(refresh(f"r{n}")) for n in range(12)]
        await asyncio.gather(*(processes[name].start() for name in ("worker-1", "worker-2")))
        for name in ("worker-1", "worker-2"):
            stack.push_async_callback(processes[name].kill)
        began = time.monotonic()

        def imported() -> int:
            return len({name for _, name in asked if name.startswith("i")})

        async with asyncio.timeout(60):
            while imported() < IMPORTED / 4:  # in the middle of it
                await asyncio.sleep(0.02)
        await processes["worker-1"].kill()
        async with asyncio.timeout(60):
            while imported() < IMPORTED * 0.6 or time.monotonic() < began + SECONDS:
                await asyncio.sleep(0.05)
        for task in refreshing:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*refreshing, return_exceptions=True)
        async with http.get(f"{api.url}/v1/providers/demobank") as response:
            told = await response.json()
        assert told["budget"]["used_today"] >= len(asked)
    times = sorted(at for at, _ in asked)
    # Who took a question in hand sends it a little later, one sooner than the other: over a few seconds that evens out.
    for seconds in (3, 6):
        most = max(sum(begin <= at < begin + seconds for at in times) for begin in times)
        assert most <= RATE * (seconds + 1), f"{most} in {seconds} s"
    assert len(times) >= RATE * SECONDS * 0.5  # and it was used
    counts = Counter(name for _, name in asked if name.startswith("i"))
    assert set(counts.values()) == {1}
