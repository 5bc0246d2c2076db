"""No space left: everybody is told, nothing is half kept, and work goes on once there is space."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.adapters.store.gates import admit, until_waiting, writer_held_up
from tests.contract.facts import a_consent, an_item, append, draft_about, save, sequences
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import StorageError

_LARGE = b"x" * 100_000


async def limit_pages(database: SqliteDatabase, more: int | None) -> None:
    """Let the file grow by so many pages and no more."""

    def work(connection: Connection) -> tuple[None, None]:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={2**30 if more is None else pages + more}")
        return None, None

    await database.write(work)


async def test_one_that_finds_no_space_is_told_and_can_try_again(sqlite: SqliteDatabase, store: SqlStore) -> None:
    await limit_pages(sqlite, 2)
    for _ in range(2):
        with pytest.raises(StorageError, match="full") as caught:
            await store.admit(an_item(body=_LARGE))
        assert caught.value.retryable
    await limit_pages(sqlite, None)
    await store.admit(an_item(body=_LARGE))
    assert (await store.inbox_depth())[0] == 1


async def test_all_that_share_a_transaction_without_space_have_true_answers(
    sqlite: SqliteDatabase, store: SqlStore
) -> None:
    """Some pieces fit and one does not: who is told that it is kept finds it kept, who is told that it is not does not."""
    consent = a_consent()
    await save(store, consent)
    await limit_pages(sqlite, 10)
    items = [an_item(number, body=_LARGE if number == 5 else b"small") for number in range(10)]
    async with writer_held_up(sqlite):
        tasks = [asyncio.create_task(admit(store, item)) for item in items]
        told = asyncio.create_task(append(store, draft_about(consent)))
        await until_waiting(sqlite, 11)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[5], StorageError)
    assert all(result is None or (isinstance(result, StorageError) and result.retryable) for result in results)
    kept = {item.id for item, result in zip(items, results, strict=True) if result is None}
    assert {item.id for item in await store.claim_inbox(items[-1].received_at, 100, 0)} == kept
    was_told = not isinstance((await asyncio.gather(told, return_exceptions=True))[0], BaseException)
    assert await store.head() == int(was_told)
    await limit_pages(sqlite, None)
    assert sequences(await append(store, draft_about(consent))) == [1 + int(was_told)]


_CHILD = """
import asyncio, resource, sys
from pathlib import Path
from tests.contract.facts import a_consent, an_item, append, draft_about, save
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import StorageError

async def main(path):
    store = SqlStore(SqliteDatabase(path), SystemIds())
    consent = a_consent()
    await save(store, consent)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(path.stat().st_size, path.with_name(path.name + "-wal").stat().st_size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300_000, hard))
    kept, refused = 0, 0
    while refused < 3:
        results = await asyncio.gather(
            *(store.admit(an_item(body=b"x" * 20_000)) for _ in range(10)),
            append(store, draft_about(consent)),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, StorageError):
                raise result
        kept += sum(result is None for result in results)
        refused += isinstance(results[-1], StorageError)
    assert (await store.inbox_depth())[0] == kept, (await store.inbox_depth(), kept)
    head = await store.head()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await append(store, draft_about(consent))
    entries = await store.entries_after(0, 1000)
    assert [entry.sequence for entry in entries] == list(range(1, head + 2))
    await store.close()
    print("kept", kept)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_file_that_may_not_grow_any_more(database: Path) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(database)], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("kept ")
