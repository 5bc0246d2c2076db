"""That nobody has finished authorizing is told once: over restarts, with several workers at it, and whatever dies between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import tokens
from tests.clocks import ManualClock
from tests.usecases.bench import CONSENT, DEMOBANK, NOW, NoJitter, a_provider
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import StorageError
from tracker.domain.schedule import Pace
from tracker.journal.entry import Entry
from tracker.usecases.expire import Expiry
from tracker.usecases.journeys import Failure, Journeys
from tracker.usecases.providers import Providers
from tracker.usecases.recording import Office
from tracker.usecases.register import Registrar, Registration
from tracker.usecases.wake import Bell

Open = Callable[[], SqlStore]


@pytest.fixture(params=["sqlite", "postgres"])
def open_store(request: pytest.FixtureRequest, database: Path, another_postgres: Callable[[], str]) -> Open:
    """Opens a store on one database, as often as there are processes."""
    if request.param == "sqlite":
        return lambda: SqlStore(SqliteDatabase(database), SystemIds())
    url = another_postgres()
    return lambda: SqlStore(PostgresDatabase(url), SystemIds())


class Process:
    """What one process has."""

    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        providers = Providers([a_provider(DEMOBANK, tokens.ISSUER)])
        office = Office(providers=providers, clock=clock, ids=SystemIds(), entropy=NoJitter(), pace=Pace())
        bells = Bell(), Bell()
        self.store = store
        self.expiry = Expiry(store, office, *bells)
        self.journeys = Journeys(store, office, *bells)
        self.registrar = Registrar(store, office, *bells)

    async def overdue(self) -> list[Entry]:
        return [e for e in await self.store.entries_after(0, 1000) if e.type == "consent.authorization_overdue"]


@asynccontextmanager
async def processes(open_store: Open, clock: ManualClock, count: int) -> AsyncIterator[list[Process]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            store = open_store()
            stack.push_async_callback(store.close)
            made.append(Process(store, clock))
        yield made


async def register(process: Process, consent_id: str = CONSENT) -> Any:
    wanted = Registration(provider=DEMOBANK, kind="account-access", consent_id=consent_id)
    return (await process.registrar.register(wanted))[0]


async def test_it_is_due_over_restarts_and_told_by_one_of_several(open_store: Open) -> None:
    clock = ManualClock(NOW)
    async with processes(open_store, clock, 1) as (before,):
        for number in range(30):
            await register(before, f"c-{number}")
        clock.advance(899)
        assert await before.expiry.run_once() == 0
    clock.advance(1)
    async with processes(open_store, clock, 3) as several:
        done = await asyncio.gather(*(one.expiry.run_once() for one in several))
        assert sum(done) == 30
        told = await several[0].overdue()
        assert sorted(entry.data["consent_id"] for entry in told) == sorted(f"c-{number}" for number in range(30))
        clock.advance(86_400)
        assert [await one.expiry.run_once() for one in several] == [0, 0, 0]
        consent = await several[0].store.get_consent(told[0].tracking_id)  # type: ignore[arg-type]
        assert consent is not None
        assert consent.asking.requested_at == consent.journey.overdue_at is not None


async def test_who_comes_back_while_it_is_told_is_not_lost(open_store: Open) -> None:
    """The clock and the callback race for the row: whoever is second sees what the first has written."""
    clock = ManualClock(NOW)
    async with processes(open_store, clock, 2) as (one, other):
        consents = [await register(one, f"c-{number}") for number in range(10)]
        clock.advance(900)
        await asyncio.gather(
            one.expiry.run_once(),
            *(other.journeys.returned(consent, None) for consent in consents),
        )
        told = {entry.tracking_id for entry in await one.overdue()}
        for consent in consents:
            seen = await one.store.get_consent(consent.tracking_id)
            assert seen is not None
            assert seen.journey.code_received
            assert (seen.journey.overdue_at is not None) == (consent.tracking_id in told)
            assert seen.asking.requested_at == clock.now()


async def test_a_process_that_dies_before_the_commit_has_told_nothing_and_the_next_one_tells(
    open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(NOW)
    async with processes(open_store, clock, 2) as (one, other):
        await register(one)
        clock.advance(900)
        transact = one.store.transact

        async def dying(script: Callable[[Any], Any]) -> Awaitable[Any]:
            def cut_off(transaction: Any) -> Any:
                script(transaction)
                raise StorageError("Cut off.")

            return await transact(cut_off)

        monkeypatch.setattr(one.store, "transact", dying)
        with pytest.raises(StorageError):
            await one.expiry.run_once()
        assert await other.overdue() == []
        assert await other.expiry.run_once() == 1
        assert len(await other.overdue()) == 1


async def test_hints_from_several_processes_are_all_heard(open_store: Open) -> None:
    clock = ManualClock(NOW)
    failure = Failure(error="access_denied", description="user_rejected_consent")
    async with processes(open_store, clock, 2) as (one, other):
        consent = await register(one)
        await asyncio.gather(
            one.journeys.pushed(consent, None, 90),
            other.journeys.returned(consent, failure),
            one.journeys.returned(consent, failure),
            other.journeys.refused(consent, 403, None),
        )
        seen = await one.store.get_consent(consent.tracking_id)
        assert seen is not None
        assert (seen.journey.push_accepted, seen.journey.code_received) == (True, False)
        assert seen.summary.end_hinted_at_ask == 0
        assert len(await one.store.reports_of(consent.tracking_id)) == 2, "the same hint twice is one"
