"""A process that is stopped in the middle of a transaction, as when its machine is moved or cut off, holds nobody up for long."""

import asyncio
import signal
import sys
from collections.abc import Callable

from tests.contract.facts import a_consent, append, draft_about, save, sequences
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.store import SqlStore

_STOPS_ITSELF = """
import asyncio, os, signal, sys
from tests.contract.facts import START, a_consent, draft_about
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.store import SqlStore

consent, stops = a_consent(), [signal.SIGSTOP]

def script(transaction):
    entries = transaction.append([draft_about(consent)], START)  # so it holds the head of the journal
    if stops:
        os.kill(os.getpid(), stops.pop())
    transaction.count_repeat("0" * 64)
    return [entry.sequence for entry in entries]

async def main():
    store = SqlStore(PostgresDatabase(sys.argv[1]), SystemIds())
    print(await store.transact(script))
    await store.close()

asyncio.run(main())
"""


async def test_a_server_that_was_told_to_be_quick_still_flushes_before_it_answers_us(url: str) -> None:
    """The servers of these tests are told so."""
    database = PostgresDatabase(url)
    asked = await database.read(lambda connection: connection.exec_driver_sql("SHOW synchronous_commit").scalar())
    assert asked == "on"
    await database.close()


async def test_others_carry_on_within_seconds_and_it_begins_again(
    url: str, open_store: Callable[..., SqlStore]
) -> None:
    store, consent = open_store(), a_consent()
    await save(store, consent)
    stopped = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STOPS_ITSELF, url, stdout=asyncio.subprocess.PIPE
    )
    try:
        with open(f"/proc/{stopped.pid}/stat") as told:  # noqa: PTH123 - a file of the kernel, at once
            async with asyncio.timeout(30):
                while told.read().rpartition(")")[2].split()[0] != "T":
                    told.seek(0)
                    await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            assert sequences(await append(store, draft_about(consent))) == [1]
        stopped.send_signal(signal.SIGCONT)
        out, _ = await asyncio.wait_for(stopped.communicate(), 30)
        assert out == b"[2]\n"
        assert stopped.returncode == 0
        assert sequences(await store.entries_after(0, 10)) == [1, 2]
    finally:
        if stopped.returncode is None:
            stopped.kill()
            await stopped.wait()
