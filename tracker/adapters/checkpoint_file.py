"""Checkpoints in a file that others can read: in a folder that a web server shows, on a disk that we cannot write twice."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import Final

from tracker.domain.checkpoint_errors import PublishingError

_MAX_BYTES: Final = 1_048_576
_MODE: Final = 0o644


class CheckpointFile:
    """Implements `ports.Outlet`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def shown(self) -> str | None:
        """What is in it."""
        return await asyncio.to_thread(self._read)

    async def show(self, note: str) -> None:
        """Replace it, in one step for whoever reads it."""
        await asyncio.to_thread(self._write, note)

    def _read(self) -> str | None:
        try:
            with self._path.open("rb") as file:
                return file.read(_MAX_BYTES).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PublishingError(f"{self._path} cannot be read: {error.strerror}.") from error

    def _write(self, note: str) -> None:
        path = Path(os.path.realpath(self._path))  # a link stays a link: it leads to where others look
        partial = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}.partial")  # of this thread alone
        try:
            partial.unlink(
                missing_ok=True
            )  # of a process that died at it; a link that somebody put there is not followed
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
                file.write(note.encode())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _settle(path.parent)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise PublishingError(f"{self._path} cannot be written: {error.strerror}.") from error


def _settle(folder: Path) -> None:
    """Have the disk keep the new name too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
