"""Running everything, and taking it down in order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeVar

from tracker.app.composition import Tracker, build
from tracker.app.database import database_place, require_own_past, require_schema
from tracker.app.listening import Doors, listening
from tracker.app.ring import require_ring
from tracker.app.sealing import sealing_loop, warn_of_no_ring
from tracker.app.tracing import following
from tracker.app.world import World
from tracker.domain.errors import ConfigurationError, StorageError
from tracker.settings import Settings
from tracker.worker import Loop, Tick, Worker

_log = logging.getLogger(__name__)

T = TypeVar("T")

_ASK_EVERY_SECONDS = 1.0
_TICK_EVERY_SECONDS = 1.0
_KEYS_EVERY_SECONDS = 60.0
_TRIM_EVERY_SECONDS = 3600.0
_CERTIFICATES_EVERY_SECONDS = 10.0
_BATCHES_APART_SECONDS = 0.02  # a transaction costs as much as several events; nobody notices so little
_WATCH_EVERY_SECONDS = 5.0
_DISPOSE_EVERY_SECONDS = 60.0


class Role(StrEnum):
    """What a process does; one may do all."""

    RECEIVER = "receiver"
    """Takes events in."""
    API = "api"
    """Answers the back office."""
    WORKER = "worker"
    """Opens events, asks holders, watches the clock, tells subscribers."""


ALL_ROLES: Final = frozenset(Role)


def worker_for(tracker: Tracker, roles: Collection[Role] = ALL_ROLES) -> Worker:
    """Make the worker of a tracker: what runs when. Without the role there is little of it."""
    certificates = [_certificates(tracker)] if tracker.certificates else []
    # Whoever has registered or asked about a consent schedules the next question: it must know how the provider is doing.
    standing = [*certificates, _condition(tracker)]
    if Role.WORKER not in roles:
        return Worker(ticks=standing, loops=[])
    clock = tracker.world.clock
    asks = [
        Tick(
            name=f"asking {provider.id}",
            run=partial(tracker.shared_asks.run_once, provider.id),
            every_seconds=_ASK_EVERY_SECONDS,
            bell=tracker.bells.asks,
        )
        for provider in tracker.providers
    ]
    revocations = [
        Tick(
            name=f"revoking at {provider.id}",
            run=partial(tracker.shared_revocations.run_once, provider.id),
            every_seconds=_ASK_EVERY_SECONDS,
        )
        for provider in tracker.providers
    ]
    keys = [
        Tick(
            name=f"keys of {provider.id}",
            run=partial(tracker.reopening.refresh, provider),
            every_seconds=_KEYS_EVERY_SECONDS,
        )
        for provider in tracker.providers
    ]
    return Worker(
        ticks=[
            *revocations,
            *asks,
            *keys,
            *standing,
            Tick(name="the watch", run=tracker.watch.run_once, every_seconds=_WATCH_EVERY_SECONDS),
            Tick(name="the clock", run=tracker.expiry.run_once, every_seconds=_TICK_EVERY_SECONDS),
            Tick(
                name="events for our keys",
                run=tracker.returned_keys.run_once,
                every_seconds=_KEYS_EVERY_SECONDS,
                bell=tracker.returned_keys.bell,
            ),
            Tick(name="notices", run=tracker.notices.run_once, every_seconds=_TICK_EVERY_SECONDS),
            Tick(name="completions", run=tracker.services.completions.run_once, every_seconds=_TICK_EVERY_SECONDS),
            Tick(name="base groups", run=tracker.siblings.run_once, every_seconds=_TICK_EVERY_SECONDS),
            *tracker.auditing.ticks(),
            Tick(name="access record", run=tracker.services.accesses.forget_old, every_seconds=_TRIM_EVERY_SECONDS),
            Tick(
                name="disposal",
                run=tracker.services.retention.disposal.run_once,
                every_seconds=_DISPOSE_EVERY_SECONDS,
            ),
            Tick(
                name="housekeeping",
                run=lambda: tracker.store.trim(clock.now()),
                every_seconds=_TRIM_EVERY_SECONDS,
            ),
        ],
        loops=[
            Loop(
                name="opening",
                run=tracker.opening.run_once,
                bell=tracker.bells.inbox,
                apart_seconds=_BATCHES_APART_SECONDS,
            ),
            sealing_loop(tracker),
        ],
    )


def _certificates(tracker: Tracker) -> Tick:
    """Look at the files: a few calls of the system, unless something has changed."""
    look = partial(tracker.certificates.reload, force=False)
    return Tick(name="certificates", run=look, every_seconds=_CERTIFICATES_EVERY_SECONDS)


def _condition(tracker: Tracker) -> Tick:
    """Tell the others how the providers are doing as far as we see, and see how they are doing as far as all do."""

    async def look() -> None:
        await tracker.pulse.write()
        await tracker.conditions.refresh()

    return Tick(name="the providers' condition", run=look, every_seconds=_WATCH_EVERY_SECONDS)


@asynccontextmanager
async def running(tracker: Tracker, roles: Collection[Role] = ALL_ROLES) -> AsyncIterator[str]:
    """Run a tracker: HTTP, the worker, the notifications. Gives the URL where it listens.

    On leaving, nothing new is taken in, what is under way is finished, and what was answered for is in the database.
    """
    await require_ring(tracker.store, tracker.store.vault.safe.ring)
    worker = worker_for(tracker, roles)
    standing: list[asyncio.Task[None]] = []
    if Role.WORKER in roles:
        standing.append(asyncio.create_task(tracker.notifier.run(), name="notifications"))
        standing.append(asyncio.create_task(tracker.services.resending.replayer.run(), name="replays"))
        standing.extend(tracker.auditing.standing())
    if tracker.wakeups is not None:
        standing.append(asyncio.create_task(tracker.wakeups.run(), name="wake-ups"))

    async def is_ready() -> bool:
        is_working = worker.is_working and not any(task.done() for task in standing)
        return is_working and await tracker.services.is_ready()

    try:
        # Leaving it, the doors are closed first, and requests under way are answered.
        doors = Doors(receiver=Role.RECEIVER in roles, api=Role.API in roles)
        async with listening(tracker, replace(tracker.services, is_ready=is_ready), doors):
            worker.start()
            yield tracker.listens_at["http"]
    finally:
        # Side by side, so that none of them uses up the time of the others.
        for task in standing:
            task.cancel()
        await asyncio.gather(_stopped(worker, tracker), *standing, return_exceptions=True)


async def _stopped(worker: Worker, tracker: Tracker) -> None:
    await worker.stop()
    with suppress(StorageError):
        await tracker.pulse.write()
    await tracker.auditing.leave()
    await tracker.shared_asks.leave()
    await tracker.opening.leave()


@asynccontextmanager
async def service(
    settings: Settings, world: World | None = None, roles: Collection[Role] = ALL_ROLES
) -> AsyncIterator[tuple[Tracker, str]]:
    """Run the service on its database, or some roles of it; one service a SQLite file.

    Raises:
        ConfigurationError: Something that the configuration names cannot be used, or another service has the file.
    """
    place = database_place(settings)
    if not place.is_shared and set(roles) != ALL_ROLES:
        raise ConfigurationError("On SQLite one process has all roles: leave --roles out.")
    with place.occupy():
        require_schema(settings)
        require_own_past(settings)
        # What is followed is told to the end: the last spans come while everything else is taken down.
        async with following(settings) as spans:
            watched = world or World()
            if spans is not None:
                watched = replace(watched, spans=spans)
            warn_of_no_ring(settings)
            async with build(settings, watched) as tracker, running(tracker, roles) as url:
                yield tracker, url


async def with_tracker(settings: Settings, deed: Callable[[Tracker], Coroutine[Any, Any, T]]) -> T:
    """Make everything, do one thing with it without running anything else, and take it down. For the command line."""
    require_schema(settings)
    async with build(settings) as tracker:
        return await deed(tracker)
