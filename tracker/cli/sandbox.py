"""`tracker sandbox`: the simulated API Hub alone."""

import asyncio
import signal
from contextlib import suppress
from typing import Annotated

import typer

from tracker.cli.output import print_line
from tracker.cli.running import load
from tracker.domain.errors import ConfigurationError

app = typer.Typer(
    help="A simulated API Hub to try things with.",
    epilog="Example: tracker sandbox hub --port 9000",
    no_args_is_help=True,
)


@app.callback()
def sandbox() -> None:
    """A simulated API Hub to try things with."""


@app.command(epilog="Example: tracker sandbox hub --port 9000")
def hub(port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 9000) -> None:
    """Run a simulated API Hub until SIGTERM or Ctrl-C; it is driven over HTTP."""
    asyncio.run(_run(port))


async def _run(port: int) -> None:
    from tracker.sandbox.runner import serve  # noqa: PLC0415

    serving = asyncio.ensure_future(serve(port, lambda text: print(text, flush=True)))
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, serving.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await serving
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigurationError(f"Nothing can listen on port {port}: {error.strerror}; choose another.") from error


@app.command("register", epilog="Example: tracker sandbox register --hub http://127.0.0.1:9000")
def register_clients(
    hub_url: Annotated[str, typer.Option("--hub", help="Where the simulated hub is.")] = "http://127.0.0.1:9000",
    webhooks: Annotated[
        str | None, typer.Option(help="Where it is to send events; by default where `tracker serve` will listen.")
    ] = None,
) -> None:
    """Tell a simulated hub our clients, their public keys and where events go: what a real directory would be told."""
    from tracker.app import public_keys  # noqa: PLC0415
    from tracker.sandbox.enrolment import enrol  # noqa: PLC0415
    from tracker.sandbox.errors import SandboxError  # noqa: PLC0415

    settings = load()
    url = webhooks or f"http://{settings.http.host}:{settings.http.port}"
    known = public_keys(settings)["clients"]
    for client in settings.client:
        door = f"{url}/webhooks/{client.profile}"
        try:
            asyncio.run(enrol(hub_url, client.client_id, known[client.client_id], door))
        except SandboxError as error:
            raise ConfigurationError(str(error)) from error
        print_line(f"{client.client_id} is registered; its events go to {door}.")
