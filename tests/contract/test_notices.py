"""Notices and chains in the store, and two workers that tell from one database."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.clocks import ManualClock
from tests.contract.facts import (
    DEMOBANK,
    IDS,
    OTHERBANK,
    START,
    NewDatabase,
    a_consent,
    a_decision,
    a_report,
    at,
    name_of,
    record,
    save,
    stored,
)
from tests.usecases.bench import NoJitter, a_provider
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import ConsentId, ProviderId, Status, TrackingId
from tracker.domain.lifecycle import Told
from tracker.domain.schedule import Pace
from tracker.domain.standing import Summary
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Transaction
from tracker.usecases.notices import Notices
from tracker.usecases.providers import Providers
from tracker.usecases.recording import Office
from tracker.usecases.wake import Bell

ROOT = (DEMOBANK, ConsentId("root"))


async def test_due_notices_are_given_in_their_order_to_their_limit(store: SqlStore) -> None:
    await save(store, a_consent("second"), notice=at(2))
    await save(store, a_consent("first", OTHERBANK), notice=at(1))
    await save(store, a_consent("later"), notice=at(3))
    await save(store, a_consent("never"))

    def due(limit: int, *providers: ProviderId) -> Any:
        return lambda t: [c.consent_id for c in t.lock_due_notices(at(2), limit, providers or None)]

    assert await store.transact(due(100)) == ["first", "second"]
    assert await store.transact(due(1)) == ["first"]
    assert await store.transact(due(1, DEMOBANK)) == ["second"]


async def test_what_was_due_may_be_saved_and_is_then_due_when_it_says(store: SqlStore) -> None:
    await save(store, a_consent(), notice=at(0))

    def take(transaction: Transaction) -> int:
        due = transaction.lock_due_notices(at(1), 10)
        for consent in due:
            transaction.save(consent, a_decision(), next_ask_at=None, next_tick_at=None, next_notice_at=at(5))
        return len(due)

    assert [await store.transact(take), await store.transact(take)] == [1, 0]
    assert len(await store.transact(lambda t: t.lock_due_notices(at(5), 10))) == 1


async def a_family(store: SqlStore) -> dict[str, TrackedConsent]:
    """A root, renewals in many states, and others that have nothing to do with them."""
    found = {"root": a_consent("root")}
    await save(store, found["root"], decision=a_decision(Status.EXPIRED))
    for status in Status:
        found[status] = a_consent(status, base_consent_id="root")
        await save(store, found[status], decision=a_decision(status))
    found["stranger"] = a_consent("stranger")
    found["theirs"] = a_consent("theirs", OTHERBANK, base_consent_id="root")
    found["their root"] = a_consent("root", OTHERBANK)
    found["other chain"] = a_consent("other chain", base_consent_id="stranger")
    for name in ("stranger", "theirs", "their root", "other chain"):
        await save(store, found[name], decision=a_decision(Status.AUTHORIZED))
    return found


async def test_a_chain_is_held_with_its_root_without_what_has_ended(store: SqlStore) -> None:
    family = await a_family(store)
    open_ones = {Status.AWAITING_AUTHORIZATION, Status.AUTHORIZED, Status.SUSPENDED}
    held = await store.transact(lambda t: t.lock_chain(ROOT))
    assert {c.consent_id for c in held} == {"root", *open_ones}
    assert {c.provider for c in held} == {DEMOBANK}
    assert [c.tracking_id for c in held] == sorted(c.tracking_id for c in held)
    also = [family[Status.REVOKED].tracking_id, family["root"].tracking_id]
    assert {c.consent_id for c in await store.transact(lambda t: t.lock_chain(ROOT, also))} == {
        "root",
        *open_ones,
        Status.REVOKED,
    }
    assert await store.transact(lambda t: t.lock_chain((DEMOBANK, ConsentId("nobody")))) == []


async def test_roots_are_what_others_name(store: SqlStore) -> None:
    await a_family(store)
    names = {(p, ConsentId(c)) for p in (DEMOBANK, OTHERBANK) for c in ("root", "stranger", "theirs", "nobody")}
    found = await store.transact(lambda t: t.named_as_roots(names))
    assert found == {ROOT, (DEMOBANK, "stranger"), (OTHERBANK, "root")}
    assert await store.transact(lambda t: t.named_as_roots([])) == set()


async def test_a_chain_is_read_whole_the_last_registered_first(store: SqlStore) -> None:
    family = await a_family(store)
    renewals = sorted((family[status] for status in Status), key=lambda c: c.tracking_id, reverse=True)
    assert await store.chain(ROOT, 100) == [*renewals, family["root"]]
    assert await store.chain(ROOT, 3) == [*renewals[:2], family["root"]]
    assert await store.chain((OTHERBANK, ConsentId("root")), 9) == [family["theirs"], family["their root"]]
    assert await store.chain((DEMOBANK, ConsentId("nobody")), 9) == []


async def test_a_root_that_names_itself_is_there_once(store: SqlStore) -> None:
    root = a_consent("root", base_consent_id="root")
    await save(store, root)
    assert await store.chain(ROOT, 9) == [root]


async def test_reports_of_several_are_those_of_each(store: SqlStore) -> None:
    one, other, silent = a_consent("one"), a_consent("other"), a_consent("silent")
    await save(store, one, other, silent)
    for n, consent in enumerate((one, other, one)):
        await record(store, stored(a_report(f"{consent.tracking_id} {n}", since=n), consent))
    found = await store.reports_of_each([one.tracking_id, other.tracking_id, silent.tracking_id])
    assert found == {c.tracking_id: await store.reports_of(c.tracking_id) for c in (one, other)}
    assert await store.reports_of_each([]) == {}


# ---------------------------------------------------------------------------------------------- two workers

COUNT = 60
EXPIRY = START + timedelta(days=365)


def authorized(name: str, made: float, **facts: Any) -> TrackedConsent:
    report = a_report(f"{name} {IDS.random()}", since=made, expiration_date_time=EXPIRY)
    return a_consent(
        name,
        summary=Summary(standing=(report,)),
        told=Told(status=Status.AUTHORIZED, usable=True),
        creation_date_time=at(made),
        **facts,
    )


def a_worker(store: SqlStore, now: datetime) -> Notices:
    providers = Providers([a_provider(DEMOBANK, "https://issuer.example")])
    office = Office(providers=providers, clock=ManualClock(now), ids=IDS, entropy=NoJitter(), pace=Pace())
    return Notices(store, office, Bell())


async def test_two_workers_race_and_each_step_is_told_once(new_database: NewDatabase) -> None:
    open_store = new_database()
    stores = [open_store(), open_store()]
    singles = [authorized(f"single-{n}", 0) for n in range(COUNT)]
    chains: list[TrackedConsent] = []
    for n in range(10):
        root = authorized(f"root-{n}", 0)
        chains += [root, *(authorized(f"{n}-{m}", m, base_consent_id=root.consent_id) for m in (1, 2))]
    due = [*singles, *(replace(c, noticing=replace(c.noticing, look_at=START)) for c in chains)]
    decision = a_decision(Status.AUTHORIZED, since=START, expiry=EXPIRY)
    await save(stores[0], *due, decision=decision, notice=START)
    await asyncio.gather(
        *(a_worker(store, EXPIRY - timedelta(days=7)).run_once() for store in stores for _ in range(2))
    )
    told = await stores[0].entries_after(0, 1000)
    expected = {(c.tracking_id, "in_7_days") for c in singles}
    # In a chain the youngest goes on, and the older ones stand beside it.
    for n in range(10):
        root, older, current = chains[3 * n : 3 * n + 3]
        expected |= {(current.tracking_id, "in_7_days")}
        expected |= {(c.tracking_id, "successor_authorized") for c in (root, older)}
    found = [(TrackingId(entry.tracking_id), entry.data["reason"]) for entry in told]
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert [entry.sequence for entry in told] == list(range(1, len(told) + 1))
    kept = await stores[1].transact(lambda t: t.lock_named([name_of(singles[0])]))
    assert [step.before for step in kept[name_of(singles[0])].noticing.told] == [timedelta(days=7)]
    for store in stores:
        await store.close()
