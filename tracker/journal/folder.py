"""A folder in which an export is written, and goes on to be written after whoever wrote it was killed.

    progress.json     what the export is of, and up to where its files are certain to be on the disk
    NAME.partial      a file that is being written
    NAME              a file that is whole
    manifest.json     appears last: a folder without one is an export that was cut off

What is behind the place that `progress.json` names is thrown away when the export goes on, and written again. The files are
readable by their owner alone: they hold private values.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Any, BinaryIO, Final

from tracker.domain.errors import TrackerError
from tracker.journal.manifest import MANIFEST_NAME, WrittenFile

PROGRESS_NAME: Final = "progress.json"
_NEW: Final = f"{PROGRESS_NAME}.new"


class ExportError(TrackerError):
    """The export cannot be written."""

    code = "export_failed"


class ExportFolder:
    """The folder of one export. It blocks on the disk: an asynchronous caller uses it in a thread."""

    def __init__(self, path: Path, plan: Mapping[str, Any] | None = None) -> None:
        """Begin, or go on where an export of the same plan was cut off.

        Args:
            path: Where; made if it is not there. It holds nothing, or an export that was cut off.
            plan: What the export is of, as JSON; None: whatever the one is of that was cut off.

        Raises:
            ExportError: There is something else in the folder, or it cannot be written.
        """
        self.path = path
        with self._told():
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            held = self._held()
            if held is None and any(one.name != _NEW for one in path.iterdir()):
                raise ExportError(f"{path} is not empty: name a new folder, an export never adds to one.")
            if held is not None and plan is not None and held["plan"] != plan:
                raise ExportError(f"{path} holds another export that was cut off: name a new folder, or delete it.")
            if held is None:
                if plan is None:
                    raise ExportError(f"{path} holds no export that was cut off.")
                held = {"plan": dict(plan), "state": {}}
            self.plan: dict[str, Any] = held["plan"]
            self.state: dict[str, Any] = held["state"]
            self.save(self.state)

    def save(self, state: Mapping[str, Any]) -> None:
        """Note up to where all is on the disk.

        Raises:
            ExportError: It cannot be written.
        """
        self.state = dict(state)
        with self._told():
            with _create(self.path / _NEW, os.O_TRUNC) as file:
                file.write(json.dumps({"plan": self.plan, "state": self.state}).encode())
                settle(file)
            (self.path / _NEW).replace(self.path / PROGRESS_NAME)

    def open(self, name: str, size: int) -> BinaryIO:
        """Open a file that is not finished, to go on behind so many bytes; what is there behind them is thrown away.

        Raises:
            ExportError: It is shorter, or cannot be written.
        """
        with self._told():
            file = _create(partial(self.path / name), 0)
            if file.seek(0, os.SEEK_END) < size:
                file.close()
                raise ExportError(
                    f"{self.path} cannot be gone on with: {name} is shorter than it was. Delete the folder."
                )
            file.truncate(size)
            file.seek(size)
            return file

    def sync(self, name: str) -> None:
        """Have the disk keep a file that is not finished, and is closed.

        Raises:
            ExportError: It cannot.
        """
        with self._told(), partial(self.path / name).open("rb") as file:
            os.fsync(file.fileno())

    def finished(self, name: str) -> WrittenFile:
        """Say what is in a file that is whole, under whichever name.

        Raises:
            ExportError: It cannot be read.
        """
        with self._told():
            place = self.path / name
            with (place if place.exists() else partial(place)).open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
                return WrittenFile(name, file.tell(), digest)

    def publish(self, names: list[str], manifest: bytes) -> None:
        """Give all files their names, the manifest last. It may be done again after it was cut off.

        Raises:
            ExportError: It cannot be written.
        """
        with self._told():
            with _create(partial(self.path / MANIFEST_NAME), os.O_TRUNC) as file:
                file.write(manifest)
                settle(file)
            for name in names:
                if partial(self.path / name).exists():
                    partial(self.path / name).rename(self.path / name)
            partial(self.path / MANIFEST_NAME).rename(self.path / MANIFEST_NAME)
            (self.path / PROGRESS_NAME).unlink()

    def told(self) -> AbstractContextManager[None]:
        """Turn the system's errors into ours."""
        return self._told()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ExportError(f"{self.path} cannot be written: {error.strerror or error}.") from error

    def _held(self) -> dict[str, Any] | None:
        """What an export that was cut off has left; one with a manifest is not one of them, but that it was not tidied up."""
        try:
            text = (self.path / PROGRESS_NAME).read_bytes()
        except FileNotFoundError:
            return None
        if (self.path / MANIFEST_NAME).exists():
            return None
        try:
            held: dict[str, Any] = json.loads(text)
            return {"plan": dict(held["plan"]), "state": dict(held["state"])}
        except (ValueError, LookupError, TypeError) as error:
            raise ExportError(f"{self.path / PROGRESS_NAME} is not readable: delete the folder.") from error


def is_cut_off(path: Path) -> bool:
    """Whether a folder holds the beginning of an export."""
    return (path / PROGRESS_NAME).exists() and not (path / MANIFEST_NAME).exists()


def partial(path: Path) -> Path:
    """Name a file that is being written."""
    return path.with_name(f"{path.name}.partial")


def _create(path: Path, flags: int) -> BinaryIO:
    """Open a file for writing that only we may read."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600), "r+b")


def sync(file: BinaryIO) -> None:
    """Have the disk keep what was written."""
    file.flush()
    os.fsync(file.fileno())


def settle(file: BinaryIO) -> None:
    """Have the disk keep what was written, then close."""
    sync(file)
    file.close()
