"""Running everything, and taking it down in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from tracker.adapters.store.service_lock import ServiceLock
from tracker.app.composition import Tracker, World, build
from tracker.app.database import database_file, require_schema
from tracker.app.listening import listening
from tracker.app.tracing import following
from tracker.settings import Settings
from tracker.worker import Loop, Tick, Worker

T = TypeVar("T")

_ASK_EVERY_SECONDS = 1.0
_TICK_EVERY_SECONDS = 1.0
_KEYS_EVERY_SECONDS = 60.0
_TRIM_EVERY_SECONDS = 3600.0
_CERTIFICATES_EVERY_SECONDS = 10.0


def worker_for(tracker: Tracker) -> Worker:
    """Make the worker of a tracker: what runs when."""
    clock, asker = tracker.world.clock, tracker.services.asker
    asks = [
        Tick(
            name=f"asking {provider.id}",
            run=partial(asker.run_once, provider.id),
            every_seconds=_ASK_EVERY_SECONDS,
            bell=tracker.ask_bell,
        )
        for provider in tracker.providers
    ]
    keys = [
        Tick(
            name=f"keys of {provider.id}",
            run=partial(tracker.opening.key_wait.refresh, provider),
            every_seconds=_KEYS_EVERY_SECONDS,
        )
        for provider in tracker.providers
    ]
    return Worker(
        ticks=[
            *asks,
            *keys,
            *([_certificates(tracker)] if tracker.certificates else []),
            Tick(name="the clock", run=tracker.expiry.run_once, every_seconds=_TICK_EVERY_SECONDS),
            Tick(
                name="housekeeping",
                run=lambda: tracker.store.trim(clock.now()),
                every_seconds=_TRIM_EVERY_SECONDS,
            ),
        ],
        loops=[Loop(name="opening", run=tracker.opening.run_once, bell=tracker.inbox_bell)],
    )


def _certificates(tracker: Tracker) -> Tick:
    """Look at the files: a few calls of the system, unless something has changed."""
    look = partial(tracker.certificates.reload, force=False)
    return Tick(name="certificates", run=look, every_seconds=_CERTIFICATES_EVERY_SECONDS)


@asynccontextmanager
async def running(tracker: Tracker) -> AsyncIterator[str]:
    """Run a tracker: HTTP, the worker, the notifications. Gives the URL where it listens.

    On leaving, nothing new is taken in, what is under way is finished, and what was answered for is in the database.
    """
    worker = worker_for(tracker)
    notifying = asyncio.create_task(tracker.notifier.run(), name="notifications")

    async def is_ready() -> bool:
        return worker.is_working and not notifying.done() and await tracker.services.is_ready()

    try:
        # Leaving it, the doors are closed first, and requests under way are answered.
        async with listening(tracker, replace(tracker.services, is_ready=is_ready)):
            worker.start()
            yield tracker.listens_at["http"]
    finally:
        await worker.stop()
        notifying.cancel()
        with suppress(asyncio.CancelledError):
            await notifying


@asynccontextmanager
async def service(settings: Settings, world: World | None = None) -> AsyncIterator[tuple[Tracker, str]]:
    """Run the whole service on its database; one service a file.

    Raises:
        ConfigurationError: Something that the configuration names cannot be used, or another service has the file.
    """
    with ServiceLock(database_file(settings)):
        require_schema(settings)
        # What is followed is told to the end: the last spans come while everything else is taken down.
        async with following(settings) as spans:
            watched = world or World()
            if spans is not None:
                watched = replace(watched, spans=spans)
            async with build(settings, watched) as tracker, running(tracker) as url:
                yield tracker, url


async def with_tracker(settings: Settings, deed: Callable[[Tracker], Coroutine[Any, Any, T]]) -> T:
    """Make everything, do one thing with it without running anything else, and take it down. For the command line."""
    require_schema(settings)
    async with build(settings) as tracker:
        return await deed(tracker)
