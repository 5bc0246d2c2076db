"""One service a file."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracker.adapters.store.service_lock import ServiceLock
from tracker.domain.errors import ConfigurationError

_HOLD = """
import sys
from pathlib import Path
from tracker.adapters.store.service_lock import ServiceLock
with ServiceLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until it is killed or spoken to."""
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_second_one_is_refused_and_told_why(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with ServiceLock(path):
        with pytest.raises(ConfigurationError, match=r"Another service runs on tracker\.db:"), ServiceLock(path):
            pass
        with pytest.raises(ConfigurationError), ServiceLock(path):  # the refused one freed nothing
            pass
    with ServiceLock(path):
        pass


def test_two_files_in_one_folder_are_two_services(tmp_path: Path) -> None:
    with ServiceLock(tmp_path / "one.db"), ServiceLock(tmp_path / "two.db"):
        assert (tmp_path / "one.db.lock").stat().st_mode & 0o777 == 0o600


def test_a_process_that_is_killed_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with hold(path) as child:
        with pytest.raises(ConfigurationError), ServiceLock(path):
            pass
        os.kill(child.pid, signal.SIGKILL)
        child.wait(30)
        with ServiceLock(path):
            pass


def test_it_is_freed_when_something_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with pytest.raises(LookupError), ServiceLock(path):
        raise LookupError
    with ServiceLock(path):
        pass


def test_a_folder_that_is_not_there_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\[database\] url"), ServiceLock(tmp_path / "none" / "tracker.db"):
        pass


def test_a_disk_that_cannot_lock_is_a_mistake_in_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ConfigurationError, match="cannot be locked"), ServiceLock(tmp_path / "tracker.db"):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == opened
