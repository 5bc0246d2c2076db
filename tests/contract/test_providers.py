"""What is known of the providers themselves: ledgers, the reading that their health comes from, signs of life."""

import asyncio
from datetime import timedelta

import pytest

from tests.contract.facts import (
    DEMOBANK,
    OTHERBANK,
    NewDatabase,
    a_consent,
    a_report,
    at,
    draft_about,
    save,
    stored,
)
from tracker.adapters.store.store import SqlStore
from tracker.domain.allowance import Allowance, Limits
from tracker.domain.breaker import Breaker
from tracker.domain.changed import changed
from tracker.domain.consent import Channel, Status
from tracker.domain.hearing import Hearing
from tracker.domain.lags import Lags
from tracker.ports import HEALTH_READING, Health, Ledger, Signs, Told, Transaction

LIMITS = Limits(per_second=5, per_day=100)


async def test_a_ledger_begins_with_nothing_and_keeps_what_is_written(store: SqlStore) -> None:
    full = Ledger(
        allowance=Allowance()
        .take(3, LIMITS, at(1))
        .take_turns(1, LIMITS, at(1.5))
        .awaited(7, at(2), LIMITS)
        .wanted(at(3), LIMITS, more=True)
        .held(9.5, at(4)),
        breaker=Breaker().heard([True, False, False, False, False, False], at(5)),
        at=at(6),
    )

    def write(transaction: Transaction) -> Ledger:
        found = transaction.providers.lock_ledger(DEMOBANK, at(6))
        transaction.providers.save_ledger(DEMOBANK, full)
        return found

    assert await store.transact(write) == Ledger(at=at(6))
    assert await store.transact(lambda transaction: transaction.providers.lock_ledger(DEMOBANK, at(6))) == full
    facts = await store.provider_facts([DEMOBANK, OTHERBANK], at(7), at(0))
    assert facts[DEMOBANK].ledger == changed(full, at=at(7))
    assert facts[OTHERBANK].ledger == Ledger(at=at(7))


async def test_the_databases_clock_goes_on(store: SqlStore) -> None:
    first = await store.transact(lambda transaction: transaction.providers.lock_ledger(DEMOBANK, None))
    second = await store.transact(lambda transaction: transaction.providers.lock_ledger(DEMOBANK, None))
    assert timedelta() <= second.at - first.at < timedelta(minutes=1)
    assert first.at.tzinfo is not None


async def test_takers_in_two_processes_never_take_more_than_there_is(new_database: NewDatabase) -> None:
    """A race: each of two stores takes again and again; the ledger's row is all that they have in common."""
    open_store = new_database()
    stores = [open_store(), open_store()]
    taken: list[int] = []

    def take(transaction: Transaction) -> int:
        ledger = transaction.providers.lock_ledger(DEMOBANK, at(0))
        allowed = min(2, ledger.allowance.room(LIMITS, at(0)).urgent)
        taken_now = changed(ledger, allowance=ledger.allowance.take(allowed, LIMITS, at(0)))
        transaction.providers.save_ledger(DEMOBANK, taken_now)
        return allowed

    async def go_on(store: SqlStore) -> None:
        for _ in range(8):
            taken.append(await store.transact(take))

    await asyncio.gather(*(go_on(store) for store in stores))
    assert sum(taken) == LIMITS.at_once
    for opened in stores:
        await opened.close()


async def test_a_transaction_that_fails_has_taken_nothing(store: SqlStore) -> None:
    def take(transaction: Transaction) -> None:
        ledger = transaction.providers.lock_ledger(DEMOBANK, at(0))
        transaction.providers.save_ledger(DEMOBANK, changed(ledger, allowance=ledger.allowance.take(5, LIMITS, at(0))))
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(take)
    assert (await store.provider_facts([DEMOBANK], at(0), at(0)))[DEMOBANK].ledger == Ledger(at=at(0))


async def test_the_reading_goes_on_where_it_was_committed(store: SqlStore) -> None:
    consents = [a_consent(f"consent-{n}") for n in range(3)]
    await save(store, *consents)
    await store.transact(lambda transaction: transaction.append([draft_about(one) for one in consents], at(1)) and None)
    seen: list[list[int]] = []

    def read(transaction: Transaction) -> None:
        found = transaction.providers.read_on(HEALTH_READING, 2)
        seen.append([entry.sequence for entry in found or []])
        if len(seen) == 1:
            raise LookupError

    with pytest.raises(LookupError):
        await store.transact(read)
    for _ in range(3):
        await store.transact(read)
    assert seen == [[1, 2], [1, 2], [3], []]
    assert await store.transact(lambda transaction: transaction.providers.read_on("another", 2)) is None


async def test_moves_are_added_up_by_the_hour_and_forgotten_after_eight_days(store: SqlStore) -> None:
    def count(transaction: Transaction) -> None:
        for hour in (0, 3600):
            transaction.providers.count_moves({("demobank", Told.POLL, at(hour)): Lags.of([1.0, 5.0])})

    await store.transact(count)
    await store.transact(count)
    facts = await store.provider_facts([DEMOBANK], at(0), at(0))
    assert facts[DEMOBANK].lags == {Told.POLL: Lags.of([1.0, 5.0] * 4)}
    since = await store.provider_facts([DEMOBANK], at(0), at(1))
    assert since[DEMOBANK].lags == {Told.POLL: Lags.of([1.0, 5.0] * 2)}
    await store.trim(at(8 * 86_400 + 1))
    later = await store.provider_facts([DEMOBANK], at(0), at(0))
    assert later[DEMOBANK].lags == {Told.POLL: Lags.of([1.0, 5.0] * 2)}


async def test_what_is_waited_for_is_due_in_its_order_until_it_is_settled(store: SqlStore) -> None:
    consent = a_consent()
    await save(store, consent)
    await store.transact(lambda transaction: transaction.append([draft_about(consent)] * 1, at(1)) and None)
    await store.transact(lambda transaction: transaction.append([draft_about(consent)], at(2)) and None)

    def due(seconds: float) -> list[int]:
        return [entry.sequence for entry in found] if (found := overdue[seconds]) else []

    overdue = {}
    await store.transact(lambda transaction: transaction.providers.await_events({1: at(20), 2: at(10)}))
    await store.transact(lambda transaction: transaction.providers.await_events({1: at(99)}))  # known already
    for seconds in (9, 10, 20):
        overdue[seconds] = await store.transact(
            lambda transaction, seconds=seconds: transaction.providers.overdue(at(seconds), 10)
        )
    assert [due(seconds) for seconds in (9, 10, 20)] == [[], [2], [2, 1]]
    await store.transact(lambda transaction: transaction.providers.settle([2]))
    rest = await store.transact(lambda transaction: transaction.providers.overdue(at(30), 10))
    assert [entry.sequence for entry in rest] == [1]


async def test_a_move_is_told_by_an_event_of_its_status_and_second(store: SqlStore) -> None:
    consent = a_consent()
    await save(store, consent)
    told = a_report(1, Status.SUSPENDED, since=100.4, channel=Channel.WEBHOOK)
    polled = a_report(2, Status.REVOKED, since=200, channel=Channel.POLL)

    def record(transaction: Transaction) -> None:
        transaction.lock_tracked([consent.tracking_id])
        for report in (told, polled):
            transaction.add_report(stored(report, consent), None)

    await store.transact(record)

    async def is_told(status: Status, seconds: float) -> bool:
        return await store.transact(
            lambda transaction: transaction.providers.is_told(consent.tracking_id, status, at(seconds))
        )

    assert await is_told(Status.SUSPENDED, 100)  # one of the two had its time cut to a second
    assert not await is_told(Status.SUSPENDED, 102)
    assert not await is_told(Status.AUTHORIZED, 100)
    assert not await is_told(Status.REVOKED, 200)
    registered = await store.transact(lambda transaction: transaction.providers.registered_at([consent.tracking_id]))
    assert registered == {consent.tracking_id: consent.registered_at}


async def test_signs_of_life_only_ever_move_on(store: SqlStore) -> None:
    await store.note_signs({DEMOBANK: Signs(last_event_at=at(10), keys_failed_at=at(3))})
    await store.note_signs({DEMOBANK: Signs(last_event_at=at(5), tokens_fetched_at=at(4)), OTHERBANK: Signs()})
    await store.transact(
        lambda transaction: (
            transaction.providers.lock_health(DEMOBANK),
            transaction.providers.save_hearing(DEMOBANK, Hearing().missed(at(20), moved_at=at(19), heard_at=None)),
        )[0]
    )
    await store.set_stretch(DEMOBANK, 1.5)
    await store.note_signs({DEMOBANK: Signs(last_event_at=at(11))})
    assert await store.provider_health() == {
        DEMOBANK: Health(
            signs=Signs(last_event_at=at(11), keys_failed_at=at(3), tokens_fetched_at=at(4)),
            hearing=Hearing().missed(at(20), moved_at=at(19), heard_at=None),
            stretch=1.5,
        ),
        OTHERBANK: Health(),
    }
