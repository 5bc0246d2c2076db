"""One service a SQLite file: the second one is told so, instead of both asking and telling everything twice."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tracker.domain.errors import ConfigurationError


class ServiceLock:
    """Held while a service runs on a file. The operating system lets go of it when the process dies, however it dies."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._file: int | None = None

    def __enter__(self) -> Self:
        """Take it.

        Raises:
            ConfigurationError: Another service has it, or the folder cannot be written to or locked in.
        """
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"{self._path} cannot be written ({error.strerror}); see [database] url."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            self._file = None
            if isinstance(error, BlockingIOError):
                problem = f"Another service runs on {self._path.stem}: stop it, or give this one a database of its own."
            else:
                problem = (
                    f"{self._path} cannot be locked ({error.strerror}); put the database on a disk of this machine."
                )
            raise ConfigurationError(problem) from error
        return self

    def is_held(self) -> bool:
        """Whether a service runs on the file, as far as can be seen; nothing is made by asking.

        It is asked by taking a share in the lock for an instant, in which no service could start: so ask only when there is
        another reason to think that one runs.
        """
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(file)
        return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
