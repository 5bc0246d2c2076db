"""What can never be stored is an error that is not tried again; what may work later is one that is."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.contract.facts import a_consent, a_subscription, an_item, append, at, draft_about, save
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.failures import NotStorableError, storage_error
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import ConfigurationError, StorageError


async def test_a_row_that_is_there_already_will_be_there_next_time_too(store: SqlStore) -> None:
    """It was called retryable, and whoever opens the inbox would have tried the same batch for ever."""
    item = an_item()
    await store.admit(item)
    with pytest.raises(NotStorableError, match="UNIQUE") as caught:
        await store.admit(item)
    assert caught.value.retryable is False
    assert caught.value.code == "not_storable"


async def test_an_entrys_id_is_in_the_journal_once(store: SqlStore) -> None:
    """By an index that PostgreSQL could have within each partition only: there the randomness of the ids has to do."""
    consent = a_consent()
    await save(store, consent)
    draft = draft_about(consent)
    await append(store, draft)
    with pytest.raises(NotStorableError, match="is written once: INSERT"):
        await append(store, draft)
    assert await store.head() == 1


async def test_a_value_that_no_column_takes_is_not_quoted(store: SqlStore) -> None:
    with pytest.raises(NotStorableError, match=r"cannot be stored \(TypeError\)") as caught:
        await save(store, a_consent(terms={"Layla": object()}))
    assert "Layla" not in str(caught.value)


async def test_parameters_are_not_in_the_words_of_an_error(store: SqlStore) -> None:
    twice = a_subscription(description="Layla")
    await store.add_subscription(twice)
    with pytest.raises(StorageError) as caught:
        await store.add_subscription(twice)
    error: BaseException | None = caught.value
    while error is not None:
        assert "Layla" not in str(error)
        error = error.__cause__


async def test_a_file_that_another_process_holds_is_tried_again_later(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.adapters.store.sqlite._BUSY_MILLISECONDS", 20)
    opened = SqliteDatabase(database)
    store = SqlStore(opened, SystemIds())
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked") as caught:
        await store.admit(an_item())
    assert caught.value.retryable is True
    assert await store.inbox_depth() == (0, None)  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    await store.admit(an_item())
    assert await store.inbox_depth() == (1, at(0))
    await store.close()


async def test_a_table_that_is_not_there_is_an_error_of_the_store(sqlite: SqliteDatabase, store: SqlStore) -> None:
    def drop(connection: Connection) -> tuple[None, None]:
        connection.exec_driver_sql("DROP TABLE inbox")
        return None, None

    await sqlite.write(drop)
    with pytest.raises(StorageError, match="no such table"):
        await store.inbox_depth()
    with pytest.raises(StorageError, match="no such table"):
        await store.admit(an_item())
    assert await store.head() == 0


def test_what_another_piece_did_is_not_quoted() -> None:
    told = storage_error(ValueError("Layla"))
    assert type(told) is StorageError
    assert "Layla" not in str(told)


def test_a_file_that_is_no_database_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    path.write_bytes(b"not a database" * 1_000)
    with pytest.raises(ConfigurationError, match="cannot be used"), one_transaction(path):
        pass
    with pytest.raises(ConfigurationError, match="cannot be used"), one_transaction(tmp_path / "none" / "x.db"):
        pass
