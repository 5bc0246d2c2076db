"""Polling on either database: two at once, one that dies, several processes; nothing is lost and no order broken."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from tests.clocks import ManualClock
from tests.contract.facts import NewDatabase, a_consent, a_subscription, append, at, draft_about, save
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import SubscriptionNotFoundError, SubscriptionNotPolledError
from tracker.domain.pull import OpenEntry, PollFormat, PollTerms, Window
from tracker.domain.subscription import EntryFilter, Parked, Subscription
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Pulled
from tracker.usecases.feed import Feed
from tracker.usecases.poll import HandedOut, Polling, PollRequest
from tracker.usecases.wake import Bell


class World:
    """A journal, a subscription that is polled, and any number of processes at it."""

    def __init__(self, stores: Sequence[SqlStore]) -> None:
        self.store = stores[0]
        self.clock = ManualClock()
        self.bells = [Bell() for _ in stores]
        self.feeds = [Feed(store, bell) for store, bell in zip(stores, self.bells, strict=True)]
        self.processes = [Polling(store, self.clock, feed) for store, feed in zip(stores, self.feeds, strict=True)]
        self.consents: dict[str, TrackedConsent] = {}
        self.subscription = a_subscription(url="", created_at=self.clock.now())

    async def subscribe(self, **changes: Any) -> Subscription:
        self.subscription = replace(self.subscription, **changes)
        await self.store.add_subscription(self.subscription)
        return self.subscription

    async def append(self, *names: str, **facts: Any) -> list[str]:
        """One entry about each of these consents; gives their ids."""
        for name in {*names} - self.consents.keys():
            self.consents[name] = a_consent(name)
            await save(self.store, self.consents[name])
        entries = await append(
            self.store, *(draft_about(self.consents[name], **facts) for name in names), now=self.clock.now()
        )
        for bell in self.bells:
            bell.ring()
        return [entry.id for entry in entries]

    async def poll(self, *acknowledged: str, process: int = 0, **wanted: Any) -> list[str]:
        return [entry.id for entry in (await self.handed(*acknowledged, process=process, **wanted)).entries]

    async def handed(self, *acknowledged: str, process: int = 0, **wanted: Any) -> HandedOut:
        request = PollRequest(acknowledged=acknowledged, **wanted)
        return await self.processes[process].poll(self.subscription.id, request, lambda _: None)

    async def until_somebody_waits(self, process: int) -> None:
        async with asyncio.timeout(20):
            while not self.feeds[process]._waiting:
                await asyncio.sleep(0.001)

    async def saved(self) -> Subscription:
        found = await self.store.get_subscription(self.subscription.id)
        assert found is not None
        return found


@pytest_asyncio.fixture
async def world(new_database: NewDatabase) -> AsyncIterator[World]:
    opened = new_database()
    stores = [opened(), opened()]
    yield World(stores)
    for store in stores:
        await store.close()


async def test_terms_of_polling_are_kept(store: SqlStore) -> None:
    terms = PollTerms(format=PollFormat.SET, visibility=timedelta(seconds=90))
    made = a_subscription(url="", polling=terms, key_id="a" * 16)
    await store.add_subscription(made)
    assert await store.get_subscription(made.id) == made
    assert made.is_polled
    assert not made.is_told
    changed = replace(made, polling=PollTerms(), key_id=None)
    assert await store.change_subscription(changed, 1)
    assert await store.get_subscription(made.id) == replace(changed, version=2)


async def test_a_window_is_written_by_one_who_has_read_the_one_before(store: SqlStore) -> None:
    made = a_subscription(url="")
    await store.add_subscription(made)
    assert await store.pull_window(made.id) is None
    opened = OpenEntry(sequence=7, entry_id="e", tracking_id="t", handed_at=at(1), ignored=2)
    waits = OpenEntry(sequence=8, entry_id="f", tracking_id="t")
    first = Window(scanned=9, open=(opened, waits), turn=1)
    lost = Parked(sequence=3, tracking_id="t", attempts=1, next_attempt_at=at(2), last_error="no")
    assert await store.save_pull(Pulled(subscription_id=made.id, window=first, given_up=(lost,)))
    for late in (first, replace(first, turn=3), replace(first, turn=7)):
        assert await store.save_pull(Pulled(subscription_id=made.id, window=late, acknowledged_at=at(9))) is False
    assert await store.pull_window(made.id) == first
    assert await store.get_subscription(made.id) == replace(made, cursor=6)
    (found,) = await store.undelivered(made.id, 0, 9)
    assert (found.sequence, found.last_error, found.given_up_at) == (3, "no", at(2))
    second = Window(scanned=9, turn=2)
    assert await store.save_pull(Pulled(subscription_id=made.id, window=second, acknowledged_at=at(9)))
    assert await store.get_subscription(made.id) == replace(made, cursor=9, last_delivered_at=at(9))
    assert await store.delete_subscription(made.id)
    assert await store.save_pull(Pulled(subscription_id=made.id, window=replace(second, turn=3))) is None
    assert await store.pull_window(made.id) is None


async def test_what_was_handed_out_comes_again_unless_it_was_acknowledged(world: World) -> None:
    await world.subscribe()
    ids = await world.append("a", "b", "a")
    assert await world.poll() == ids
    assert await world.poll(process=1) == []
    world.clock.advance(59)
    assert await world.poll(ids[1], process=1) == []
    assert (await world.saved()).cursor == 0
    world.clock.advance(1)
    assert await world.poll(process=1) == [ids[0], ids[2]]
    assert await world.poll(*ids, *ids, "nonsense") == []
    saved = await world.saved()
    assert (saved.cursor, saved.last_delivered_at) == (3, world.clock.now())
    world.clock.advance(600)
    assert await world.poll() == []


async def test_what_is_refused_is_a_dead_letter_and_its_consent_goes_on(world: World) -> None:
    await world.subscribe()
    first, other, second = await world.append("a", "b", "a")
    assert await world.poll(limit=1) == [first]
    assert await world.poll(refused={first: "invalid_request: no such customer", "x": "y"}) == [other, second]
    (lost,) = await world.store.undelivered(world.subscription.id, 0, 9)
    assert (lost.sequence, lost.attempts, lost.last_error) == (1, 1, "invalid_request: no such customer")
    assert lost.given_up_at == world.clock.now()
    assert await world.poll(refused={first: "again"}) == []
    assert len(await world.store.undelivered(world.subscription.id, 0, 9)) == 1


async def test_who_never_acknowledges_one_entry_loses_that_one_within_minutes(world: World) -> None:
    """Somebody's mistake over one entry must not keep back the end of its consent."""
    await world.subscribe()
    bad, end = await world.append("a", "a")
    seen: list[str] = []
    began = world.clock.now()
    for _ in range(200):
        await world.append("b")
        seen = await world.poll(*[one for one in seen if one != bad], limit=1)
        if seen == [end]:
            break
        world.clock.advance(10)
    assert seen == [end]
    assert world.clock.now() - began < timedelta(minutes=10)
    (lost,) = await world.store.undelivered(world.subscription.id, 0, 9)
    assert (lost.sequence, lost.attempts) == (1, 7)


async def test_only_what_is_wanted_is_handed_out_and_the_rest_is_passed_over_cheaply(world: World) -> None:
    await world.subscribe(entry_filter=EntryFilter(types=("consent.registered",)))
    (wanted,) = await world.append("a", type="consent.registered")
    await world.append(*["b"] * 400)
    assert await world.poll() == [wanted]
    (later,) = await world.append("a", type="consent.registered")
    handed = await world.handed(wanted, limit=1)
    assert ([entry.id for entry in handed.entries], handed.has_more) == ([later], False)
    await world.append(*["b"] * 400)
    assert await world.poll(later) == []
    assert (await world.saved()).cursor == 802
    await world.append(*["b"] * 300)
    assert await world.poll() == []
    assert (await world.saved()).cursor == 1102
    before = await world.store.pull_window(world.subscription.id)
    await world.append("b")
    assert await world.poll() == []
    assert await world.store.pull_window(world.subscription.id) == before  # nothing is written for so little


async def test_what_is_not_wanted_any_more_does_not_come_again(world: World) -> None:
    made = await world.subscribe()
    await world.append("a", "b")
    assert len(await world.poll()) == 2
    narrow = replace(made, entry_filter=EntryFilter(types=("payment.*",)))
    assert await world.store.change_subscription(narrow, 1)
    world.clock.advance(60)
    assert await world.poll() == []
    assert (await world.saved()).cursor == 2


async def test_a_paused_subscription_takes_answers_and_hands_nothing_out(world: World) -> None:
    made = await world.subscribe()
    first, second = await world.append("a", "b")
    assert await world.poll(limit=1) == [first]
    assert await world.store.change_subscription(replace(made, paused_at=world.clock.now()), 1)
    assert await world.poll(first) == []
    assert (await world.saved()).cursor == 1
    assert await world.store.change_subscription(made, 2)
    assert await world.poll() == [second]


async def test_one_with_a_url_and_one_that_is_gone_cannot_be_polled(world: World) -> None:
    with pytest.raises(SubscriptionNotFoundError):
        await world.poll()
    await world.subscribe(url="https://hooks.example/x")
    with pytest.raises(SubscriptionNotPolledError):
        await world.poll()


# ---------------------------------------------------------------------------------------------- waiting


async def test_who_waits_is_handed_what_comes_also_by_another_process(world: World) -> None:
    await world.subscribe()
    waiting = asyncio.create_task(world.poll(waits=True, process=1))
    await world.until_somebody_waits(1)
    ids = await world.append("a", "b")
    assert await asyncio.wait_for(waiting, 5) == ids


async def test_who_waits_is_handed_what_another_gives_back(world: World) -> None:
    await world.subscribe()
    first, second = await world.append("a", "a")
    assert await world.poll(limit=1) == [first]
    waiting = asyncio.create_task(world.poll(waits=True))
    await world.until_somebody_waits(0)
    assert await world.poll(first, limit=0, process=1) == []
    assert await asyncio.wait_for(waiting, 5) == [second]


async def test_who_waits_is_let_go_at_a_stop_and_who_hangs_up_is_handed_nothing(world: World) -> None:
    await world.subscribe()
    gone = False
    waiting = asyncio.create_task(world.poll(waits=True))
    hung_up = asyncio.create_task(world.poll(waits=True, process=1, is_gone=lambda: gone))
    for process in (0, 1):
        await world.until_somebody_waits(process)
    world.feeds[0].close()
    assert await asyncio.wait_for(waiting, 1) == []
    assert await asyncio.wait_for(world.poll(waits=True), 1) == []
    gone = True
    ids = await world.append("a")
    assert await asyncio.wait_for(hung_up, 5) == []
    assert await world.poll() == ids


# ---------------------------------------------------------------------------------------------- many at once


async def test_race_of_pollers_in_two_processes_some_of_whom_die(world: World) -> None:
    """Each answers for what it has in an order of its own, or dies before; entries come meanwhile."""
    dice = random.Random(11)
    await world.subscribe()
    consents = "abcdefgh"
    journal: dict[str, tuple[str, int]] = {}
    first: dict[str, list[int]] = {name: [] for name in consents}
    handed: set[str] = set()
    taken: set[str] = set()

    async def write() -> None:
        for _ in range(20):
            names = [dice.choice(consents) for _ in range(8)]
            for one, name in zip(await world.append(*names), names, strict=True):
                journal[one] = (name, len(journal))
            await asyncio.sleep(0)

    async def poll(number: int) -> None:
        mine: list[str] = []
        while len(taken) < 160:
            ack = tuple(dice.sample(mine, dice.randint(0, len(mine))))
            if dice.random() < 0.1:
                mine.clear()  # it died between poll and answer
                world.clock.advance(20)
                continue
            got = await world.handed(*ack, process=number % 2, limit=dice.randint(0, 12))
            taken.update(ack)
            mine = [one for one in mine if one not in ack]
            for entry in got.entries:
                mine.append(entry.id)
                name = entry.data["consent_id"]
                if entry.id not in handed:
                    handed.add(entry.id)
                    first[name].append(entry.sequence)
            if not got.entries:
                world.clock.advance(5)

    async with asyncio.timeout(60):
        await asyncio.gather(write(), *(poll(number) for number in range(6)))
    assert taken == handed == set(journal)
    for story in first.values():
        assert story == sorted(story)
    assert (await world.saved()).cursor == 160
    assert await world.store.undelivered(world.subscription.id, 0, 9) == []
