"""`tracker serve`: the service."""

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import logs
from tracker.cli.running import load
from tracker.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from tracker.settings import Settings

_ROLES = ("receiver", "api", "worker")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: TRACKER_CONFIG=/etc/tracker.toml tracker serve")(serve)


def serve(
    roles: Annotated[str, typer.Option(help="On SQLite one process has all roles.")] = ",".join(_ROLES),
) -> None:
    """Run the service until SIGTERM; then what was begun is finished, and it exits with 0."""
    if {role.strip() for role in roles.split(",")} != set(_ROLES):
        raise ConfigurationError("On SQLite one process has all roles: leave --roles out.")
    settings = load()
    logs.set_up(settings.log.level, settings.log.format)
    asyncio.run(_run(settings))


async def _run(settings: "Settings") -> None:
    from tracker.app import service  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    async with service(settings) as (tracker, url):
        print(f"tracker listens on {url}  (API: {url}/docs)", flush=True)
        if own := tracker.listens_at.get("receiver"):
            print(f"events are received on {own}", flush=True)
        await stop.wait()
