"""Polling the real service: processes are killed, pollers die between poll and answer, a stop does not wait for who waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from tests.e2e.service import Service, an_event, issuer

CONSENTS = 6
ROUNDS = 6
ALL = CONSENTS * ROUNDS


@asynccontextmanager
async def serving(folder: Path, url: str | None) -> AsyncIterator[tuple[list[Service], str, str]]:
    """The service, on PostgreSQL with two APIs; who answers polls, and where events go to."""
    roles = {"all": ""} if url is None else {"api-1": "api", "api-2": "api", "others": "receiver,worker"}
    async with issuer() as issuer_url, AsyncExitStack() as stack:
        services: dict[str, Service] = {}
        for name, role in roles.items():
            (folder / name).mkdir()
            services[name] = Service(folder / name, issuer_url, postgres=url, roles=role)
            await services[name].start()
            stack.push_async_callback(services[name].kill)
        apis = [service for name, service in services.items() if name != "others"]
        yield apis, services.get("others", apis[0]).url, issuer_url


class Poller:
    """Somebody who polls, answers for a part of what he has in any order, and now and then forgets all of it."""

    def __init__(self, apis: list[Service], path: str, dice: Random, story: "Story") -> None:
        self.apis = apis
        self.path = path
        self.dice = dice
        self.story = story
        self.has: list[str] = []

    async def run(self, http: aiohttp.ClientSession) -> None:
        while len(self.story.settled) < ALL:
            ack = self.dice.sample(self.has, self.dice.randint(0, len(self.has)))
            body = {"maxEvents": self.dice.randint(0, 5), "ack": ack, "returnImmediately": self.dice.random() < 0.7}
            try:
                url = self.dice.choice(self.apis).url + self.path
                async with http.post(url, json=body, timeout=aiohttp.ClientTimeout(2)) as response:
                    if response.status == 503:  # its database is on its way
                        raise TimeoutError
                    assert response.status == 200, await response.text()
                    sets = (await response.json())["sets"]
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.05)
                continue
            self.story.answered += 1
            self.story.settled |= set(ack)
            self.has = [one for one in self.has if one not in ack]
            for one, entry in sets.items():
                self.story.hear(one, entry)
                self.has.append(one)
            if self.dice.random() < 0.05:
                self.has.clear()


class Story:
    """What was handed out first, of each consent, and how many polls were answered."""

    def __init__(self) -> None:
        self.first: dict[str, list[int]] = {}
        self.handed: set[str] = set()
        self.settled: set[str] = set()
        self.answered = 0

    async def answers(self, count: int) -> None:
        """Wait for so many more polls to be answered, or for the end."""
        enough = self.answered + count
        while self.answered < enough and len(self.settled) < ALL:
            await asyncio.sleep(0.02)

    def hear(self, entry_id: str, entry: dict[str, Any]) -> None:
        if entry_id not in self.handed:
            self.handed.add(entry_id)
            self.first.setdefault(entry["subject"], []).append(int(entry["sequence"]))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """A PostgreSQL; None: a file of the service's own."""
    if request.param == "sqlite":
        return None
    another: Callable[[], str] = request.getfixturevalue("another_postgres")
    return another()


@pytest.mark.timeout(240)
async def test_whoever_is_killed_all_is_handed_out_in_order_and_taken(tmp_path: Path, database_url: str | None) -> None:
    dice, story = Random(7), Story()
    async with serving(tmp_path, database_url) as (apis, door, issuer_url), AsyncExitStack() as stack:
        key = await apis[0].run("keys", "add-api-key", "--name", "test", "--scope", "read,write")
        http = await stack.enter_async_context(aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}))
        for n in range(CONSENTS):
            body = {"provider": "demobank", "kind": "account-access", "consent_id": f"c{n}"}
            async with http.post(f"{apis[0].url}/v1/consents", json=body) as response:
                assert response.status == 201
        wanted = {"types": ["consent.status_changed"], "poll": {"visibility_seconds": 3}}
        async with http.post(f"{apis[0].url}/v1/subscriptions", json=wanted) as response:
            assert response.status == 201
            path = f"/v1/subscriptions/{(await response.json())['id']}/poll"
        for round_ in range(ROUNDS):
            for n in range(CONSENTS):
                at = datetime(2026, 3, 2, 6, tzinfo=UTC) + timedelta(seconds=100 * round_ + n)
                status = ("Authorized", "Suspended")[round_ % 2]
                event = an_event(issuer_url, f"c{n}", status, at.isoformat(), time.time())
                async with http.post(f"{door}/webhooks/uae-v2.1", data=event) as response:
                    assert response.status == 202

        async def kill() -> None:
            while len(story.settled) < ALL:
                # So many answers later, however slow they are: who is killed before he answers anything comes no further.
                await story.answers(dice.randint(1, 25))
                await asyncio.sleep(dice.uniform(0, 0.05))
                victim = dice.choice(apis)
                await victim.kill()
                await victim.start()

        async with asyncio.timeout(180):
            pollers = [Poller(apis, path, Random(n), story).run(http) for n in range(3)]
            await asyncio.gather(kill(), *pollers)
        assert len(story.handed) == ALL
        assert story.settled == story.handed
        for consent in story.first.values():
            assert consent == sorted(consent)
        assert apis[0].rows("SELECT count(*) FROM dead_letter") == [(0,)]


async def test_a_stop_does_not_wait_for_who_waits(tmp_path: Path) -> None:
    async with serving(tmp_path, None) as ((service,), *_), aiohttp.ClientSession() as http:
        key = await service.run("keys", "add-api-key", "--name", "test", "--scope", "read,write")
        http.headers["Authorization"] = f"Bearer {key}"
        async with http.post(f"{service.url}/v1/subscriptions", json={}) as response:
            path = f"/v1/subscriptions/{(await response.json())['id']}/poll"

        async def poll() -> Any:
            async with http.post(service.url + path, json={}) as response:
                return await response.json()

        waiting = asyncio.create_task(poll())
        async with http.post(service.url + path, json={"returnImmediately": True}) as response:
            assert response.status == 200
        await asyncio.wait({waiting}, timeout=0.3)
        assert not waiting.done()
        began = time.monotonic()
        assert await service.terminate() == 0
        assert time.monotonic() - began < 10
        assert await waiting == {"sets": {}, "moreAvailable": False}
