"""Work that subscribers must do, on either database: found from the journal, told once when overdue, reported once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from tests.clocks import ManualClock
from tests.contract.facts import DEMOBANK, NewDatabase, a_consent, a_subscription, append, draft_about, save
from tests.usecases.bench import NoJitter, a_provider
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.completion import CompletionTerms, WorkStatus
from tracker.domain.errors import (
    CompletionConflictError,
    CompletionNotFoundError,
    InconsistentRowError,
    InvalidRequestError,
    StorageError,
    SubscriptionNotFoundError,
)
from tracker.domain.schedule import Pace
from tracker.domain.subscription import EntryFilter, Subscription
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import WorkQuery
from tracker.usecases.complete import COMPLETED, OVERDUE, CompletionReport, Completions
from tracker.usecases.providers import Providers
from tracker.usecases.recording import Office
from tracker.usecases.wake import Bell

ENDS = CompletionTerms(
    types=("consent.status_changed",),
    to=frozenset({"Revoked", "Expired"}),
    work=("data_access_stopped", "data_deleted"),
    within=timedelta(hours=1),
)


class World:
    """A journal with ends in it, a subscription that asks for work, and two processes that look after it."""

    def __init__(self, stores: list[SqlStore]) -> None:
        self.store = stores[0]
        self.clock = ManualClock()
        self.office = Office(
            providers=Providers([a_provider(DEMOBANK, "https://auth1.example")]),
            clock=self.clock,
            ids=SystemIds(),
            entropy=NoJitter(),
            pace=Pace(),
        )
        self.processes = [Completions(store, self.office, Bell()) for store in stores]
        self.subscription = a_subscription(completion=ENDS)
        self.consents: dict[str, TrackedConsent] = {}

    async def subscribe(self, **changes: Any) -> Subscription:
        self.subscription = replace(self.subscription, **changes)
        await self.store.add_subscription(self.subscription)
        return self.subscription

    async def move(self, *names: str, to: str = "Revoked", **changes: Any) -> list[Entry]:
        for name in names:
            if name not in self.consents:
                self.consents[name] = a_consent(name)
                await save(self.store, self.consents[name])
        facts = {"type": "consent.status_changed", "to_status": to} | changes
        drafts = [draft_about(self.consents[name], **facts) for name in names]
        return await append(self.store, *drafts, now=self.clock.now())

    async def work(self, status: WorkStatus | None = None) -> list[tuple[int, str, WorkStatus]]:
        now = self.clock.now()
        found = await self.store.work_of(self.subscription.id, WorkQuery(now=now, status=status))
        return [(work.sequence, work.work, work.status(now)) for work in found]

    async def report(self, process: int = 0, **facts: Any) -> Any:
        given: dict[str, Any] = {
            "work": "data_deleted",
            "evidence_url": "https://crm.example/1",
            "done_at": self.clock.now(),
        }
        report = CompletionReport(**given | facts)
        return await self.processes[process].report(self.subscription.id, report, lambda _: None)

    async def told(self) -> list[tuple[str, str, str | None]]:
        entries = await self.store.entries_after(0, 500)
        family = [entry for entry in entries if entry.type.startswith("subscription.")]
        return [(one.type, one.data["consent_id"], one.data["reason"]) for one in family]


@pytest_asyncio.fixture
async def world(new_database: NewDatabase) -> AsyncIterator[World]:
    opened = new_database()
    stores = [opened(), opened()]
    yield World(stores)
    for store in stores:
        await store.close()


async def test_terms_are_kept(store: SqlStore) -> None:
    made = a_subscription(completion=replace(ENDS, after=7))
    await store.add_subscription(made)
    assert await store.get_subscription(made.id) == made
    assert await store.requiring_completion() == [made]
    assert await store.change_subscription(replace(made, completion=None), 1)
    assert await store.get_subscription(made.id) == replace(made, completion=None, version=2)
    assert await store.requiring_completion() == []


async def test_what_an_entry_asks_for_is_due_though_nobody_was_told_of_it(world: World) -> None:
    await world.subscribe(paused_at=world.clock.now())
    await world.move("a", to="Authorized")
    (end,) = await world.move("a")
    await world.move("b", type="consent.expiring", to="Revoked")
    assert await world.processes[0].run_once() == 0
    assert await world.work() == [
        (end.sequence, "data_access_stopped", WorkStatus.DUE),
        (end.sequence, "data_deleted", WorkStatus.DUE),
    ]
    world.clock.advance(3600)
    assert await world.work(WorkStatus.OVERDUE) == await world.work()
    assert await world.work(WorkStatus.DUE) == []


async def test_only_what_the_subscription_hears_asks_for_work_and_only_behind_its_beginning(world: World) -> None:
    await world.move("early")
    heard = EntryFilter(types=("consent.*",), to=frozenset({"Revoked"}))
    await world.subscribe(entry_filter=heard, completion=replace(ENDS, after=1))
    await world.move("a", to="Expired")
    (end,) = await world.move("b")
    await world.processes[0].run_once()
    assert {sequence for sequence, *_ in await world.work()} == {end.sequence}


async def test_what_is_overdue_is_told_once_by_whoever_sees_it(world: World) -> None:
    await world.subscribe()
    await world.move("a", "b")
    world.clock.advance(3599)
    await asyncio.gather(*(one.run_once() for one in world.processes * 3))
    assert await world.told() == []
    world.clock.advance(1)
    told = await asyncio.gather(*(one.run_once() for one in world.processes * 3))
    assert sum(told) == 4
    assert sorted(await world.told()) == [
        (OVERDUE, name, word) for name in "ab" for word in ("data_access_stopped", "data_deleted")
    ]
    world.clock.advance(100_000)
    assert await world.processes[1].run_once() == 0
    (first, *_) = [entry for entry in await world.store.entries_after(0, 99) if entry.type == OVERDUE]
    assert first.data["channel"] == "clock"
    assert first.previous in {1, 2}
    assert first.private is not None
    assert first.private["subscription_id"] == world.subscription.id


async def test_what_was_told_of_work_asks_for_none(world: World) -> None:
    await world.subscribe(completion=replace(ENDS, types=("*",), to=frozenset()))
    await world.move("a")
    for _ in range(3):
        world.clock.advance(7200)
        await world.processes[0].run_once()
    assert len(await world.work()) == 2
    assert len(await world.told()) == 2


async def test_a_report_is_kept_told_and_may_be_repeated(world: World) -> None:
    await world.subscribe()
    (end,) = await world.move("a")
    done = await world.report(entry_id=end.id)  # before anybody looked
    assert (done.sequence, done.done_at, done.reported_at) == (end.sequence, world.clock.now(), world.clock.now())
    at = world.clock.now()
    world.clock.advance(60)
    assert await world.report(sequence=end.sequence, done_at=at, process=1) == done
    for other in ({"evidence_url": "https://crm.example/2"}, {"done_at": at + timedelta(seconds=1)}):
        with pytest.raises(CompletionConflictError):
            await world.report(**{"sequence": end.sequence, "done_at": at} | other)
    assert await world.told() == [(COMPLETED, "a", "data_deleted")]
    entry = (await world.store.entries_of(world.consents["a"].tracking_id))[-1]
    assert entry.private == {
        "subscription_id": world.subscription.id,
        "entry_id": end.id,
        "sequence": f"{end.sequence:020}",
        "evidence_url": "https://crm.example/1",
    }
    assert entry.data["channel"] == "operator"
    world.clock.advance(7200)
    await world.processes[0].run_once()
    assert await world.told() == [(COMPLETED, "a", "data_deleted"), (OVERDUE, "a", "data_access_stopped")]
    assert [status for *_, status in await world.work()] == [WorkStatus.OVERDUE, WorkStatus.DONE]
    assert (await world.report(sequence=end.sequence, work="data_access_stopped")).overdue_told_at is not None
    assert len(await world.told()) == 3


async def test_a_report_of_what_nobody_asked_for_is_refused(world: World) -> None:
    with pytest.raises(SubscriptionNotFoundError):
        await world.report(sequence=1)
    await world.subscribe()
    (end,) = await world.move("a")
    (other,) = await world.move("a", to="Authorized")
    for facts in (
        {"sequence": other.sequence},
        {"sequence": 99},
        {"entry_id": "nonsense"},
        {"entry_id": end.id, "work": "cake_baked"},
    ):
        with pytest.raises(CompletionNotFoundError):
            await world.report(**facts)
    with pytest.raises(InvalidRequestError):
        await world.report(sequence=end.sequence, done_at=world.clock.now() + timedelta(minutes=6))
    assert await world.told() == []


async def test_race_of_reports_one_of_which_stands(world: World) -> None:
    await world.subscribe()
    (end,) = await world.move("a")
    reports = [
        world.report(sequence=end.sequence, evidence_url=f"https://crm.example/{n % 2}", process=n % 2)
        for n in range(8)
    ]
    answers = await asyncio.gather(*reports, return_exceptions=True)
    stands = {answer.evidence_url for answer in answers if not isinstance(answer, Exception)}
    assert len(stands) == 1
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert [type(one) for one in refused] == [CompletionConflictError] * 4
    assert await world.told() == [(COMPLETED, "a", "data_deleted")]


async def test_nothing_slips_through_a_crash_between_two_writes(world: World) -> None:
    """Each time it falls over before the rows are written, or right after: in the end each piece of work is there once."""
    await world.subscribe()
    journal = [entry.sequence for _ in range(4) for entry in await world.move(*[f"c{n}" for n in range(100)])]

    class Falling(SqlStore):
        fails = 0

        async def save_completion_watch(self, *args: Any) -> bool:
            Falling.fails += 1
            if Falling.fails % 3 == 1:
                raise StorageError
            done = await super().save_completion_watch(*args)
            if Falling.fails % 3 == 2:
                raise StorageError
            return done

    falling = Completions(Falling(world.store._database, SystemIds()), world.office, Bell())
    for _ in range(12):
        try:
            await falling.run_once()
        except StorageError:
            continue
    found: list[Any] = []
    while page := await world.store.work_of(
        world.subscription.id,
        WorkQuery(now=world.clock.now(), after=(found[-1].sequence, found[-1].work) if found else (0, ""), limit=64),
    ):
        found += page
    assert [(one.sequence, one.work) for one in found] == [(n, word) for n in journal for word in ENDS.work]
    assert Falling.fails >= 3


async def test_with_a_subscription_goes_what_it_asked_for(world: World) -> None:
    made = await world.subscribe()
    await world.move("a")
    await world.processes[0].run_once()
    assert await world.store.delete_subscription(made.id)
    assert await world.work() == []
    assert await world.store.save_completion_watch(made, None, 1, []) is False
    world.clock.advance(7200)
    assert await world.processes[0].run_once() == 0


async def test_terms_that_are_set_again_begin_where_they_are_set(world: World) -> None:
    made = await world.subscribe()
    (first,) = await world.move("a")
    await world.processes[0].run_once()
    assert await world.store.change_subscription(replace(made, completion=None), 1)
    (between,) = await world.move("b")
    await world.processes[0].run_once()
    again = replace(made, completion=replace(ENDS, after=between.sequence))
    assert await world.store.change_subscription(again, 2)
    (last,) = await world.move("c")
    await world.processes[0].run_once()
    assert {sequence for sequence, *_ in await world.work()} == {first.sequence, last.sequence}


async def test_what_is_overdue_at_a_provider_that_left_the_configuration_waits(world: World) -> None:
    await world.subscribe()
    await world.move("a")
    office = replace(world.office, providers=Providers([]))
    world.clock.advance(7200)
    assert await Completions(world.store, office, Bell()).run_once() == 0
    assert await world.processes[0].run_once() == 2


async def test_work_for_a_consent_whose_provider_left_the_configuration_can_be_reported(world: World) -> None:
    """Its rules are not known any more, and without them the report was refused."""
    await world.subscribe()
    (end,) = await world.move("a")
    gone = Completions(world.store, replace(world.office, providers=Providers([])), Bell())
    done = {"work": "data_deleted", "evidence_url": "https://crm.example/1", "done_at": world.clock.now()}
    report = CompletionReport(sequence=end.sequence, **done)
    assert (await gone.report(world.subscription.id, report, lambda _: None)).reported_at == world.clock.now()
    assert await world.told() == [(COMPLETED, "a", "data_deleted")]
    entry = (await world.store.entries_of(world.consents["a"].tracking_id))[-1]
    assert entry.data["usable"] is False


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE consent SET told_status = 'Nonsense' WHERE consent_id LIKE 'bad%'",
        "UPDATE completion SET due_at = due_at, done_at = 'x' WHERE sequence <= 60",
    ],
)
async def test_a_hundred_damaged_rows_keep_nobody_else_from_being_told(
    world: World, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """They were the longest overdue, and nothing behind them was ever looked at."""
    if "done_at" in damage and isinstance(world.store._database.beneath, PostgresDatabase):
        pytest.skip("such a column cannot be damaged so")
    await world.subscribe()
    await world.move(*[f"bad{n}" for n in range(60)])
    world.clock.advance(1)
    await world.move("good", "better")
    await world.processes[0].run_once()
    world.clock.advance(7200)
    await world.store._write(lambda connection: connection.execute(text(damage)))
    for _ in range(3):
        await world.processes[0].run_once()
    assert sorted({name for _, name, _ in await world.told()}) == ["better", "good"]
    assert len([one for one in caplog.messages if "left out until somebody mends it" in one]) == 60


async def test_a_damaged_consent_keeps_nobody_else_from_being_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.subscribe()
    await world.move("a", "b", "c")
    await world.processes[0].run_once()
    world.clock.advance(7200)
    damage = text("UPDATE consent SET told_status = 'Nonsense' WHERE consent_id = 'b'")
    await world.store._write(lambda connection: connection.execute(damage))
    for _ in range(3):
        await world.processes[0].run_once()
    assert {name for _, name, _ in await world.told()} == {"a", "c"}
    assert len([one for one in caplog.messages if "left out until somebody mends it" in one]) == 1


async def test_a_subscription_that_cannot_be_looked_after_stops_no_other(world: World) -> None:
    class Failing(SqlStore):
        async def completion_watch(self, subscription_id: str) -> int | None:
            if subscription_id == broken.id:
                raise InconsistentRowError("completion_watch", subscription_id, "it is damaged")
            return await super().completion_watch(subscription_id)

    broken = a_subscription(completion=ENDS)
    await world.store.add_subscription(broken)
    await world.subscribe()
    await world.move("a")
    world.clock.advance(7200)
    process = Completions(Failing(world.store._database, SystemIds()), world.office, Bell())
    with pytest.raises(InconsistentRowError):
        await process.run_once()
    assert len(await world.told()) == 2
