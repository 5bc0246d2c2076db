"""`tracker journal checkpoint`: signing what the journal is now."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.output import Json, print_json, print_line
from tracker.cli.running import do

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.ports.checkpoints import StoredCheckpoint


def checkpoint(
    timestamp: Annotated[
        Path | None,
        typer.Option(help="Write what the time-stamping authority said to this file, if it has said anything."),
    ] = None,
    json: Json = False,
) -> None:
    """Sign a checkpoint over all entries that there are, and print it. It may run beside the service."""
    from tracker.domain.errors import InvalidRequestError, NotFoundError  # noqa: PLC0415

    async def deed(tracker: "Tracker") -> "StoredCheckpoint":
        made = await tracker.auditing.checkpoints.require_head()
        await tracker.auditing.checkpoints.stamp()
        return await tracker.auditing.checkpoints.at(made.size)

    made = do(deed)
    if timestamp is not None:
        if made.timestamp is None:
            raise NotFoundError("No time-stamping authority has stamped this checkpoint; see [audit] timestamp_url.")
        try:
            timestamp.write_bytes(made.timestamp)
        except OSError as error:
            raise InvalidRequestError(f"{timestamp} cannot be written: {error.strerror}.") from error
    if json:
        from tracker.web.api.shapes.audit import CheckpointOut  # noqa: PLC0415

        print_json(CheckpointOut.of(made).model_dump(mode="json"))
    else:
        print_line((made.note or "").removesuffix("\n"))
