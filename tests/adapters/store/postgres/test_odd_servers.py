"""Servers that are set up, or are in a state, as ours are not: nothing is taken for granted that a server can be told."""

import asyncio
import sys
from collections.abc import Callable

import pytest
from sqlalchemy import make_url

from tests.adapters.store.postgres.wire import wire_to
from tests.contract.facts import a_consent, an_item, append, draft_about, save, sequences
from tests.postgres import query
from tracker.adapters.store import gathering
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import StorageError

Open = Callable[..., SqlStore]
MODULE = sys.modules[PostgresDatabase.__module__]


def _set(url: str, setting: str) -> None:
    """For the connections that come."""
    query(url, f'ALTER DATABASE "{make_url(url).database}" SET {setting}')


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_every_statement_sees_what_was_committed_before_it(url: str, isolation: str) -> None:
    """Who waited for a name, and then looks what was kept for it, must not see the time before he waited."""
    _set(url, f"default_transaction_isolation = '{isolation}'")
    database = PostgresDatabase(url)
    asked = await database.write(
        lambda connection: (connection.exec_driver_sql("SHOW transaction_isolation").scalar(), None)
    )
    assert asked == "read committed"
    await database.close()


async def test_when_no_server_takes_writes_that_is_told_as_an_outage(url: str, open_store: Open) -> None:
    """As in the seconds of a failover, with `target_session_attrs=read-write`."""
    _set(url, "default_transaction_read_only = on")
    store = open_store(url + ("&" if "?" in url else "?") + "target_session_attrs=read-write")
    with pytest.raises(StorageError) as caught:
        await store.admit(an_item())
    assert caught.value.retryable
    with pytest.raises(StorageError):
        await store.head()


async def test_a_table_that_is_not_as_it_should_be_is_no_fault_of_the_rows(url: str, open_store: Open) -> None:
    """Rights that were taken away, a schema that is being mended: what waits is not put aside for that."""
    store, consent = open_store(), a_consent()
    await save(store, consent)
    query(url, "ALTER TABLE entry RENAME TO elsewhere")
    with pytest.raises(StorageError) as caught:
        await append(store, draft_about(consent))
    assert caught.value.retryable
    query(url, "ALTER TABLE elsewhere RENAME TO entry")
    assert sequences(await append(store, draft_about(consent))) == [1]


async def test_the_outcome_of_a_commit_is_looked_up_when_no_other_connection_is_left(
    url: str, open_store: Open
) -> None:
    """As when the server is restarted while all are at work: each holds a connection that is dead."""
    async with wire_to(url) as wire:
        store, consent = open_store(wire.url, connections=1), a_consent()
        await save(store, consent)
        wire.cut = "after"
        entries = await append(store, draft_about(consent))
        wire.cut = None
        assert sequences(entries) == [1]
        assert await store.entries_after(0, 10) == entries


async def test_a_migration_beside_a_service_costs_nobody_an_error(url: str, open_store: Open) -> None:
    """What was prepared for the old form of a table is prepared again."""
    store, consent = open_store(connections=1), a_consent()
    await save(store, consent)
    for _ in range(3):
        await store.find_consent((consent.provider, consent.consent_id))
        await append(store, draft_about(consent))
    query(url, "ALTER TABLE consent ALTER COLUMN user_ref TYPE text")
    query(url, "DROP TRIGGER immutable_update ON journal")  # as a migration would that changes a column that is guarded
    query(url, "ALTER TABLE journal ALTER COLUMN journal_id TYPE text")
    assert await store.find_consent((consent.provider, consent.consent_id)) is not None
    assert sequences(await append(store, draft_about(consent))) == [4]


async def test_who_is_stopped_does_not_wait_for_a_server_that_says_nothing_any_more(
    url: str, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it was answered for. Whoever is not gone when his time is over is killed, and that is no good end."""
    monkeypatch.setattr(MODULE, "_CLOSING_SECONDS", 0.1)
    monkeypatch.setattr(gathering, "CLOSING_SECONDS", 0.1)
    async with wire_to(url) as wire:
        store = open_store(wire.url, connections=1)
        await store.admit(an_item(1))
        wire.is_stuck = True
        admitting = asyncio.create_task(store.admit(an_item(2)))
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await store.close()
        with pytest.raises(StorageError):
            await admitting
    assert (await open_store().inbox_depth())[0] == 1


async def test_who_was_told_goodbye_asks_on_another_connection(url: str, open_store: Open) -> None:
    """Between that and the end of the connection the driver is at a loss for what it may do."""
    async with wire_to(url) as wire:
        store = open_store(wire.url, connections=1)
        for n, call in enumerate((store.head, lambda: store.admit(an_item(9)))):
            await store.admit(an_item(n))
            wire.say_goodbye()
            for _ in range(20):  # until it has been heard
                await asyncio.sleep(0.001)
            await call()
        assert (await store.inbox_depth())[0] == 3
