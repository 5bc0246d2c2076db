"""Consents with a past, told to a database by the deeds themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.clocks import ManualClock
from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event, message, open_bench, our_crypto

START = datetime.fromisoformat("2026-03-02T06:10:00+00:00")


def tell(database: Path, keys: Path, story: Callable[[Bench], Awaitable[Any]]) -> Any:
    """Let a story happen on a database."""

    async def play() -> Any:
        async with open_bench(database, our_crypto(keys), clock=ManualClock(START)) as bench:
            return await story(bench)

    return asyncio.run(play())


def at(bench: Bench, text: str) -> None:
    bench.clock.set(datetime.fromisoformat(text))


async def hear(bench: Bench, status: str, time: str, **changes: Any) -> None:
    """Let the holder's event arrive now."""
    now = bench.clock.now().timestamp()
    found = data(status, time, **changes)
    await bench.deliver(event(found, iat=now - 1, nbf=now - 1, exp=now + 600, message=message(found, at=time)))


async def ask(bench: Bench, status: str, time: str) -> None:
    bench.holders.answers[CONSENT] = {"Data": data(status, time)}
    await bench.asker.ask_now((await bench.consent()).tracking_id)


async def a_whole_life(bench: Bench) -> None:
    """Polled, a missed step, suspended, restored, a late pair, nonsense, and an end by our clock, then by the holder."""
    await bench.register(user_ref="customer-42")
    at(bench, "2026-03-02T06:15:04+00:00")
    await ask(bench, "AwaitingAuthorization", "2026-03-02T10:15:00+04:00")
    at(bench, "2026-03-02T06:30:02+00:00")
    await hear(bench, "Suspended", "2026-03-02T10:30:00+04:00")
    at(bench, "2026-03-02T08:10:00+00:00")
    await hear(bench, "Authorized", "2026-03-02T12:10:00+04:00")
    at(bench, "2026-03-05T09:00:00+00:00")
    await hear(bench, "Authorized", "2026-03-05T12:40:00+04:00")
    at(bench, "2026-03-05T10:30:00+00:00")
    await hear(bench, "Suspended", "2026-03-05T12:30:00+04:00")
    at(bench, "2026-03-06T07:00:05+00:00")
    await hear(bench, "AwaitingAuthorization", "2026-03-06T11:00:00+04:00")
    at(bench, "2026-03-06T07:10:00+00:00")
    await ask(bench, "Authorized", "2026-03-05T12:40:00+04:00")
    at(bench, "2026-08-31T20:00:01+00:00")
    await bench.expiry.run_once()
    at(bench, "2026-08-31T20:02:05+00:00")
    await ask(bench, "Expired", "2026-09-01T00:00:00+04:00")


async def authorized(bench: Bench) -> None:
    await bench.register(user_ref="customer-42")
    at(bench, "2026-03-02T06:17:33+00:00")
    await hear(bench, "Authorized", "2026-03-02T10:17:31+04:00", ExpirationDateTime="2099-09-01T00:00:00+04:00")


__all__ = ["CONSENT", "DEMOBANK", "START", "a_whole_life", "ask", "at", "authorized", "hear", "tell"]
