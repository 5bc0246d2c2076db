"""The journal: numbers without a gap, each consent's entries linked, and nothing of what was rolled back."""

import asyncio
import uuid
from typing import Any

import pytest

from tests.contract.facts import (
    START,
    a_consent,
    a_decision,
    append,
    at,
    draft_about,
    save,
    sequences,
)
from tests.journal.drafts import a_draft
from tracker.adapters.store.store import SqlStore
from tracker.domain.overlay import Overlay, Revocation
from tracker.domain.tracked import TrackedConsent
from tracker.journal.canonical import NotCanonicalError
from tracker.journal.entry import Draft, Entry
from tracker.journal.tree import leaf_hash
from tracker.ports import Transaction


async def two(store: SqlStore) -> tuple[TrackedConsent, TrackedConsent]:
    one, other = a_consent("one"), a_consent("other")
    await save(store, one, other)
    return one, other


async def last_sequence(store: SqlStore, consent: TrackedConsent) -> int | None:
    found = await store.get_consent(consent.tracking_id)
    assert found is not None
    return found.last_sequence


async def test_entries_are_numbered_from_one_and_linked_within_each_consent(store: SqlStore) -> None:
    one, other = await two(store)
    first = await append(store, draft_about(one), draft_about(other), draft_about(one))
    second = await append(store, draft_about(other), draft_about(one))
    assert sequences(first + second) == [1, 2, 3, 4, 5]
    assert [entry.previous for entry in first + second] == [None, None, 1, 2, 3]
    assert await store.entries_of(one.tracking_id) == [first[0], first[2], second[1]]
    assert await store.entries_of(other.tracking_id) == [first[1], second[0]]
    assert (await last_sequence(store, one), await last_sequence(store, other)) == (5, 4)
    assert await store.head() == 5


async def test_a_consent_may_be_registered_and_told_of_in_one_transaction(store: SqlStore) -> None:
    consent = a_consent()

    def script(transaction: Transaction) -> list[Entry]:
        transaction.save(consent, a_decision(), next_ask_at=None, next_tick_at=None)
        return transaction.append([draft_about(consent), draft_about(consent)], START)

    assert [entry.previous for entry in await store.transact(script)] == [None, 1]
    assert await last_sequence(store, consent) == 2


@pytest.mark.parametrize(
    "hold",
    [
        "lock_tracked",
        "lock_named",
        "lock_due_asks",
        "lock_due_ticks",
        "lock_due_notices",
        "lock_chain",
        "lock_due_revocations",
    ],
)
async def test_however_a_consent_is_held_its_entries_are_linked(store: SqlStore, hold: str) -> None:
    overlay = Overlay(revocation=Revocation(revoked_by="TPP", requested_at=START, due_at=START))
    consent = a_consent(overlay=overlay)
    await save(store, consent, ask=START, tick=START, notice=START)
    await append(store, draft_about(consent))
    arguments: dict[str, tuple[Any, ...]] = {
        "lock_tracked": ([consent.tracking_id],),
        "lock_named": ([(consent.provider, consent.consent_id)],),
        "lock_due_asks": (consent.provider, START, 10),
        "lock_due_ticks": (START, 10),
        "lock_due_notices": (START, 10),
        "lock_chain": ((consent.provider, consent.consent_id),),
        "lock_due_revocations": (consent.provider, START, 10),
    }

    def script(transaction: Transaction) -> list[Entry]:
        getattr(transaction, hold)(*arguments[hold])
        return transaction.append([draft_about(consent)], START)

    (entry,) = await store.transact(script)
    assert entry.previous == 1


async def test_every_leaf_names_this_journal_and_hashes_to_its_hash(store: SqlStore) -> None:
    one, _ = await two(store)
    (entry,) = await append(store, draft_about(one))
    journal_id = await store.journal_id()
    assert str(uuid.UUID(journal_id)) == journal_id
    assert entry.source == f"urn:uuid:{journal_id}"
    assert entry.leaf_hash == leaf_hash(entry.leaf_bytes)


async def test_what_is_rolled_back_leaves_no_hole(store: SqlStore) -> None:
    one, other = await two(store)
    await append(store, draft_about(one))

    def poisoned(transaction: Transaction) -> None:
        transaction.lock_tracked([one.tracking_id])
        transaction.append([draft_about(one), draft_about(one)], START)
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(poisoned)
    assert await store.head() == 1
    (entry,) = await append(store, draft_about(one))
    assert (entry.sequence, entry.previous) == (2, 1)
    assert sequences(await store.entries_after(0, 10)) == [1, 2]
    assert await last_sequence(store, other) is None


async def test_a_draft_that_cannot_be_sealed_leaves_no_hole(store: SqlStore) -> None:
    one, _ = await two(store)
    with pytest.raises(NotCanonicalError):
        await append(store, draft_about(one), draft_about(one, revoked_by="\ud800"))
    assert await store.head() == 0
    assert sequences(await append(store, draft_about(one))) == [1]


async def test_transactions_that_race_append_one_after_the_other(store: SqlStore) -> None:
    one, other = await two(store)

    async def tell(consent: TrackedConsent) -> list[Entry]:
        return await append(store, draft_about(consent), draft_about(consent))

    told = await asyncio.gather(*(tell(one if number % 2 else other) for number in range(40)))
    everything = await store.entries_after(0, 1_000)
    assert sequences(everything) == list(range(1, 81))
    assert sorted(sequences(entry for entries in told for entry in entries)) == list(range(1, 81))
    assert all(second.sequence == first.sequence + 1 for first, second in told)
    for consent in (one, other):
        theirs = await store.entries_of(consent.tracking_id)
        assert [entry.previous for entry in theirs] == [None, *sequences(theirs)[:-1]]


async def test_time_never_runs_back_in_the_journal(store: SqlStore) -> None:
    one, _ = await two(store)
    drafts: list[Draft] = [draft_about(one) for _ in range(3)]
    for draft, now in zip(drafts, (at(5), at(2), at(7)), strict=True):
        await append(store, draft, now=now)
    assert [entry.recorded_at for entry in await store.entries_after(0, 10)] == [at(5), at(5), at(7)]


async def test_nothing_to_append_takes_no_number(store: SqlStore) -> None:
    assert await append(store) == []
    assert await store.head() == 0


async def test_a_transaction_appends_once(store: SqlStore) -> None:
    def script(transaction: Transaction) -> None:
        transaction.append([a_draft()], START)
        transaction.append([a_draft()], START)

    with pytest.raises(ValueError, match="once"):
        await store.transact(script)
    assert await store.head() == 0


async def test_the_journal_is_read_in_pieces(store: SqlStore) -> None:
    one, _ = await two(store)
    entries = await append(store, *(draft_about(one) for _ in range(10)))
    assert await store.entries_after(0, 3) == entries[:3]
    assert await store.entries_after(3, 3) == entries[3:6]
    assert await store.entries_after(3, 100, up_to=5) == entries[3:5]
    assert await store.entries_after(5, 100, up_to=5) == []
    assert await store.entries_after(10, 100) == []


async def test_entries_are_read_by_number(store: SqlStore) -> None:
    one, _ = await two(store)
    entries = await append(store, *(draft_about(one) for _ in range(10)))
    assert await store.entries_at([9, 2, 77]) == {2: entries[1], 9: entries[8]}
    assert await store.entries_at([]) == {}
    assert len(await store.entries_at(range(1, 2_000))) == 10
