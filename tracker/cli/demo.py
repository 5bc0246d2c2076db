"""`tracker demo`: the whole main job in one process, with a simulated API Hub and a subscriber."""

import asyncio
import logging
import signal
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: tracker demo --once")(demo)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Play the story, check every step, leave nothing behind.")
    ] = False,
) -> None:
    """See the main job happen: consents live and end, events get lost, repeated and forged, and the record stays right."""
    # The story is told by what is printed; of the log only what nobody expects.
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    if not asyncio.run(_play(once=once)):
        raise typer.Exit(1)


async def _play(*, once: bool) -> bool:
    from tracker.cli.demo_stage import open_stage  # noqa: PLC0415 - the help should come at once
    from tracker.cli.demo_story import play  # noqa: PLC0415

    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    async with open_stage() as stage:
        playing = asyncio.create_task(play(stage))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not playing.done():
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            stage.is_over = True
            stage.say("Interrupted: not all steps were played.")
            return not once
        held = playing.result()
        if held and not once:
            stage.say_where_to_look()
            await stop.wait()
        return held
