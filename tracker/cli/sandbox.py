"""`tracker sandbox`: the simulated API Hub alone."""

import asyncio
from contextlib import suppress
from typing import Annotated

import typer

from tracker.domain.errors import ConfigurationError

app = typer.Typer(help="A simulated API Hub to try things with.", no_args_is_help=True)


@app.callback()
def sandbox() -> None:
    """A simulated API Hub to try things with."""


@app.command(epilog="Example: tracker sandbox hub --port 9000")
def hub(port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 9000) -> None:
    """Run a simulated API Hub until it is interrupted; it is driven over HTTP."""
    from tracker.sandbox.runner import serve  # noqa: PLC0415

    async def run() -> None:
        try:
            await serve(port, lambda text: print(text, flush=True))
        except OSError as error:
            raise ConfigurationError(f"Nothing can listen on port {port}: {error.strerror}.") from error

    with suppress(KeyboardInterrupt):
        asyncio.run(run())
