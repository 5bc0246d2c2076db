"""`tracker journal checkpoint`: signing what the journal is now."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.output import Json, print_json
from tracker.cli.running import do

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.ports.checkpoints import StoredCheckpoint


@dataclass(frozen=True, slots=True)
class Stamp:
    """Whether a time stamp holds.

    Attributes:
        ok: Whether it does.
        sentence: For people; when it was, or why not.
    """

    ok: bool
    sentence: str


def stamp_told(folder: Path | None, token: Path | None, authorities: Path | None) -> Stamp | None:
    """Check the time stamp of an export's checkpoint; None: nobody asked.

    Raises:
        InvalidRequestError: Only one of the two was given, or there is no export, or a file cannot be read.
    """
    from tracker.app import stamp_of  # noqa: PLC0415
    from tracker.domain.checkpoint_errors import TimestampError  # noqa: PLC0415
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415

    if token is None and authorities is None:
        return None
    if token is None or authorities is None:
        raise InvalidRequestError("Give both --timestamp and --timestamp-ca, or neither.")
    if folder is None:
        raise InvalidRequestError("A time stamp is checked with an export: name its folder.")
    try:
        at = stamp_of(folder, token, authorities)
    except TimestampError as error:
        return Stamp(ok=False, sentence=f"no: {error}")
    return Stamp(ok=True, sentence=f"{at:%Y-%m-%d %H:%M:%S} UTC, by an authority that you trust")


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
        print(made.note or "", end="")
