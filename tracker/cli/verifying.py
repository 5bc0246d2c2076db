"""What `tracker journal verify` verifies: an export, or the database."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.output import console
from tracker.cli.running import do
from tracker.domain.errors import InvalidRequestError
from tracker.journal.checkpoint import NoteError
from tracker.journal.published import Published
from tracker.journal.verify import Verdict, verify_export
from tracker.usecases.verify_database import Anchors, DatabaseVerification

if TYPE_CHECKING:
    from tracker.app import Tracker

_MAX_CHECKPOINT_BYTES = 1_048_576  # what is longer is cut off, and then is none
"""What is longer is cut off, and then is none."""


def verify_folder(folder: Path, vkeys: Sequence[str], checkpoint: Path | None, *, allow_unanchored: bool) -> Verdict:
    """Verify an export.

    Raises:
        InvalidRequestError: Folder or checkpoint cannot be used.
        NoteError: A key is none.
    """
    if not folder.is_dir():
        raise InvalidRequestError(f"{folder} is no folder; name the one that `tracker journal export` made.")
    published = None if checkpoint is None else read_checkpoint(checkpoint)
    return verify_export(folder, vkeys, allow_unanchored=allow_unanchored, published=published)


def verify_database(vkeys: Sequence[str], checkpoint: Path | None, *, allow_unanchored: bool) -> Verdict:
    """Verify the database of the configuration, beside a service that runs.

    Raises:
        InvalidRequestError: The checkpoint cannot be used.
        NoteError: A key is none.
    """
    from rich.progress import Progress  # noqa: PLC0415

    published = None if checkpoint is None else read_checkpoint(checkpoint)
    anchors = Anchors(vkeys=vkeys, published=published, allow_unanchored=allow_unanchored)
    screen = console(stderr=True)

    async def deed(tracker: "Tracker") -> Verdict:
        verification = DatabaseVerification(tracker.store, tracker.store.audited)
        with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
            task = bar.add_task("verifying", total=None)
            return await verification.verify(anchors, lambda done, total: bar.update(task, completed=done, total=total))

    return do(deed)


def read_checkpoint(file: Path) -> Published:
    """Read a published checkpoint.

    Raises:
        InvalidRequestError: It is none.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_CHECKPOINT_BYTES)
        return Published.read(data.decode())
    except OSError as error:
        raise InvalidRequestError(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"{file} is no checkpoint: it is not UTF-8.") from error
    except NoteError as error:
        raise InvalidRequestError(f"{file} is no checkpoint: {error}") from error
