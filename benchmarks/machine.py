"""What a benchmark measures of the machine: CPU and memory of processes, and what RSA alone costs on it."""

import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests import postgres, tokens
from tests.postgres import PostgresServer, postgres_server, query

_DURABLE = ("fsync=on", "synchronous_commit=on", "shared_buffers=256MB", "max_wal_size=4GB")


@dataclass(frozen=True)
class Database:
    """Where a run keeps its data.

    Attributes:
        url: Of a PostgreSQL database that holds nothing yet; None: a SQLite file in the run's folder.
        server: The server's first process, if it is on this machine.
        folder: Of the server, if it was started for this run: `restart` restarts it.
    """

    url: str | None = None
    server: int | None = None
    folder: Path | None = None

    def cpu_seconds(self) -> float | None:
        """CPU of the server, all of its processes, those that have ended too; None if it is not known."""
        if self.server is None:
            return None
        return _with_ended_ones(self.server) + sum(cpu_seconds(child) for child in _children(self.server))

    def restart(self) -> None:
        """Stop the server as an administrator does, and start it again; its CPU is not known from then on."""
        assert self.folder is not None
        postgres.stop(self.folder, "fast")
        postgres.start(self.folder, _DURABLE)

    def version(self) -> dict[str, str]:
        if self.url is None:
            return {"sqlite": sqlite3.sqlite_version}
        return {"postgresql": query(self.url, "SHOW server_version")[0][0]}


@contextmanager
def database(given: str | None) -> Iterator[Database]:
    """A database for one run.

    Args:
        given: None for SQLite; `postgresql:` for a server that is started for this run and flushes as in production; else the
            URL of a server, in which a database is made and dropped again.
    """
    if given is None:
        yield Database()
    elif given == "postgresql:":
        with tempfile.TemporaryDirectory(), postgres_server(*_DURABLE) as server:
            folder = Path(query(server.url, "SHOW data_directory")[0][0])
            yield Database(server.create(), _postmaster(folder), folder.parent)
    else:
        server = PostgresServer(given)
        made = server.create()
        try:
            yield Database(made, None)
        finally:
            server.drop(made)


def _postmaster(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().split()[0])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _with_ended_ones(pid: int) -> float:
    return sum(map(int, _fields(pid)[11:15])) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU of one process, in user and system mode."""
    try:
        return sum(map(int, _fields(pid)[11:13])) / os.sysconf("SC_CLK_TCK")
    except FileNotFoundError:  # it has just ended, and is counted with its parent
        return 0.0


def resident_megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def idle_seconds() -> float:
    """What nobody used of all CPUs since the machine began."""
    idle, waiting = Path("/proc/stat").read_text().split("\n", 1)[0].split()[4:6]
    return (int(idle) + int(waiting)) / os.sysconf("SC_CLK_TCK")


def load_average() -> float:
    """Of the last minute: what else there was on the machine."""
    return round(os.getloadavg()[0], 1)


def description() -> dict[str, object]:
    """The machine, for a result."""
    return {"cpus": os.cpu_count(), "system": platform.platform(), "python": sys.version.split()[0]}


def flush_milliseconds(folder: Path, rounds: int = 300) -> dict[str, float]:
    """How long the disk takes to flush 12 KiB at the end of a file, with nothing else going on: no answer comes sooner."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(rounds):
            file.write(b"x" * 12288)
            file.flush()
            begin = time.monotonic()
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - begin) * 1e3)
    took.sort()
    return {"p50": round(took[rounds // 2], 2), "p99": round(took[rounds * 99 // 100], 2), "max": round(took[-1], 2)}


def raw_rsa_microseconds(rounds: int = 1500) -> float:
    """What the RSA operations of one event alone cost: one private, one PSS verification."""
    key, oaep = tokens.rsa_key("ours"), padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    sealed, signed = (
        key.public_key().encrypt(b"k" * 32, oaep),
        tokens.rsa_key("hub").sign(b"x" * 2000, pss, hashes.SHA256()),
    )
    public = tokens.rsa_key("hub").public_key()
    begin = time.process_time()
    for _ in range(rounds):
        key.decrypt(sealed, oaep)
        public.verify(signed, b"x" * 2000, pss, hashes.SHA256())
    return (time.process_time() - begin) / rounds * 1e6
