"""A subscription that was paused: what revision 0011 leaves of it below."""

from dataclasses import replace

from tests.contract.facts import START, a_subscription, at
from tracker.adapters.store.store import SqlStore
from tracker.domain.subscription import RetiredSecret, Subscription, SubscriptionState

BEFORE_0011 = "0011-1"
"""The revision before it, whichever that is."""


async def add_some_for_0011(store: SqlStore) -> tuple[Subscription, Subscription]:
    """One that is paused, and one that is told."""
    retired = (RetiredSecret(secret="whsec_old", until=at(60)),)
    paused = a_subscription(paused_at=START, version=7, retired_secrets=retired)
    told = a_subscription()
    for one in (paused, told):
        await store.add_subscription(one)
    return paused, told


def after_the_way_down_and_up(paused: Subscription) -> Subscription:
    """Nobody tells it what it was not to be told."""
    plain = replace(paused, version=1, paused_at=None, retired_secrets=())
    return replace(plain, state=SubscriptionState.DISABLED, last_error="It was paused.")
