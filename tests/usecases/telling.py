"""A tracker's journal, a subscriber on the loopback and a notifier between them, moved by hand."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.clocks import ManualClock
from tests.journal.drafts import a_draft, uuid
from tracker.adapters.clock import SystemEntropy, SystemIds
from tracker.adapters.sender import open_sender
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.subscription import EntryFilter, Subscription
from tracker.journal.entry import Entry
from tracker.ports import Sender, Store
from tracker.usecases import ping
from tracker.usecases.notify import Notifier
from tracker.usecases.stream import StreamPorts, Turn
from tracker.usecases.subscribe import Subscriptions
from tracker.usecases.wake import Bell

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SUBSCRIPTION = "0198f1c2-0000-7000-8000-0000000000aa"


class NoJitter:
    """`ports.Entropy` without surprises."""

    def token(self, size: int) -> bytes:
        return bytes(size)

    def fraction(self) -> float:
        return 0.0


class Subscriber:
    """A real HTTP server that answers as told and remembers.

    Attributes:
        answer: Gives the status for an entry; a string is a status with Retry-After behind a colon; 0 hangs up.
        answer_to_ping: The status for a ping; `pings` counts them.
        posts: Every (sequence, status), in order of arrival.
        bodies: What was posted last for each sequence.
        headers: Likewise.
        under_way: How many posts of each consent are being answered; `overlaps` says when that was ever two.
    """

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], int | str] = lambda _: 204
        self.before_answer: Callable[[], Any] | None = None
        self.answer_to_ping = 500
        self.pings = 0
        self.posts: list[tuple[int, int]] = []
        self.bodies: dict[int, bytes] = {}
        self.headers: dict[int, dict[str, str]] = {}
        self.under_way: dict[str, int] = defaultdict(int)
        self.most_under_way = 0
        self.overlaps: list[str] = []
        self.url = ""

    @property
    def taken(self) -> list[int]:
        """The sequences that were taken, in order, repeats too."""
        return [sequence for sequence, status in self.posts if 200 <= status < 300]

    @property
    def tried(self) -> list[int]:
        """The sequences that were posted, in order."""
        return [sequence for sequence, _ in self.posts]

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        entry = json.loads(body)
        if entry["type"] == ping.TYPE:
            self.pings += 1
            return web.Response(status=self.answer_to_ping)
        sequence, consent = int(entry["sequence"]), entry["data"]["tracking_id"]
        self.bodies[sequence], self.headers[sequence] = body, dict(request.headers)
        self.under_way[consent] += 1
        self.most_under_way = max(self.most_under_way, sum(self.under_way.values()))
        if self.under_way[consent] > 1:
            self.overlaps.append(consent)
        try:
            if self.before_answer is not None:
                await self.before_answer()
            answer = self.answer(entry)
        finally:
            self.under_way[consent] -= 1
        status, _, retry_after = str(answer).partition(":")
        if status == "0" and request.transport is not None:
            self.posts.append((sequence, 0))
            request.transport.abort()
            return web.Response()
        self.posts.append((sequence, int(status)))
        return web.Response(status=int(status), headers={"Retry-After": retry_after} if retry_after else {})

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/hook", self.handle)
        async with TestServer(app) as server:
            self.url = str(server.make_url("/hook"))
            yield


class Interrupted:
    """A store or sender that does as the real one until it is told to fail."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.on_call: Callable[[str], None] = lambda _: None

    def __getattr__(self, name: str) -> Any:
        self.on_call(name)
        return getattr(self._inner, name)


class Telling:
    """All of it."""

    def __init__(self, path: Path, store: SqlStore, sender: Sender, subscriber: Subscriber) -> None:
        self.path = path
        self.clock = ManualClock()
        self.real_store = store
        self.store = Interrupted(store)
        self.sender = sender
        self.subscriber = subscriber
        self.news = Bell()
        self.changed = Bell()
        self.most_parked = 1_000
        self._last_id = 0
        self.notifier = self.restart()

    def restart(self, **changes: Any) -> Notifier:
        """A new notifier, as after a crash: it knows what is in the store."""
        ports = StreamPorts(
            store=cast("Store", self.store),
            sender=self.sender,
            clock=self.clock,
            ids=SystemIds(),
            entropy=NoJitter(),
            news=self.news,
            most_parked=self.most_parked,
            grace_seconds=0.2,
        )
        self.notifier = Notifier(replace(ports, **changes), self.changed)
        return self.notifier

    async def subscribe(self, **changes: Any) -> Subscription:
        facts: dict[str, Any] = {
            "id": SUBSCRIPTION,
            "url": self.subscriber.url,
            "secret": SECRET,
            "cursor": 0,
            "entry_filter": EntryFilter(types=("*",)),
            "created_at": self.clock.now(),
        }
        subscription = Subscription(**facts | changes)
        await self.store.add_subscription(subscription)
        return subscription

    async def append(self, *consents: int, **changes: Any) -> list[Entry]:
        """One entry for each number, about the consent of that number."""
        drafts = []
        for consent in consents:
            self._last_id += 1
            drafts.append(a_draft(**{"id": uuid(self._last_id), "tracking_id": uuid(1_000 + consent)} | changes))
        entries: list[Entry] = await self.real_store.transact(lambda tx: tx.append(drafts, self.clock.now()))
        return entries

    async def turn(self) -> Turn:
        return await self.notifier.run_once(SUBSCRIPTION)

    async def turns(self, seconds: float) -> None:
        """Let time pass, with a turn whenever one is due."""
        end = self.clock.now().timestamp() + seconds
        while True:
            turn = await self.turn()
            left = end - self.clock.now().timestamp()
            due = left if turn.next_at is None else (turn.next_at - self.clock.now()).total_seconds()
            if turn.is_over or due >= left:
                self.clock.advance(max(left, 0))
                return
            self.clock.advance(max(due, 0.001))

    async def saved(self) -> Subscription:
        found = await self.real_store.get_subscription(SUBSCRIPTION)
        assert found is not None
        return found

    async def parked(self) -> dict[int, int]:
        """Parked sequences, and how often each was refused alone."""
        return {row.sequence: row.attempts for row in await self.real_store.parked(SUBSCRIPTION)}

    def dead_letters(self) -> dict[int, int]:
        """Sequences given up, and after how many refusals."""
        connection = sqlite3.connect(self.path)
        try:
            return dict(connection.execute("SELECT sequence, attempts FROM dead_letter ORDER BY sequence").fetchall())
        finally:
            connection.close()


@asynccontextmanager
async def telling(database: Path) -> AsyncIterator[Telling]:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    subscriber = Subscriber()
    try:
        async with subscriber.serve(), open_sender(LOOPBACK, total_seconds=5) as sender:
            yield Telling(database, store, sender, subscriber)
    finally:
        await store.close()


def first_deliveries(taken: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(taken))


def subscriptions(world: Telling) -> Subscriptions:
    """Who changes the terms of a subscription, beside the notifier."""
    return Subscriptions(
        store=world.real_store,
        clock=world.clock,
        ids=SystemIds(),
        entropy=SystemEntropy(),
        check_url=lambda _: None,
        changed=world.changed,
    )
