"""The inbox and the quarantine."""

import asyncio

import pytest

from tests.contract.facts import START, a_consent, a_quarantined, an_item, append, at, draft_about
from tracker.adapters.store.aside import MAX_UNVERIFIED, MAX_UNVERIFIED_BYTES
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import StorageError
from tracker.ports import EVERYTHING_ASIDE, InboxItem, Quarantined, Transaction


async def waiting(store: SqlStore, now: float = 100, limit: int = 100) -> list[str]:
    return [item.id for item in await store.claim_inbox(at(now), limit, 0)]


async def three(store: SqlStore) -> list[str]:
    items = [an_item(number) for number in range(3)]
    for item in reversed(items):
        await store.admit(item)
    return [item.id for item in items]


async def test_items_wait_in_the_order_of_arrival(store: SqlStore) -> None:
    ids = await three(store)
    assert await waiting(store) == ids
    assert await waiting(store, limit=2) == ids[:2]
    assert await waiting(store, now=1) == ids[:2]
    same_instant = [an_item(3) for _ in range(3)]
    for item in reversed(same_instant):
        await store.admit(item)
    assert await waiting(store) == ids + [item.id for item in same_instant]


async def test_an_item_is_admitted_once(store: SqlStore) -> None:
    item = an_item()
    await store.admit(item)
    with pytest.raises(StorageError):
        await store.admit(item)
    assert await waiting(store) == [item.id]


async def test_postponed_items_wait_for_their_time_and_count_the_attempt(store: SqlStore) -> None:
    first, second, third = await three(store)
    await store.postpone([first, third, "unknown"], at(200))
    assert await waiting(store) == [second]
    await store.postpone([first], at(150))
    assert await waiting(store, now=200) == [second, first, third]
    assert {item.id: item.attempts for item in await store.claim_inbox(at(200), 10, 0)} == {
        first: 2,
        second: 0,
        third: 1,
    }
    await store.postpone([], at(300))
    assert len(await waiting(store, now=200)) == 3


async def test_hastened_items_are_due_at_once_and_others_keep_their_place(store: SqlStore) -> None:
    first, second, third = await three(store)
    await store.postpone([second, third], at(200))
    await store.hasten([first, second], at(50))
    assert await waiting(store, now=49) == [first]
    assert await waiting(store, now=50) == [first, second]
    assert {item.id: item.attempts for item in await store.claim_inbox(at(50), 10, 0)} == {first: 0, second: 1}
    await store.hasten([first], at(60))  # it was due already
    assert await store.inbox_depth() == (3, at(0))


async def test_items_timed_by_a_clock_that_was_stepped_back_since_do_not_wait_for_it(store: SqlStore) -> None:
    """They were answered for; what was put off for a while is not meant, and what is really due comes first."""
    ahead, put_off = an_item(1_000), an_item(0)
    await store.admit(ahead)
    await store.admit(put_off)
    await store.postpone([put_off.id], at(60))
    assert await waiting(store, now=30) == [ahead.id]
    assert await waiting(store, now=60) == [put_off.id]
    await store.transact(lambda transaction: transaction.take_from_inbox([ahead.id]))
    assert await waiting(store, now=30) == []


async def test_depth_says_how_many_and_since_when_the_most_overdue_is_due(store: SqlStore) -> None:
    assert await store.inbox_depth() == (0, None)
    first, second, third = await three(store)
    assert await store.inbox_depth() == (3, at(0))
    await store.postpone([first, second], at(500))
    assert await store.inbox_depth() == (3, at(2))  # what was put off is not overdue
    await store.transact(lambda transaction: transaction.take_from_inbox([third]))
    assert await store.inbox_depth() == (2, at(500))


async def test_items_leave_in_the_transaction_that_records_what_came_of_them(store: SqlStore) -> None:
    ids = await three(store)

    def poisoned(transaction: Transaction) -> None:
        transaction.take_from_inbox(ids)
        transaction.append([draft_about(a_consent())], START)
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(poisoned)
    assert await waiting(store) == ids
    await store.transact(lambda transaction: transaction.take_from_inbox([*ids[:2], "unknown"]))
    assert await waiting(store) == ids[2:]
    await append(store, draft_about(a_consent()))


async def quarantine(store: SqlStore, *events: Quarantined) -> None:
    def script(transaction: Transaction) -> None:
        for event in events:
            transaction.quarantine(event)

    await store.transact(script)


async def test_the_quarantine_is_read_from_the_newest_on_in_pages(store: SqlStore) -> None:
    events = [
        a_quarantined(provider="demobank", kid="outer inner", verified=True, body=b"\x00\xff"),
        a_quarantined(step="gate", received_at=at(0.000_001)),
        a_quarantined(),
    ]
    await quarantine(store, *events)
    assert await store.quarantined(10) == events[::-1]
    page = await store.quarantined(2)
    assert page == events[:0:-1]
    await quarantine(store, a_quarantined())
    assert await store.quarantined(2, before=page[-1].id) == events[:1]
    assert await store.quarantined(2, before=events[0].id) == []


async def test_an_event_is_quarantined_once(store: SqlStore) -> None:
    event = a_quarantined()
    await quarantine(store, event)
    await quarantine(store, event, a_quarantined(id=event.id, reason="another"))
    assert await store.quarantined(10) == [event]


async def test_the_oldest_never_verified_events_make_room_and_verified_ones_never_do(store: SqlStore) -> None:
    old_verified = [a_quarantined(verified=True) for _ in range(3)]
    unverified = [a_quarantined() for _ in range(MAX_UNVERIFIED)]
    await quarantine(store, *old_verified, *unverified)
    assert len(await store.quarantined(2 * MAX_UNVERIFIED)) == MAX_UNVERIFIED + 3  # full to the brim
    newer = [a_quarantined(verified=True), a_quarantined(), a_quarantined()]
    await quarantine(store, *newer)
    kept = [event.id for event in reversed(await store.quarantined(2 * MAX_UNVERIFIED))]
    assert kept == [event.id for event in [*old_verified, *unverified[2:], *newer]]


async def test_large_never_verified_events_make_room_by_their_size(store: SqlStore) -> None:
    large = b"x" * (64 * 1024)
    fit = MAX_UNVERIFIED_BYTES // len(large)
    verified = [a_quarantined(verified=True, body=large) for _ in range(3)]
    await quarantine(store, *verified)
    unverified = [a_quarantined(body=large) for _ in range(fit)]
    for start in range(0, fit, 256):
        await quarantine(store, *unverified[start : start + 256])
    assert len(await store.quarantined_ids(2 * fit, "", EVERYTHING_ASIDE)) == fit + 3
    small = a_quarantined(body=b"x")
    await quarantine(store, small)
    assert await store.quarantined_ids(2 * fit, "", EVERYTHING_ASIDE) == [
        *(event.id for event in verified),
        *(event.id for event in unverified[1:]),
        small.id,
    ]


async def test_admitting_and_dropping_race_without_losing_any(store: SqlStore) -> None:
    items: list[InboxItem] = [an_item(number) for number in range(100)]
    await asyncio.gather(*(store.admit(item) for item in items))
    assert await waiting(store) == [item.id for item in items]

    async def drop(item: InboxItem) -> None:
        await store.transact(lambda transaction: transaction.take_from_inbox([item.id]))

    await asyncio.gather(
        *(drop(item) for item in items[:50]),
        *(store.admit(an_item(200 + number)) for number in range(10)),
    )
    assert await store.inbox_depth() == (60, at(50))


# ------------------------------------------------------------------------------------------ lanes


async def test_lanes_take_turns_when_more_is_due_than_fits(store: SqlStore) -> None:
    flood = [an_item(n, lane="flood") for n in range(60)]
    quiet, nameless = an_item(30.5, lane="quiet"), an_item(30.6)
    for item in (*flood, quiet, nameless):
        await store.admit(item)
    found = await waiting(store, limit=12)
    assert len(found) == 12
    assert {quiet.id, nameless.id, flood[0].id, flood[-1].id} <= set(found)
    assert found == sorted(found)
    assert len(await waiting(store, limit=62)) == 62


async def test_a_lane_is_kept_with_the_item(store: SqlStore) -> None:
    item = an_item(1, lane="demobank")
    await store.admit(item)
    assert await store.claim_inbox(at(100), 10, 0) == [item]
    assert await store.claim_inbox(at(100), 1, 0) == [item]


async def test_a_lane_in_which_nothing_is_due_takes_no_turn_from_the_others(store: SqlStore) -> None:
    for n in range(20):
        await store.admit(an_item(n, lane="flood"))
    await store.admit(an_item(500, lane="later"))
    assert len(await waiting(store, limit=16)) == 16
