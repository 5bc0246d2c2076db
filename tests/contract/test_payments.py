"""Payments in a store: one row each, found by their ids and by their consent."""

import asyncio
from dataclasses import replace

from hypothesis import given

from tests.contract import strategies as any_of
from tests.contract.facts import CONSENT_1, DEMOBANK, OTHERBANK, a_payment, at
from tests.contract.test_round_trips import some_examples
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import ConsentId
from tracker.domain.payment import Payment, PaymentOutcome
from tracker.ports import Name, PaymentKey, Transaction


async def save(store: SqlStore, *payments: Payment) -> None:
    def script(transaction: Transaction) -> None:
        transaction.lock_named([(one.provider, one.consent_id) for one in payments])
        for one in payments:
            transaction.save_payment(one)

    await store.transact(script)


async def locked(store: SqlStore, *keys: PaymentKey) -> dict[PaymentKey, Payment]:
    return await store.transact(lambda transaction: dict(transaction.lock_payments(keys)))


@some_examples
@given(payment=any_of.payments, later=any_of.payments)
async def test_a_payment_comes_back_and_changes_in_all_but_what_it_is(
    store: SqlStore, payment: Payment, later: Payment
) -> None:
    same = {"provider": payment.provider, "payment_id": payment.payment_id, "consent_id": payment.consent_id}
    for word in (payment, replace(later, **same)):
        await save(store, word)
        assert await locked(store, word.key) == {word.key: word}
        assert await store.payments_of((word.provider, word.consent_id), 10) == [word]
        assert await store.get_payment(word.key) == word


async def test_it_is_kept_by_provider_and_id(store: SqlStore) -> None:
    ours, theirs = a_payment(), a_payment(provider=OTHERBANK)
    await save(store, ours, theirs)
    assert await locked(store, ours.key, theirs.key, (DEMOBANK, "nothing")) == {ours.key: ours, theirs.key: theirs}
    assert await locked(store) == {}
    assert [await store.get_payment(key) for key in (theirs.key, (DEMOBANK, "nothing"))] == [theirs, None]


async def test_it_stays_under_the_consent_that_it_was_made_under(store: SqlStore) -> None:
    first = a_payment()
    await save(store, first)
    await save(store, a_payment(consent_id=ConsentId("another"), status="Rejected"))
    assert await locked(store, first.key) == {first.key: first}


async def test_payments_under_consents(store: SqlStore) -> None:
    other: Name = (DEMOBANK, ConsentId("consent-2"))
    made = [a_payment(f"p-{number}", status_date_time=at(-number)) for number in (3, 1, 2)]
    await save(store, *made, a_payment("q", other), a_payment("r", (OTHERBANK, CONSENT_1[1])))
    found = await store.transact(lambda transaction: dict(transaction.payments_under([CONSENT_1, other])))
    assert [one.payment_id for one in found[CONSENT_1]] == ["p-1", "p-2", "p-3"]
    assert [one.payment_id for one in found[other]] == ["q"]
    assert [one.payment_id for one in await store.payments_of(CONSENT_1, 2)] == ["p-1", "p-2"]
    assert [one.payment_id for one in await store.payments_of(CONSENT_1, 2, "p-2")] == ["p-3"]


async def test_several_at_once_lose_no_word(store: SqlStore) -> None:
    """Each reads what is kept and writes a later word: whoever comes second must have seen the first."""

    def add(transaction: Transaction) -> None:
        transaction.lock_named([CONSENT_1])
        known = transaction.lock_payments([(DEMOBANK, "payment-1")]).get((DEMOBANK, "payment-1"))
        count = 0 if known is None else int(known.status)
        transaction.save_payment(a_payment(status=str(count + 1), outcome=PaymentOutcome.PENDING))

    await asyncio.gather(*(store.transact(add) for _ in range(20)))
    (found,) = await store.payments_of(CONSENT_1, 10)
    assert found.status == "20"
