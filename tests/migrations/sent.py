"""Subscriptions that revision 0013 came with, and what it leaves of them below."""

from dataclasses import replace

from tests.contract.facts import a_subscription
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys
from tracker.adapters.store.store import SqlStore
from tracker.domain.sending import AS_USUAL, Sending, StaticHeader
from tracker.domain.subscription import Subscription, SubscriptionState

BEFORE_0013 = "0013-1"
"""The revision before it, whichever that is."""

SECRETS = SecretKeys({"k": b"k" * 32})


async def add_some_for_0013(store: SqlStore) -> dict[str, Subscription]:
    """One that wants a header, one whose secret is encrypted, one as there always were."""
    made = {
        "plain": a_subscription(),
        "header": a_subscription(sending=Sending(headers=(StaticHeader("X-Api-Key", "k"),))),
        "sealed": a_subscription(),
        "pending": a_subscription(state=SubscriptionState.PENDING, challenge="c" * 64),
        "sealed and pending": a_subscription(state=SubscriptionState.PENDING),
    }
    for name, one in made.items():
        store.vault.use_keys(SECRETS if name.startswith("sealed") else NO_KEYS)
        await store.add_subscription(one)
    return made


async def require_what_is_left(store: SqlStore, made: dict[str, Subscription]) -> None:
    """Whoever the version below could not tell as they wish is disabled, who was pending is again; secrets are as they were."""
    store.vault.use_keys(SECRETS)
    off = {"state": SubscriptionState.DISABLED}
    assert {name: await store.get_subscription(one.id) for name, one in made.items()} == {
        "plain": made["plain"],
        "header": replace(
            made["header"],
            sending=AS_USUAL,
            last_error="It is to be told in a way that this version does not know.",
            **off,
        ),
        "pending": replace(made["pending"], challenge=None, last_error="Its address was not proved."),
        "sealed and pending": replace(made["sealed and pending"], last_error="Its address was not proved."),
        "sealed": replace(made["sealed"], last_error="Its secret is encrypted.", **off),
    }
