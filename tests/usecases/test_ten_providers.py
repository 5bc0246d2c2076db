"""Ten providers of one service: whatever ails one of them, the others' events and polls take as many turns as ever.

Nothing here measures time. What an ill provider holds up stays held up until the test lets go of it, so whatever waited for
it would wait for good.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.adapters.hub.scripted_hub import ScriptedHub, says, says_json
from tests.usecases.bench import data
from tests.usecases.town import Town, open_town
from tracker.app.service import worker_for

ILL = "bank-0"
HEALTHY = [f"bank-{n}" for n in range(1, 10)]
ROUTES = ("discovery", "jwks", "token", "consent")
CONSENTS = 3


def _holds(*routes: str) -> Callable[[ScriptedHub], None]:
    def fall_ill(hub: ScriptedHub) -> None:
        for route in routes:
            hub.hold(route)

    return fall_ill


def _says(reply: Callable[..., object], *routes: str) -> Callable[[ScriptedHub], None]:
    def fall_ill(hub: ScriptedHub) -> None:
        for route in routes:
            hub.always[route] = reply  # type: ignore[assignment]

    return fall_ill


ILLNESSES: dict[str, Callable[[ScriptedHub], None]] = {
    "never answers": _holds(*ROUTES),
    "never gives its keys": _holds("jwks"),
    "never gives a token": _holds("jwks", "token"),
    "never answers questions": _holds("jwks", "consent"),
    "garbage": _says(says(200, b"\x00\xff{" * 10_000, "application/json"), *ROUTES),
    "429 for ever": _says(says(429), *ROUTES),
    "429 and come back tomorrow": _says(says(429, Retry_After="86400"), *ROUTES),
    "503": _says(says(503), *ROUTES),
    "sends us elsewhere": _says(says(302, Location="/"), *ROUTES),
    "empty keys": _says(says_json({"keys": []}), "jwks"),
}


@pytest_asyncio.fixture
async def town(database: Path, tmp_path: Path) -> AsyncIterator[Town]:
    """All are well, and their keys and tokens are at hand; each has a few consents."""
    async with open_town(database, tmp_path, ILL, *HEALTHY) as made:
        for name, hub in made.hubs.items():
            hub.message = {"Data": data(ConsentId="c-0")}
            for n in range(CONSENTS):
                await made.register(name, f"c-{n}")
        yield made


async def warm(town: Town, *names: str) -> None:
    for name in names:
        await town.tracker.holders.refresh(town.tracker.providers.require(name))


async def turns_until_recorded(town: Town, *names: str, most: int = 50) -> int:
    """Let an event of each in, and count the turns of the opening loop until all are on record."""
    recorded = f"SELECT count(*) FROM report WHERE provider <> '{ILL}'"
    before = town.rows(recorded)[0][0]
    await town.receive(*(town.event(name, f"new-{before}") for name in names))
    for turns in range(1, most + 1):
        await town.turn()
        if town.rows(recorded)[0][0] == before + len(names):
            return turns
    raise AssertionError


@pytest.mark.parametrize("illness", ILLNESSES)
async def test_one_that_is_ill_costs_the_others_no_turn(town: Town, illness: str) -> None:
    await warm(town, *HEALTHY)
    ILLNESSES[illness](town.hubs[ILL])
    assert await turns_until_recorded(town, *HEALTHY) == 1
    await town.receive(*(town.event(ILL, f"c-{n}") for n in range(CONSENTS)))
    await town.turn()
    assert await turns_until_recorded(town, *HEALTHY) == 1
    # Questions: the ill one's may go on for as long as they like.
    asking = asyncio.create_task(town.ask(ILL))
    await asyncio.sleep(0)
    assert await town.ask(*HEALTHY) == dict.fromkeys(HEALTHY, CONSENTS)
    for name in HEALTHY:
        assert await town.status(name, "c-0") == "Authorized"
        assert (town.hubs[name].count("token"), town.hubs[name].count("jwks")) == (1, 1)
    assert await turns_until_recorded(town, *HEALTHY) == 1
    if illness in {"never answers", "never gives a token", "never answers questions"}:
        assert not asking.done()
    if town.hubs[ILL].gates:
        assert ILL in town.tracker.opening.key_wait._fetching
    # It gets well again, and nothing of its own was lost either.
    hub = town.hubs[ILL]
    hub.release()
    hub.gates.clear()
    hub.always.clear()
    await asking
    for _ in range(4):
        await town.tracker.opening.key_wait.settled()
        town.advance(700)
        await town.work_off()
    assert town.waiting() == 0
    assert await town.quarantined() == []
    assert await town.status(ILL, "c-1") == "Authorized"


async def test_the_worker_waits_for_none_of_them(town: Town) -> None:
    _holds(*ROUTES)(town.hubs[ILL])
    worker = worker_for(town.tracker)
    worker.start()
    try:
        async with asyncio.timeout(30):
            await town.receive(town.event(ILL), *(town.event(name, "c-1") for name in HEALTHY))
            town.tracker.bells.inbox.ring()
            while any([await town.status(name, c) != "Authorized" for name in HEALTHY for c in ("c-0", "c-1")]):
                await asyncio.sleep(0.05)
                town.advance(1)
            while any(f"asking {name}" in worker._looks for name in HEALTHY):  # a look that is just going on ends
                await asyncio.sleep(0.01)
        assert f"asking {ILL}" in worker._looks
        assert f"keys of {ILL}" in worker._looks
    finally:
        town.hubs[ILL].release()
        await worker.stop()


async def test_each_has_a_budget_of_its_own(town: Town) -> None:
    for n in range(CONSENTS, 12):
        await town.register(ILL, f"c-{n}")
        await town.register(HEALTHY[0], f"c-{n}")
    _says(says(429, Retry_After="3600"), "consent")(town.hubs[ILL])
    assert await town.ask(ILL, HEALTHY[0]) == {ILL: 5, HEALTHY[0]: 5}
    assert await town.ask(ILL, HEALTHY[0]) == {ILL: 0, HEALTHY[0]: 0}
    town.advance(1)
    assert await town.ask(ILL, HEALTHY[0]) == {ILL: 0, HEALTHY[0]: 5}


PILE = 1500
"""Six turns of the opening loop."""


async def test_a_pile_of_one_providers_events_without_a_key_costs_the_others_two_turns_at_most(town: Town) -> None:
    await warm(town, *HEALTHY)
    ILLNESSES["503"](town.hubs[ILL])
    await town.pile_up(town.event(ILL), PILE)
    # While they are opened for the first time,
    assert await turns_until_recorded(town, *HEALTHY) <= 2
    await town.work_off()
    assert town.waiting() == PILE
    # while they wait, when all of them are due once more,
    assert await turns_until_recorded(town, *HEALTHY) == 1
    town.advance(6)
    assert await turns_until_recorded(town, *HEALTHY) <= 2
    await town.work_off()
    # and when their key has come, so that all are opened.
    town.hubs[ILL].always.clear()
    town.advance(31)
    await town.tracker.opening.key_wait.refresh(town.tracker.providers.require(ILL))
    assert await turns_until_recorded(town, *HEALTHY) <= 2
    assert town.waiting() > PILE / 2
    await town.work_off()
    assert town.waiting() == 0
    assert town.rows(f"SELECT repeats FROM report WHERE provider = '{ILL}'") == [(PILE - 1,)]


async def test_a_flood_with_a_path_of_its_own_lets_the_others_in_by_turns(town: Town) -> None:
    """The other's event is neither among the oldest nor among the newest that wait."""
    await warm(town, ILL, HEALTHY[0])
    flood = town.event(ILL, "c-0")
    await town.pile_up(flood, 600, lane=ILL)
    await town.pile_up(town.event(HEALTHY[0], "c-0"), 1, lane=HEALTHY[0])
    await town.pile_up(flood, 600, lane=ILL)
    await town.turn()
    assert await town.status(HEALTHY[0], "c-0") == "Authorized"
    assert town.waiting() > 600
