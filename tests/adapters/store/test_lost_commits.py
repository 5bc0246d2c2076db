"""The database's answer to COMMIT is lost: what happened is looked up, and callers hear what is true."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.store.gates import until_waiting, writer_held_up
from tests.contract.facts import a_consent, a_subscription, an_item, append, at, draft_about, save, sequences
from tracker.adapters.store import rows
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import inbox
from tracker.domain.errors import StorageError


def lose_the_answer(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, *, committed: bool, good: int = 0
) -> Callable[[], None]:
    """Make the writer's commits raise, having taken place or not, after so many good ones; gives a way to stop it."""
    dialect = database._write_engine.dialect
    real = dialect.do_commit
    left = [None] * good

    def commit(connection: Any) -> None:
        if committed or left:
            real(connection)
        if not left:
            raise sqlite3.OperationalError("disk I/O error")
        left.pop()

    monkeypatch.setattr(dialect, "do_commit", commit)
    return lambda: monkeypatch.setattr(dialect, "do_commit", real)


async def test_a_commit_that_took_place_is_answered_as_such(
    sqlite: SqliteDatabase, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = a_consent()
    await save(store, consent)
    restore = lose_the_answer(sqlite, monkeypatch, committed=True)
    entries = await append(store, draft_about(consent))
    restore()
    assert sequences(entries) == [1]
    assert await store.entries_after(0, 10) == entries
    assert sequences(await append(store, draft_about(consent))) == [2]


async def test_a_commit_that_did_not_take_place_is_an_error_and_later_ones_work(
    sqlite: SqliteDatabase, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = a_consent()
    await save(store, consent)
    restore = lose_the_answer(sqlite, monkeypatch, committed=False)
    with pytest.raises(StorageError, match="disk I/O error") as caught:
        await append(store, draft_about(consent))
    assert caught.value.retryable
    assert caught.value.__cause__ is not None
    restore()
    assert await store.head() == 0
    assert sequences(await append(store, draft_about(consent))) == [1]


@pytest.mark.parametrize("committed", [True, False])
async def test_all_who_shared_the_transaction_hear_the_same(
    sqlite: SqliteDatabase, store: SqlStore, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """Whoever appended marked the batch for the others too; who had failed before has failed."""
    consent, twice = a_consent(), a_subscription()
    await save(store, consent)
    await store.add_subscription(twice)
    async with writer_held_up(sqlite):
        tasks: list[asyncio.Task[Any]] = []
        for work in (
            store._write(lambda connection: insert_rows(connection, inbox, [rows.inbox_values(an_item(1))])),
            store.add_subscription(twice),
            append(store, draft_about(consent)),
            append(store, draft_about(consent)),
        ):
            tasks.append(asyncio.create_task(work))
            await until_waiting(sqlite, len(tasks))
        restore = lose_the_answer(sqlite, monkeypatch, committed=committed, good=1)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    restore()
    failed = [isinstance(result, StorageError) for result in results]
    assert failed == ([False, True, False, False] if committed else [True] * 4)
    assert await store.head() == (2 if committed else 0)
    assert await store.inbox_depth() == ((1, at(1)) if committed else (0, None))


async def test_an_outcome_that_cannot_be_looked_up_is_told_as_a_failure(
    sqlite: SqliteDatabase, store: SqlStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    consent = a_consent()
    await save(store, consent)

    def away(*_: Any, **__: Any) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    restore = lose_the_answer(sqlite, monkeypatch, committed=True)
    sqlite._read_engine.dispose()
    with monkeypatch.context() as patch:
        patch.setattr(sqlite._read_engine.dialect, "connect", away)
        with pytest.raises(StorageError):
            await append(store, draft_about(consent))
    restore()
    assert "could not be looked up" in caplog.text
    assert await store.head() == 1  # delivered twice rather than lost: the caller will try again
