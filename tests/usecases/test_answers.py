"""What an endpoint says when it refuses is kept with what it refused, for those who must mend it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.usecases.replaying import Retelling, retelling
from tests.usecases.telling import SUBSCRIPTION
from tracker.adapters.clock import SystemIds
from tracker.ports import Delivery
from tracker.usecases.ping import Pings


class Talkative:
    """The real sender, to an endpoint that has words for every refusal."""

    def __init__(self, inner: Any, words: bytes) -> None:
        self._inner = inner
        self._words = words

    async def send(self, *arguments: Any, **options: Any) -> Delivery:
        delivery: Delivery = await self._inner.send(*arguments, **options)
        return delivery if delivery.delivered else replace(delivery, answer=self._words)


@pytest.fixture
async def again(database: Path) -> AsyncIterator[Retelling]:
    async with retelling(database) as made:
        made.world.sender = Talkative(made.world.sender, b"no field \x1b[31mkind\x00")
        made.world.restart()
        made.restart()
        yield made


SHOWN = "no field \\x1b[31mkind\\x00"


async def test_it_stands_with_what_is_parked_and_given_up_and_what_fails_again(again: Retelling) -> None:
    world = again.world
    await world.subscribe()
    await world.append(1, 1, 2)
    world.subscriber.answer = lambda entry: 422 if int(entry["sequence"]) == 1 else 204
    await world.turn()
    found = await world.real_store.undelivered(SUBSCRIPTION, 0, 9)
    assert [(one.sequence, one.answer) for one in found] == [(1, SHOWN), (2, None)]
    (row,) = [row for row in await world.real_store.parked(SUBSCRIPTION) if row.sequence == 1]
    assert row.answer == SHOWN
    world.restart()
    world.news.ring()
    await world.turns(3_600)
    (lost,) = await world.real_store.undelivered(SUBSCRIPTION, 0, 9)
    assert (lost.given_up_at is None, lost.answer) == (False, SHOWN)
    world.sender._words = b"still not"  # type: ignore[attr-defined]
    replay = await again.ask(is_missing=True)
    await again.turns()
    (lost,) = await world.real_store.undelivered(SUBSCRIPTION, 0, 9)
    assert lost.answer == "still not"
    (failed,) = await again.replays.not_taken(await again.now(replay))
    assert failed.answer == "still not"


async def test_it_is_never_logged(again: Retelling, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await again.world.subscribe()
    await again.world.append(1, 2)
    again.world.subscriber.answer = lambda entry: 422 if int(entry["sequence"]) == 1 else 204
    await again.world.turns(3_600)
    await again.ask(is_missing=True)
    await again.turns()
    assert "no field" not in caplog.text


async def test_a_ping_says_it_too(again: Retelling) -> None:
    await again.world.subscribe(url="http://127.0.0.1:9/")
    pings = Pings(again.world.real_store, again.world.sender, again.world.clock, SystemIds())
    assert (await pings.ping(SUBSCRIPTION)).delivery.shown_answer == SHOWN
