"""`tracker serve`: the service."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tracker.cli import logs
from tracker.cli.running import load
from tracker.domain.errors import ConfigurationError, TrackerError

if TYPE_CHECKING:
    from tracker.app import Role, Tracker
    from tracker.settings import Settings

_log = logging.getLogger(__name__)

GC_THRESHOLDS: Final = (20_000, 5, 2)
"""A batch of events is some ten thousand objects that live as long as the batch. Python would go through them again and again,
looking for cycles, each time 700 more have been made: a tenth of all CPU. But connections that are cut off leave cycles with
large buffers behind: with (20000, 20, 10) memory rose for as long as somebody went on cutting them off."""

SWITCH_SECONDS: Final = 0.001
"""So long a thread goes on when another one wants to. While threads open and judge a backlog, the event loop waits for that at
every step: by Python's 5 ms it told subscribers a third as much beside three busy threads, and these did no more for it."""

_ROLES = "receiver,api,worker"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: TRACKER_CONFIG=/etc/tracker.toml tracker serve")(serve)


def serve(
    roles: Annotated[str, typer.Option(help="What this process does; on SQLite one process has all roles.")] = _ROLES,
) -> None:
    """Run the service until SIGTERM; then what was begun is finished, and it exits with 0. SIGHUP reads key files again."""
    chosen = _chosen(roles)
    settings = load()
    logs.set_up(settings.log.level, settings.log.format)
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(settings, chosen))


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """The loop of the extra `uvloop`, where that is installed; else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


def _chosen(roles: str) -> "frozenset[Role]":
    from tracker.app import Role  # noqa: PLC0415 - the help should come at once

    try:
        return frozenset(Role(name.strip()) for name in roles.split(","))
    except ValueError as error:
        raise ConfigurationError(f"--roles takes {_ROLES.replace(',', ', ')}, separated by commas.") from error


def _leave_modules_alone() -> None:
    """Keep the collector from ever looking at what stays for good: a look at all of that stops everything for 0.1 s."""
    gc.collect()
    gc.freeze()


async def _run(settings: "Settings", roles: "Collection[Role]") -> None:
    from tracker.app import Role, service  # noqa: PLC0415 - the help should come at once

    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    _leave_modules_alone()
    async with service(settings, roles=roles) as (tracker, url):
        reloading = asyncio.create_task(_reload_whenever(reload, tracker), name="reloading")
        print(
            f"tracker listens on {url}  (API: {url}/docs)" if Role.API in roles else f"tracker listens on {url}",
            flush=True,
        )
        if own := tracker.listens_at.get("receiver"):
            print(f"events are received on {own}", flush=True)
        await stop.wait()
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)


async def _reload_whenever(told: asyncio.Event, tracker: "Tracker") -> None:
    """Reload each time it is told; what is told meanwhile is done afterwards, once."""
    while await told.wait():
        told.clear()
        try:
            await tracker.reload()
        except TrackerError as error:
            _log.error("Reloading failed; what is in use stays: %s", error)
        except Exception:  # noqa: BLE001 - logged; the service goes on with what it has
            _log.exception("Reloading failed; what is in use stays")
