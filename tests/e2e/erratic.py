"""A subscriber that refuses at random, told by a service that is killed again and again: what it got, and how often."""

import asyncio
import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.e2e.service import Service, issuer
from tests.journal.drafts import a_draft, uuid
from tracker.adapters.clock import SystemClock, SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.manner import Attempts, Manner
from tracker.domain.subscription import EntryFilter, Subscription
from tracker.usecases.backlog import MOST_AHEAD

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SUBSCRIPTION = uuid(99)
SECTIONS = """
[log]
level = "error"
[notifications]
allow_networks = ["127.0.0.0/8"]
"""
SAVED_EVERY = 50
_AT_ONCE = 500


@dataclass
class Erratic:
    """A subscriber that refuses one in so many.

    Attributes:
        taken: What it took, in order, repeats too.
        posts: How often anything was posted.
    """

    dice: random.Random
    one_in: int = 10
    url: str = ""
    taken: list[int] = field(default_factory=list)
    posts: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        entry = json.loads(await request.read())
        self.posts += 1
        if self.dice.randrange(self.one_in) == 0:
            return web.Response(status=500)
        self.taken.append(int(entry.get("sequence", 0)))
        return web.Response(status=204)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        application = web.Application()
        application.router.add_post("/", self.handle)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        try:
            yield
        finally:
            await runner.cleanup()


@dataclass(frozen=True)
class Told:
    """What came of it.

    Attributes:
        entries: How many there were.
        missing: How many it never took.
        out_of_order: Of how many consents the first deliveries were not in order.
        repeats: How many it took more than once, all repeats counted.
        most_repeats_after_a_kill: Likewise, of what was taken between two kills.
        bound: What may be repeated after one kill: what is under way or delivered, and not written yet.
    """

    entries: int
    missing: int
    out_of_order: int
    repeats: int
    most_repeats_after_a_kill: int
    bound: int
    kills: int
    posts: int
    dead_letters: int
    seconds: float


async def play(
    folder: Path, *, entries: int, consents: int, kill_after: tuple[float, float], attempts: Attempts, seed: int
) -> Told:
    """Tell the whole journal, with a kill every few seconds until all has been taken."""
    dice = random.Random(seed)
    subscriber, manner = Erratic(dice), Manner(attempts=attempts)
    began, kills = time.monotonic(), []
    async with issuer() as issuer_url, subscriber.serve():
        service = Service(folder, issuer_url, SECTIONS)
        await service.run("db", "upgrade")
        lanes = await _fill(service.database, subscriber.url, manner, entries, consents, dice)
        everything = set(lanes)
        try:
            while not everything <= set(subscriber.taken):
                await service.start()
                until = time.monotonic() + dice.uniform(*kill_after)
                # At least one was taken: who is killed whenever he has only started comes no further, on a slow machine.
                had = kills[-1] if kills else 0
                while len(subscriber.taken) < entries * 3 and (
                    time.monotonic() < until or len(subscriber.taken) == had
                ):
                    await asyncio.sleep(0.05)
                await service.kill()
                kills.append(len(subscriber.taken))
        finally:
            await service.kill()
    with closing(sqlite3.connect(service.database)) as connection:
        [(dead,)] = connection.execute("SELECT count(*) FROM dead_letter").fetchall()
    taken = subscriber.taken
    return Told(
        entries=entries,
        missing=len(everything - set(taken)),
        out_of_order=_out_of_order(taken, lanes),
        repeats=len(taken) - len(set(taken)),
        most_repeats_after_a_kill=max(_repeats_between(taken, kills)),
        bound=MOST_AHEAD + SAVED_EVERY + 2 * manner.most_in_flight,
        kills=len(kills),
        posts=subscriber.posts,
        dead_letters=int(dead),
        seconds=round(time.monotonic() - began, 1),
    )


async def _fill(
    database: Path, url: str, manner: Manner, entries: int, consents: int, dice: random.Random
) -> dict[int, str]:
    """Write a journal, and somebody who is to be told all of it; give each sequence's consent."""
    store, now = SqlStore(SqliteDatabase(database), SystemIds()), SystemClock().now()
    drafts = [a_draft(id=uuid(n), tracking_id=uuid(10**6 + dice.randrange(consents))) for n in range(entries)]
    lanes: dict[int, str] = {}
    for n in range(0, entries, _AT_ONCE):
        some = drafts[n : n + _AT_ONCE]
        written = await store.transact(lambda tx, some=some: tx.append(some, now))
        lanes |= {entry.sequence: entry.lane for entry in written}
    told: dict[str, Any] = {"id": SUBSCRIPTION, "url": url, "secret": SECRET, "cursor": 0, "created_at": now}
    await store.add_subscription(Subscription(**told, entry_filter=EntryFilter(types=("*",)), manner=manner))
    await store.close()
    return lanes


def _out_of_order(taken: Iterable[int], lanes: dict[int, str]) -> int:
    stories: dict[str, list[int]] = {}
    for sequence in dict.fromkeys(taken):
        stories.setdefault(lanes[sequence], []).append(sequence)
    return sum(story != sorted(story) for story in stories.values())


def _repeats_between(taken: list[int], kills: list[int]) -> list[int]:
    """How many of what was taken after each kill, up to the next, had been taken before."""
    repeats, seen = [], Counter[int]()
    for begin, end in zip([0, *kills], [*kills, len(taken)], strict=True):
        repeats.append(sum(sequence in seen for sequence in taken[begin:end]))
        seen.update(taken[begin:end])
    return repeats
