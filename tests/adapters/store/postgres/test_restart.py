"""The server goes away and comes back."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.contract.facts import a_consent, an_item, append, draft_about, save, sequences
from tests.postgres import PostgresServer
from tracker.adapters.clock import SystemIds
from tracker.adapters.store import migrate
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import ConfigurationError, StorageError


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of a server of this test's own, which flushes as in production."""
    place = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        with postgres.running(place, ("fsync=on",)):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


async def test_it_is_told_as_away_and_served_again_after_a_restart(folder: Path) -> None:
    url = PostgresServer(f"postgresql://tracker@/postgres?host={folder}").create()
    await in_one_transaction(url, migrate.upgrade)
    store, consent = SqlStore(PostgresDatabase(url), SystemIds()), a_consent()
    await save(store, consent)
    await asyncio.gather(*(store.admit(an_item(n)) for n in range(20)))
    await asyncio.to_thread(postgres.stop, folder)
    with pytest.raises(StorageError) as caught:
        await store.admit(an_item(20))
    assert caught.value.retryable
    assert str(caught.value).startswith(("The database cannot be reached", "The database could not do it: "))
    with pytest.raises(StorageError, match="The database cannot be reached: No such file or directory"):
        await store.admit(an_item(20))
    with pytest.raises(StorageError):
        await store.head()
    await asyncio.to_thread(postgres.start, folder)
    # Every connection of the pool is broken; nobody is to notice.
    await asyncio.gather(
        *(store.admit(an_item(n)) for n in range(20, 40)), store.head(), store.find_consent(("x", "y"))
    )
    assert (await store.inbox_depth())[0] == 40
    assert sequences(await append(store, draft_about(consent))) == [1]
    await store.close()


async def test_a_standby_answers_nobody_who_did_not_name_one(folder: Path) -> None:
    """It may lie behind: a process that only reads would say for hours that a consent may be used that was revoked."""
    url = PostgresServer(f"postgresql://tracker@/postgres?host={folder}").create()
    await in_one_transaction(url, migrate.upgrade)
    await asyncio.to_thread(postgres.stop, folder, "fast")
    (folder / "data" / "standby.signal").touch()
    await asyncio.to_thread(postgres.start, folder)
    store, naming = (
        SqlStore(PostgresDatabase(url + chosen), SystemIds()) for chosen in ("", "&target_session_attrs=any")
    )
    with pytest.raises(StorageError) as caught:
        await store.head()
    assert caught.value.retryable
    assert await naming.head() == 0
    with pytest.raises(ConfigurationError, match="None of the hosts match"):
        await in_one_transaction(url, migrate.current)
    await store.close()
    await naming.close()
