"""Several workers take a failing subscriber over from each other, and each step of its way is told once."""

import random
from dataclasses import replace
from datetime import datetime

from tests.clocks import ManualClock
from tests.contract.facts import a_consent, a_subscription, append, draft_about, save
from tests.usecases.telling import NoJitter
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import LeaseLostError
from tracker.domain.subscription import EntryFilter, Subscription
from tracker.ports import Delivery, subscription_lease
from tracker.usecases.stream import Stream, StreamPorts
from tracker.usecases.wake import Bell

DOWN = Delivery(status=500, error="The endpoint answered 500.")


class Refusing:
    """`ports.Sender` to an endpoint that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.answer = DOWN

    async def send(
        self, subscription: Subscription, entry_id: str, body: bytes, at: datetime, *, traceparent: str | None = None
    ) -> Delivery:
        return self.answer


async def test_each_step_is_told_once_however_often_the_lease_changes_hands(store: SqlStore) -> None:
    dice = random.Random(7)
    clock, sender = ManualClock(), Refusing()
    ports = StreamPorts(
        store=store, sender=sender, clock=clock, ids=SystemIds(), entropy=NoJitter(), news=Bell(), grace_seconds=0.1
    )
    told, consent = a_subscription(cursor=0, entry_filter=EntryFilter(types=("consent.*",))), a_consent()
    await store.add_subscription(replace(told, created_at=clock.now()))
    await save(store, consent)
    await append(store, draft_about(consent))
    name, workers = subscription_lease(told.id), {worker: list[Stream]() for worker in "abc"}
    stale, mine = 0, ""
    for hour in range(85):
        if hour == 78:
            sender.answer = Delivery(status=204)
            saved = await store.get_subscription(told.id)
            assert saved is not None
            resumed = replace(saved, state=told.state, failing_since=None, failures=0, next_attempt_at=None)
            assert await store.change_subscription(resumed, saved.version, is_anew=True)
        mine = dice.choice([worker for worker in workers if worker != mine])
        for worker in workers:
            if worker != mine:
                await store.release_leases(worker, [name])  # of which it knows nothing
        held = (await store.hold_leases(mine, [name], 600))[name]
        subscription = await store.get_subscription(told.id)
        assert subscription is not None
        workers[mine].append(Stream(subscription, await store.parked(told.id), ports, held))
        clock.advance(3_600)
        for streams in dice.sample(list(workers.values()), 3):
            for stream in streams[-2:]:
                try:
                    await stream.turn()
                except LeaseLostError:
                    stale += 1
    entries = [entry for entry in await store.entries_after(0, 1_000) if entry.type.startswith("subscription.")]
    assert [entry.data["reason"] for entry in entries] == [
        "failing_50",
        "failing_70",
        "failing_90",
        "failing_100",
        None,
    ]
    assert stale > 20
