"""What a holder sends, what a back office registers and what a subscriber is told, each written down to be reckoned up later."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from tests.e2e.fleet import Fleet
from tests.e2e.service import an_event

_START = datetime(2026, 3, 2, 6, tzinfo=UTC)
_ANSWER_SECONDS = 20.0
_TRIES = 4
_NEW_EVERY = 8
_AGAIN_EVERY = 10

Key = tuple[str, datetime]
"""What makes an event unlike all others: its consent and its instant."""


@dataclass
class Ledger:
    """What was answered, and what was told.

    Attributes:
        sent: Events that were sent at all.
        acknowledged: Events that were answered 202.
        registered: Consents whose registration was answered 200 or 201.
        answers: How often each status came; 0: none.
        told: What the subscriber took, in the order in which it came.
    """

    sent: set[Key] = field(default_factory=set)
    acknowledged: set[Key] = field(default_factory=set)
    registered: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    told: list[dict[str, Any]] = field(default_factory=list)


@asynccontextmanager
async def subscriber(ledger: Ledger) -> AsyncIterator[str]:
    """Who is told everything; gives its URL."""

    async def take(request: web.Request) -> web.Response:
        ledger.told.append(await request.json())
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


class Load:
    """A holder that sends events at a steady rate, whatever comes of them, and a back office that registers meanwhile."""

    def __init__(self, fleet: Fleet, issuer_url: str, ledger: Ledger, dice: Random, api_key: str) -> None:
        self._fleet = fleet
        self._issuer_url = issuer_url
        self._ledger = ledger
        self._dice = dice
        self._api_key = api_key
        self._numbers: dict[str, int] = defaultdict(int)
        self._consents: list[str] = []
        self._events = 0

    def _session(self) -> aiohttp.ClientSession:
        headers = {"Authorization": f"Bearer {self._api_key}"}
        return aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS))

    async def begin(self, consents: int = 24) -> None:
        """Register the first consents, once."""
        async with self._session() as http:
            missing = range(consents - len(self._consents))
            await asyncio.gather(*(self._register(http, self._new_consent()) for _ in missing))

    async def run(self, *, rate: float, until: asyncio.Event) -> None:
        """Send until told to end; return when all has been answered or given up."""
        async with self._session() as http:
            begin, n = time.monotonic(), 0
            async with asyncio.TaskGroup() as group:
                while not until.is_set():
                    if n % _NEW_EVERY == _NEW_EVERY - 1:  # its first event is sent while it is registered
                        group.create_task(self._register(http, self._new_consent()))
                        group.create_task(self._send(http, self._consents[-1]))
                    else:
                        group.create_task(self._send(http, self._dice.choice(self._consents)))
                    n += 1
                    await asyncio.sleep(max(0.0, begin + n / rate - time.monotonic()))

    def _new_consent(self) -> str:
        self._consents.append(f"c{len(self._consents)}")
        return self._consents[-1]

    async def _register(self, http: aiohttp.ClientSession, consent_id: str) -> None:
        body = {"provider": "demobank", "kind": "account-access", "consent_id": consent_id}
        while True:
            try:
                async with http.post(f"{self._fleet.api.url}/v1/consents", json=body) as response:
                    if response.status in {200, 201}:
                        self._ledger.registered.add(consent_id)
                        return
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(self._dice.uniform(0.2, 1))

    def make(self, consent_id: str) -> tuple[Key, bytes]:
        """A consent's next event."""
        at = _START + timedelta(seconds=self._events)
        self._events += 1
        status = ("Authorized", "Suspended")[self._numbers[consent_id] % 2]
        self._numbers[consent_id] += 1
        self._ledger.sent.add((consent_id, at))
        body = an_event(self._issuer_url, consent_id, status, at.isoformat(), time.time())
        return (consent_id, at), body

    async def _send(self, http: aiohttp.ClientSession, consent_id: str) -> None:
        """Send one as a holder does: again if it was not taken, and sometimes again although it was."""
        key, body = self.make(consent_id)
        for _ in range(_TRIES):
            status = await self._post(http, body)
            self._ledger.answers[status] += 1
            if status == 202:
                self._ledger.acknowledged.add(key)
                if self._dice.randrange(_AGAIN_EVERY):
                    return
            await asyncio.sleep(self._dice.uniform(0.2, 2))

    async def _post(self, http: aiohttp.ClientSession, body: bytes) -> int:
        try:
            async with http.post(f"{self._fleet.receiver.url}/webhooks/uae-v2.1", data=body) as response:
                return response.status
        except (aiohttp.ClientError, OSError):
            return 0
