"""A 202 is answered after a flush: seen from outside, in the calls of the process or in the server's own log positions."""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest

from tests import postgres
from tests.e2e.service import Service, an_event, issuer
from tests.postgres import query
from tracker.adapters.store import migrate
from tracker.adapters.store.postgres import in_one_transaction

_EVENTS = 5
_BEHIND = "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()"
_EMPTY_COMMIT = 40  # bytes: of the transaction that only wakes others, and is not flushed because it keeps nothing
# Nothing of the server's own flushes the log within the test, and nothing else writes.
_QUIET = ("fsync=on", "wal_writer_delay=10000", "autovacuum=off", "checkpoint_timeout=1d", "bgwriter_delay=10000")


async def _send(service: Service, issuer_url: str, n: int) -> None:
    body = an_event(issuer_url, "c1", "Authorized", f"2026-03-02T06:00:{n:02}Z", time.time())
    async with aiohttp.ClientSession() as http, http.post(f"{service.url}/webhooks/uae-v2.1", data=body) as response:
        assert response.status == 202


# ---------------------------------------------------------------------------------------------- SQLite, by its calls


class Traced(Service):
    """A service whose calls of the system are written down: which flush, which write, in the order in which they ended."""

    @property
    def command(self) -> tuple[str, ...]:
        calls = "trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg"
        return "strace", "-D", "-f", "-y", "-s", "32", "-e", calls, "-o", str(self.folder / "calls"), *super().command


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace to see it with")
async def test_on_sqlite_the_log_is_flushed_between_the_write_and_the_answer(tmp_path: Path) -> None:
    async with issuer() as issuer_url:
        service = Traced(tmp_path, issuer_url)
        try:
            await service.start()
            for n in range(1, 2 + _EVENTS):
                await _send(service, issuer_url, n)
                await service.until_worked_off()  # what is written after the next answer is of the next event
        finally:
            await service.kill()
    # One event may be recorded while it is being answered for: so it counts that a flush has ended since something was written
    # after the answer before, and not whether everything is flushed just then.
    answers = 0
    has_written, has_flushed, unfinished = False, False, set()
    for line in (tmp_path / "calls").read_text("utf-8", "replace").splitlines():
        pid = line.split(maxsplit=1)[0]
        if re.search(r"pwrite64\(\d+<[^>]*tracker\.db-wal>", line):
            has_written = True
        elif re.search(r"f(data)?sync\(\d+<[^>]*tracker\.db-wal>", line) and "unfinished" in line:
            unfinished.add(pid)
        elif re.search(r"f(data)?sync\(\d+<[^>]*tracker\.db-wal>\) *= 0", line):
            has_flushed = has_written
        elif re.search(r"<\.\.\. f(data)?sync resumed>\) *= 0", line) and pid in unfinished:
            unfinished.discard(pid)
            has_flushed = has_written
        elif "HTTP/1.1 202" in line:
            answers += 1
            assert has_flushed, line
            has_written = has_flushed = False
    assert answers == _EVENTS + 1


# ---------------------------------------------------------------------------------------------- PostgreSQL, by its positions


@asynccontextmanager
async def _receiving(folder: Path, *settings: str) -> AsyncIterator[tuple[Service, str, str]]:
    """A receiver alone on a server of its own; nobody else writes there."""
    with (
        TemporaryDirectory(prefix="pg-", dir="/tmp") as place,
        postgres.running(Path(place), (*_QUIET, *settings)) as server,
    ):
        url = server.create()
        await in_one_transaction(url, migrate.upgrade)
        async with issuer() as issuer_url:
            service = Service(folder, issuer_url, postgres=url, roles="receiver")
            try:
                await service.start()
                yield service, issuer_url, url
            finally:
                await service.kill()


@pytest.mark.parametrize("setting", ["on", "off"])
async def test_on_postgres_the_log_is_flushed_as_far_as_it_was_written_when_we_answer(
    tmp_path: Path, setting: str
) -> None:
    async with _receiving(tmp_path, f"synchronous_commit={setting}") as (service, issuer_url, url):
        for n in range(_EVENTS):
            await _send(service, issuer_url, n)
            ((behind,),) = await asyncio.to_thread(query, url, _BEHIND)
            assert behind <= _EMPTY_COMMIT
        ((kept,),) = await asyncio.to_thread(query, url, "SELECT count(*) FROM inbox")
        assert kept == _EVENTS


async def test_the_positions_show_a_commit_that_is_not_flushed() -> None:
    """So what the test above sees is not so by itself."""
    settings = (*_QUIET, "synchronous_commit=off")
    with TemporaryDirectory(prefix="pg-", dir="/tmp") as place, postgres.running(Path(place), settings) as server:
        await asyncio.to_thread(query, server.url, "CREATE TABLE written AS SELECT 1")
        await asyncio.to_thread(query, server.url, "INSERT INTO written VALUES (2)")
        ((behind,),) = await asyncio.to_thread(query, server.url, _BEHIND)
        assert behind > _EMPTY_COMMIT
