"""Reading files that hold private keys: whole, within a limit, and only if nobody else can."""

import logging
import os
import stat
from pathlib import Path
from typing import Final, Literal

from tracker.domain.errors import ConfigurationError

_log = logging.getLogger(__name__)

ModePolicy = Literal["refuse", "warn"]
"""What to do about a key file that others than its owner can read."""

_MAX_FILE_BYTES: Final = 1024 * 1024


def read_private(path: Path, remedy: str, mode_policy: ModePolicy) -> bytes:
    """Read a key file. Its mode is that of the very file that is read, whatever stands under its name a moment later.

    Args:
        path: The file.
        remedy: What to do if it cannot be read, to follow "correct the path or".
        mode_policy: What to do if others can read it.

    Raises:
        ConfigurationError: It cannot be read, or others can read it and must not.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(_MAX_FILE_BYTES)
    except PermissionError as error:
        raise ConfigurationError(
            f"The key file {path} cannot be read (Permission denied); make the user that runs the tracker its owner."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: the path holds a NUL
        raise ConfigurationError(
            f"The key file {path} cannot be read ({getattr(error, 'strerror', error)}); correct the path or {remedy}."
        ) from error
    if mode & 0o077:
        complaint = f"The key file {path} is open to others than its owner (mode {mode:04o})"
        if mode_policy != "warn":
            raise ConfigurationError(f'{complaint}; run `chmod 600 {path}`, or set [security] key_file_mode = "warn".')
        _log.warning("%s; run `chmod 600 %s`.", complaint, path)
    return data
