"""Subscriptions that are told in a manner of their own: what revision 0012 leaves of it below."""

from dataclasses import replace

from tests.contract.facts import a_consent, a_subscription, append, at, draft_about, parked, save
from tracker.adapters.store.store import SqlStore
from tracker.domain.announced import NOTHING, Announced
from tracker.domain.manner import Manner, Order
from tracker.domain.subscription import Parked, Subscription
from tracker.ports import Progress

BEFORE_0012 = "0012-1"
"""The revision before it, whichever that is."""


async def add_some_for_0012(store: SqlStore) -> Subscription:
    """One without order that has come up to 5, and has parked entries before and behind that."""
    made = a_subscription(manner=Manner(order=Order.NONE, most_in_flight=3))
    await store.add_subscription(made)
    consent = a_consent()
    await save(store, consent)
    await append(store, *(draft_about(consent) for _ in range(9)))
    told = replace(made, cursor=5, announced=Announced(percent=70, failing_since=at(9)))
    rows = (*(parked(n, is_unordered=True) for n in (3, 7)), parked(8))
    assert await store.save_progress(Progress(subscription=told, park=rows))
    return told


def after_the_way_down_and_up(told: Subscription) -> tuple[Subscription, list[Parked]]:
    """It is told in order, and entry 7 is read again."""
    return replace(told, manner=Manner(), announced=NOTHING), [parked(3), parked(8)]
