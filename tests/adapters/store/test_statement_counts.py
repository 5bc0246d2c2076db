"""A batch costs the same statements whatever its size, and one commit."""

import pytest

from tests.adapters.store.counted import Counted
from tests.contract.facts import (
    START,
    a_consent,
    a_decision,
    a_report,
    an_evidence,
    an_item,
    draft_about,
    save,
    stored,
)
from tracker.ports import Transaction

_MOST = 15
"""Statements of a whole recording: four that look up, ten that write."""


async def recording(counted: Counted, size: int, first: int) -> int:
    """Record so many events, each about a consent of its own; give how many statements that took."""
    consents = [a_consent(f"consent-{number}") for number in range(first, first + size)]
    items = [an_item(number) for number in range(size)]
    await save(counted.store, *consents)
    for item in items:
        await counted.store.admit(item)

    def script(transaction: Transaction) -> None:
        held = transaction.lock_named([(consent.provider, consent.consent_id) for consent in consents])
        assert len(held) == size
        transaction.known_claims([consent.tracking_id for consent in consents])
        transaction.known_digests([str(number) for number in range(size)])
        for number, consent in enumerate(consents, first):
            transaction.save(consent, a_decision(), next_ask_at=None, next_tick_at=None)
            transaction.add_report(stored(a_report(number), consent), an_evidence(number))
        transaction.take_from_inbox([item.id for item in items])
        transaction.append([draft_about(consent) for consent in consents], START)

    counted.start_again()
    await counted.store.transact(script)
    return len([statement for statement in counted.statements if not statement.startswith("BEGIN")])


async def test_a_batch_of_any_size_takes_the_same_few_statements_and_one_commit(counted: Counted) -> None:
    few = await recording(counted, 2, 0)
    assert counted.commits == 1
    many = await recording(counted, 600, 1000)
    assert counted.commits == 1
    assert few == many <= _MOST


@pytest.mark.parametrize("what", ["lock_named", "known_claims", "known_digests", "take_from_inbox"])
async def test_nothing_is_asked_about_nothing(counted: Counted, what: str) -> None:
    counted.start_again()
    await counted.store.transact(lambda transaction: getattr(transaction, what)([]))
    assert [statement for statement in counted.statements if not statement.startswith("BEGIN")] == []
