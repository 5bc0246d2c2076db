"""The one loop that tells subscribers, with a real broker at its end."""

import asyncio
from pathlib import Path

import pytest

from tests.adapters.sinks.bench import Place, a_teller, at
from tests.adapters.sinks.nats_server import NatsServer
from tests.usecases.telling import telling
from tracker.domain.subscription import SubscriptionState

CONSENTS = [1, 2, 3, 1, 2, 1, 3, 3, 2, 1] * 3


async def test_a_broker_that_is_killed_in_between_gets_all_in_order_and_without_a_hole(
    place: Place, name: str, database: Path
) -> None:
    url = await place.make(name)
    async with telling(database) as desk, a_teller(place, total_seconds=3) as teller:
        desk.sender = teller.sender
        desk.restart()
        await desk.subscribe(url=url)
        first = await desk.append(*CONSENTS)
        await desk.turn()
        await at(place, "down")
        second = await desk.append(*CONSENTS)
        await desk.turn()
        assert (await desk.saved()).state is SubscriptionState.FAILING
        assert (await desk.saved()).cursor >= len(first)
        await at(place, "up")
        async with asyncio.timeout(40):
            while (await desk.saved()).cursor < len(first) + len(second):
                await desk.turns(30)
        assert (await desk.saved()).state is SubscriptionState.ACTIVE
        assert desk.dead_letters() == {}
    heard = await place.heard(name)
    for consent in {entry.tracking_id for entry in first}:
        told = list(dict.fromkeys(one.id for one in heard if one.key == consent))
        assert told == [entry.id for entry in (*first, *second) if entry.tracking_id == consent]
    assert {one.body for one in heard} == {entry.told(with_private=False) for entry in (*first, *second)}


async def test_after_a_crash_of_ours_the_stream_has_each_entry_once(
    nats: NatsServer, name: str, database: Path
) -> None:
    url = await nats.make(name)
    async with telling(database) as desk, a_teller(nats) as teller:
        desk.sender = teller.sender
        desk.restart()
        await desk.subscribe(url=url)
        entries = await desk.append(*CONSENTS)

        def lose_what_was_done(called: str) -> None:
            if called == "save_progress":
                raise RuntimeError("killed")

        desk.store.on_call = lose_what_was_done
        with pytest.raises(RuntimeError):
            await desk.turn()
        assert (await desk.saved()).cursor == 0
        desk.store.on_call = lambda _: None
        desk.restart()
        await desk.turn()
        await desk.turns(5)
        assert (await desk.saved()).cursor == len(entries)
    assert sorted(one.id for one in await nats.heard(name)) == sorted(entry.id for entry in entries)
