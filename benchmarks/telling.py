"""What telling subscribers costs: against a bare loop that signs and posts the same bodies, and with many subscribers.

    python -m benchmarks.telling [--database URL] [--entries 10000] [--rounds 2] [--most 64]
    python -m benchmarks.telling --subscribers 100 --entries 100000 --hear 0.01

The subscriber's server is a process of its own on a plain socket, and takes all. `bare` is an aiohttp client session with as
many posts at a time as ours may have, which signs each body as ours does and posts it; `ours` is the notifier of the service,
reading the journal from a real database and writing down how far it came. They take turns. CPU is of this process, in µs a
delivery, by stage: `sign`, `post` (the bare loop without signing), `read_and_write` (all threads but the event loop's), and
`order` (what ours does beyond that on the event loop). With `--subscribers` there are no bare turns; rows written are counted
while all are told. Prints one JSON object.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import event
from sqlalchemy.engine import Engine
from standardwebhooks import Webhook

from benchmarks.machine import Database, database, description
from benchmarks.wire import Told, sink
from tests.contract.facts import a_consent, append, draft_about, save
from tests.e2e.service import Service, issuer
from tracker.app.composition import Tracker, build
from tracker.app.database import require_schema, upgrade_database
from tracker.cli.serve import GC_THRESHOLDS
from tracker.domain.consent import ConsentId
from tracker.domain.manner import Manner
from tracker.domain.subscription import EntryFilter
from tracker.journal.entry import Entry
from tracker.settings import load_settings
from tracker.usecases.subscribe import SubscriptionRequest

_ALLOWED = '[notifications]\nallow_networks = ["127.0.0.0/8"]\n'
_AT_ONCE = 500
_CONSENTS = 1000
_LOOK_SECONDS = 0.02


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", help="`postgresql:` starts a server; or the URL of one. Without: SQLite")
    options.add_argument("--entries", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--most", type=int, default=64, help="posts to one subscriber at a time")
    options.add_argument("--subscribers", type=int, default=1)
    options.add_argument("--hear", type=float, default=1.0, help="which part of the entries each subscriber hears")
    chosen = options.parse_args()
    gc.set_threshold(*GC_THRESHOLDS)
    with database(chosen.database) as place:
        print(json.dumps(asyncio.run(run(chosen, place)), indent=2))


async def run(options: argparse.Namespace, place: Database) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="telling-") as folder, subscriber() as (url, counter):
        async with issuer() as issuer_url:
            settings = load_settings(Service(Path(folder), issuer_url, _ALLOWED, postgres=place.url).environment)
            if place.url is not None:
                await asyncio.to_thread(upgrade_database, settings, "head")
            await asyncio.to_thread(require_schema, settings)
            async with build(settings) as tracker:
                entries = await fill(tracker, options.entries, max(1, round(1 / options.hear)))
                gc.freeze()
                measure = many if options.subscribers > 1 else against_a_bare_loop
                found = await measure(tracker, entries, url, counter, options)
    return {
        "machine": description(),
        "versions": place.version(),
        "entries": len(entries),
        "at_a_time": options.most,
        **found,
    }


@contextmanager
def subscriber() -> Any:
    """A process that takes all; gives its URL, and a connection.

    What is sent there is a number; how much it has taken is answered once that is as much. So nobody has to ask again and again,
    which would cost the one that is measured.
    """
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        process.kill()


def _serve(pipe: Connection) -> None:
    taken, wanted = 0, list[int]()

    def take(_: Told) -> None:
        nonlocal taken
        taken += 1
        answer()

    def answer() -> None:
        if wanted and taken >= wanted[0]:
            pipe.send(taken)
            wanted.clear()

    def hear() -> None:
        wanted.append(pipe.recv())
        answer()

    async def serve() -> None:
        async with sink(take) as url:
            pipe.send(url)
            asyncio.get_running_loop().add_reader(pipe.fileno(), hear)
            await asyncio.Event().wait()

    asyncio.run(serve())


async def fill(tracker: Tracker, count: int, kinds: int) -> list[Entry]:
    """Write a journal of entries about a thousand consents, of so many types."""
    consents = [a_consent(consent_id=ConsentId(f"c{n}")) for n in range(_CONSENTS)]
    await save(tracker.store, *consents)
    entries: list[Entry] = []
    now = datetime.now(UTC)
    for begin in range(0, count, _AT_ONCE):
        drafts = [
            replace(draft_about(consents[n % _CONSENTS]), type=f"consent.kind_{n % kinds}")
            for n in range(begin, min(count, begin + _AT_ONCE))
        ]
        entries += await append(tracker.store, *drafts, now=now + timedelta(milliseconds=begin))
    return entries


# ---------------------------------------------------------------------------------------------- one subscriber


async def against_a_bare_loop(
    tracker: Tracker, entries: Sequence[Entry], url: str, counter: Connection, options: argparse.Namespace
) -> dict[str, object]:
    bodies = [(entry.id, entry.told(with_private=False)) for entry in entries]
    turns: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    for _ in range(options.rounds):
        turns["bare"].append(await _bare(bodies, url, counter, options.most))
        turns["ours"].append(await _ours(tracker, url, counter, options))
    sign = _signing(bodies)
    median = {
        who: {name: statistics.median(t[name] for t in found) for name in found[0]} for who, found in turns.items()
    }
    bare, ours = median["bare"], median["ours"]
    return {
        "per_second": {who: [round(turn["per_second"]) for turn in found] for who, found in turns.items()},
        "ours_over_bare": round(ours["per_second"] / bare["per_second"], 2),
        "cpu_us": {who: round(found["loop_us"] + found["threads_us"], 1) for who, found in median.items()},
        "cpu_us_by_stage": {
            "sign": round(sign, 1),
            "post": round(bare["loop_us"] - sign, 1),
            "order": round(ours["loop_us"] - bare["loop_us"], 1),
            "read_and_write": round(ours["threads_us"], 1),
        },
    }


async def _bare(bodies: Sequence[tuple[str, bytes]], url: str, counter: Connection, most: int) -> dict[str, float]:
    rest = iter(bodies)

    async def one(session: aiohttp.ClientSession) -> None:
        for entry_id, body in rest:
            headers = _signed(entry_id, body, datetime.now(UTC))
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        with _spending(len(bodies)) as spent:
            before = _taken(counter)
            await asyncio.gather(*(one(session) for _ in range(most)))
            assert _taken(counter) - before == len(bodies)
    return spent


async def _ours(tracker: Tracker, url: str, counter: Connection, options: argparse.Namespace) -> dict[str, float]:
    await tracker.services.subscriptions.add(_request(url, "*", options))
    before = _taken(counter)
    with _spending(options.entries) as spent:
        async with _telling(tracker):
            await _told(counter, before + options.entries)
    for one in await tracker.services.subscriptions.list():
        await tracker.services.subscriptions.delete(one.id)
    return spent


def _request(url: str, pattern: str, options: argparse.Namespace) -> SubscriptionRequest:
    manner = Manner(most_in_flight=options.most)
    return SubscriptionRequest(url=url, entry_filter=EntryFilter(types=(pattern,)), from_sequence=1, manner=manner)


@asynccontextmanager
async def _telling(tracker: Tracker) -> AsyncIterator[None]:
    task = asyncio.create_task(tracker.notifier.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _told(counter: Connection, most: int) -> None:
    answered, loop = asyncio.Event(), asyncio.get_running_loop()
    counter.send(most)
    loop.add_reader(counter.fileno(), answered.set)
    try:
        await answered.wait()
    finally:
        loop.remove_reader(counter.fileno())
    counter.recv()


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    while not await is_so():  # noqa: ASYNC110 - it comes to be in another process
        await asyncio.sleep(_LOOK_SECONDS)


def _taken(counter: Connection) -> int:
    counter.send(0)
    taken: int = counter.recv()
    return taken


@contextmanager
def _spending(deliveries: int) -> Any:
    spent: dict[str, float] = {}
    began, cpu, loop = time.monotonic(), time.process_time(), time.thread_time()
    yield spent
    spent["per_second"] = deliveries / (time.monotonic() - began)
    spent["loop_us"] = (time.thread_time() - loop) / deliveries * 1e6
    spent["threads_us"] = (time.process_time() - cpu) / deliveries * 1e6 - spent["loop_us"]


_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _signed(entry_id: str, body: bytes, at: datetime) -> dict[str, str]:
    return {
        "Content-Type": "application/cloudevents+json",
        "webhook-id": entry_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(_SECRET).sign(entry_id, at, body.decode()),
    }


def _signing(bodies: Sequence[tuple[str, bytes]]) -> float:
    now, began = datetime.now(UTC), time.thread_time()
    for entry_id, body in bodies:
        _signed(entry_id, body, now)
    return (time.thread_time() - began) / len(bodies) * 1e6


# ---------------------------------------------------------------------------------------------- many subscribers


async def many(
    tracker: Tracker, entries: Sequence[Entry], url: str, counter: Connection, options: argparse.Namespace
) -> dict[str, object]:
    """Tell one subscriber, then many; each hears one of the types, and passes over the rest."""
    kinds, found = max(1, round(1 / options.hear)), {}
    for subscribers in (1, options.subscribers):
        patterns = [f"consent.kind_{n % kinds}" if kinds > 1 else "*" for n in range(subscribers)]
        heard = sum(sum(pattern in {"*", entry.type} for entry in entries) for pattern in patterns)
        for pattern in patterns:
            await tracker.services.subscriptions.add(_request(url, pattern, options))
        before, began = _taken(counter), time.monotonic()
        with _rows_written() as rows:
            async with _telling(tracker):
                await _told(counter, before + heard)
                seconds = time.monotonic() - began
                await _until(partial(_have_read_all, tracker, len(entries)))
        for one in await tracker.services.subscriptions.list():
            await tracker.services.subscriptions.delete(one.id)
        found[str(subscribers)] = {
            "deliveries": heard,
            "per_second": round(heard / seconds),
            "seconds": round(seconds, 1),
            "rows_written": dict(rows),
            "rows_per_delivery": round(sum(rows.values()) / heard, 4),
        }
    return {"each_hears_one_in": kinds, "subscribers": found}


async def _have_read_all(tracker: Tracker, head: int) -> bool:
    return min(one.cursor for one in await tracker.services.subscriptions.list()) >= head


@contextmanager
def _rows_written() -> Any:
    rows: dict[str, int] = {}

    def count(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        verb, *words = statement.split(None, 3)
        if verb in {"INSERT", "UPDATE", "DELETE"} and cursor.rowcount > 0:
            table = words[0] if verb == "UPDATE" else words[1]
            rows[table] = rows.get(table, 0) + cursor.rowcount

    event.listen(Engine, "after_cursor_execute", count)
    try:
        yield rows
    finally:
        event.remove(Engine, "after_cursor_execute", count)


if __name__ == "__main__":
    main()
