import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from tests.clocks import ManualClock
from tests.usecases.telling import Telling, telling
from tracker.adapters.address_guard import check_url
from tracker.adapters.clock import SystemEntropy, SystemIds
from tracker.domain.errors import InvalidRequestError, SubscriptionNotFoundError
from tracker.domain.subscription import EntryFilter, SubscriptionState
from tracker.ports import Store
from tracker.usecases.subscribe import SubscriptionRequest, Subscriptions

URL = "https://hooks.example.com/tracker"


@pytest.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as world:
        yield world


@pytest.fixture
def subscriptions(world: Telling) -> Subscriptions:
    return Subscriptions(
        store=cast("Store", world.real_store),
        clock=ManualClock(),
        ids=SystemIds(),
        entropy=SystemEntropy(),
        check_url=lambda url: check_url(url, ()),
        changed=world.changed,
    )


async def test_a_new_subscription_starts_after_the_head_with_a_secret_of_its_own(
    world: Telling, subscriptions: Subscriptions
) -> None:
    await world.append(1, 2)
    first = await subscriptions.add(SubscriptionRequest(url=URL, description="back office", include_private=True))
    second = await subscriptions.add(SubscriptionRequest(url=URL))
    assert first.cursor == 2
    assert first.state is SubscriptionState.ACTIVE
    assert (first.url, first.description, first.include_private) == (URL, "back office", True)
    assert first.created_at == ManualClock().now()
    assert UUID(first.id).version == 7
    assert first.secret.startswith("whsec_")
    assert len(base64.b64decode(first.secret.removeprefix("whsec_"), validate=True)) == 32
    assert first.secret != second.secret
    assert await subscriptions.list() == [first, second]
    assert await subscriptions.get(first.id) == first
    assert world.changed.rings == 2


async def test_a_subscription_may_start_anywhere_up_to_the_next_entry(
    world: Telling, subscriptions: Subscriptions
) -> None:
    await world.append(1, 2)
    for start in (1, 2, 3):
        assert (await subscriptions.add(SubscriptionRequest(url=URL, from_sequence=start))).cursor == start - 1
    for start in (0, -1, 4):
        with pytest.raises(InvalidRequestError, match="from 1 to 3"):
            await subscriptions.add(SubscriptionRequest(url=URL, from_sequence=start))


async def test_deleting_forgets_and_rings(world: Telling, subscriptions: Subscriptions) -> None:
    added = await subscriptions.add(SubscriptionRequest(url=URL))
    await subscriptions.delete(added.id)
    assert world.changed.rings == 2
    for call in (subscriptions.get, subscriptions.delete):
        with pytest.raises(SubscriptionNotFoundError):
            await call(added.id)
    assert await subscriptions.list() == []


@pytest.mark.parametrize("types", [("*",), ("consent.*",), ("consent.status_changed", "payment.*"), ("consent",)])
async def test_patterns_of_the_known_forms_are_taken(subscriptions: Subscriptions, types: tuple[str, ...]) -> None:
    added = await subscriptions.add(SubscriptionRequest(url=URL, entry_filter=EntryFilter(types=types)))
    assert (await subscriptions.get(added.id)).entry_filter.types == types


@pytest.mark.parametrize(
    "changes",
    [
        {"types": ()},
        {"types": ("",)},
        {"types": ("*", "")},
        {"types": ("**",)},
        {"types": ("*.x",)},
        {"types": ("consent.",)},
        {"types": ("consent*",)},
        {"types": ("consent.*.x",)},
        {"types": (".consent",)},
        {"types": ("Consent.*",)},
        {"types": ("consent.*\n",)},
        {"types": ("a" * 200,)},
        {"types": ("*",) * 51},
        {"provider": frozenset({"Demo Bank"})},
        {"provider": frozenset({""})},
        {"provider": frozenset(f"bank-{n}" for n in range(51))},
        {"kind": frozenset({""})},
        {"kind": frozenset({"account access"})},
        {"to": frozenset({"revoked"})},
        {"to": frozenset({"Authorised"})},
    ],
)
async def test_a_filter_that_could_hear_nothing_is_refused_in_one_sentence(
    subscriptions: Subscriptions, changes: dict[str, Any]
) -> None:
    entry_filter = replace(EntryFilter(types=("*",)), **changes)
    with pytest.raises(InvalidRequestError) as caught:
        await subscriptions.add(SubscriptionRequest(url=URL, entry_filter=entry_filter))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    assert await subscriptions.list() == []


async def test_a_url_that_is_refused_leaves_nothing_behind(world: Telling, subscriptions: Subscriptions) -> None:
    with pytest.raises(InvalidRequestError):
        await subscriptions.add(SubscriptionRequest(url="http://127.0.0.1/"))
    with pytest.raises(InvalidRequestError):
        await subscriptions.add(SubscriptionRequest(url=URL, description="x" * 501))
    assert await subscriptions.list() == []
    assert world.changed.rings == 0
