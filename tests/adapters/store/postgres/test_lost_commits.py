"""The wire is cut around COMMIT: what happened is looked up, and callers hear what is true."""

import asyncio
from collections.abc import Callable

import pytest

from tests.adapters.store.postgres.wire import wire_to
from tests.contract.facts import a_consent, an_item, append, draft_about, save, sequences
from tests.postgres import query
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import StorageError

Open = Callable[..., SqlStore]


async def test_a_commit_that_took_place_is_answered_as_such(url: str, open_store: Open) -> None:
    async with wire_to(url) as wire:
        store, consent = open_store(wire.url), a_consent()
        await save(store, consent)
        wire.cut = "after"
        entries = await append(store, draft_about(consent))
        assert wire.cuts == 1
        wire.cut = None
        assert sequences(entries) == [1]
        assert await store.entries_after(0, 10) == entries
        assert sequences(await append(store, draft_about(consent))) == [2]


async def test_a_commit_that_did_not_take_place_is_an_error_and_later_ones_work(url: str, open_store: Open) -> None:
    async with wire_to(url) as wire:
        store, consent = open_store(wire.url), a_consent()
        await save(store, consent)
        wire.cut = "before"
        with pytest.raises(StorageError) as caught:
            await append(store, draft_about(consent))
        assert caught.value.retryable
        assert wire.cuts == 1
        wire.cut = None
        assert await store.head() == 0
        assert sequences(await append(store, draft_about(consent))) == [1]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_what_left_no_mark_is_told_as_a_failure_either_way(url: str, open_store: Open, cut: str) -> None:
    """An event whose commit gave no answer is not answered for; the hub sends it again, and its digest is known."""
    async with wire_to(url) as wire:
        store = open_store(wire.url)
        wire.cut = cut
        with pytest.raises(StorageError) as caught:
            await store.admit(an_item())
        assert caught.value.retryable
        wire.cut = None
        depth, _ = await store.inbox_depth()
        assert depth == (1 if cut == "after" else 0)


async def test_a_mark_that_is_still_being_put_in_is_waited_for(url: str, open_store: Open) -> None:
    """The connection is gone, and the server may still be at it: the answer must not be no."""
    store = open_store()
    database = store._database.beneath
    async with database._engine.connect() as other:
        await other.exec_driver_sql("INSERT INTO batch VALUES ('still-going-on', now())")
        looking = asyncio.create_task(database._did_commit("still-going-on"))
        while not query(url, "SELECT 1 FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0)
        assert not looking.done()
        await other.commit()
        assert await looking is True
    assert await database._did_commit("never-begun") is False


async def test_an_outcome_that_cannot_be_looked_up_is_told_as_a_failure(
    url: str, open_store: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async with wire_to(url) as wire:
        store, consent = open_store(wire.url), a_consent()
        await save(store, consent)
        wire.cut, wire.is_down = "after", True
        with pytest.raises(StorageError):
            await append(store, draft_about(consent))
        assert "could not be looked up" in caplog.text
        wire.cut, wire.is_down = None, False
        assert await store.head() == 1  # told twice rather than lost: the caller will try again
