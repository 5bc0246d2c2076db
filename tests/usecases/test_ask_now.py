"""Asking at once, within what the provider may be asked."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import pytest

from tests.usecases.bench import CONSENT, DEMOBANK, OTHERBANK, Bench, data
from tracker.domain.consent import TrackingId
from tracker.domain.errors import ConsentApiUnavailableError, ConsentNotStagedError, StorageError
from tracker.usecases.ask import Asker

ASK = sys.modules[Asker.__module__]
ANSWER = {"Data": data()}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


async def _register(bench: Bench, count: int, name: str = "c") -> list[TrackingId]:
    for n in range(count):
        bench.holders.answers[f"{name}{n}"] = ConsentNotStagedError()
        await bench.register(f"{name}{n}")
    return [(await bench.consent(f"{name}{n}")).tracking_id for n in range(count)]


def _hold(bench: Bench) -> tuple[asyncio.Event, Callable[[], int]]:
    """Let the holder answer only when told; also count the questions that came."""
    gate, live, came = asyncio.Event(), bench.holders.read_consent, []

    async def held(*question: object) -> object:
        came.append(question)
        await gate.wait()
        return await live(*question)  # type: ignore[arg-type]

    bench.holders.read_consent = held  # type: ignore[assignment,method-assign]
    return gate, lambda: len(came)


def _begin(ask: Callable[[TrackingId], Awaitable[object]], which: list[TrackingId]) -> "list[asyncio.Task[object]]":
    async def one(tracking_id: TrackingId) -> object:
        return await ask(tracking_id)

    return [asyncio.create_task(one(tracking_id)) for tracking_id in which]


async def test_however_many_want_to_know_the_rate_is_kept(bench: Bench) -> None:
    askings = _begin(bench.asker.ask_now, await _register(bench, 15))
    for second in range(1, 4):
        await until(lambda upto=5 * second: len(bench.holders.asked) == upto)  # type: ignore[misc]
        assert (
            await bench.asker._budget.room(bench.office.providers.require(DEMOBANK)) == 0
        )  # for nobody, until time passes
        assert len(bench.holders.asked) == 5 * second
        bench.advance(seconds=1)
    await asyncio.gather(*askings)


async def test_the_schedule_is_not_starved_nor_starves(bench: Bench) -> None:
    wanted = await _register(bench, 30, "wanted")  # each is due again 30 seconds after it was asked about
    while await bench.asker.run_once(DEMOBANK):
        bench.advance(seconds=1)
    await _register(bench, 30, "due")
    bench.holders.asked.clear()
    await bench.asker.run_once(DEMOBANK)
    askings = _begin(bench.asker.ask_now, wanted)
    counter = bench.asker._budget._counters[DEMOBANK]
    await until(lambda: counter.waiting == 30)
    for _ in range(4):
        bench.advance(seconds=1)
        before = len(bench.holders.asked)
        await bench.asker.run_once(DEMOBANK)
        await until(lambda before=before: len(bench.holders.asked) == before + 5)  # type: ignore[misc]
    asked = bench.holders.asked
    assert len(asked) <= 25
    due, now = (sum(name.startswith(kind) for name in asked) for kind in ("due", "wanted"))
    assert due >= 5 + 4 * 2
    assert now >= 4 * 2 - 1  # in the first second it may be on record only that somebody waits, and not how many
    bench.asker.abandon_line()
    await asyncio.gather(*askings, return_exceptions=True)


async def test_those_who_want_to_know_the_same_share_a_question(bench: Bench) -> None:
    await bench.register()
    bench.holders.answers[CONSENT] = ANSWER
    tracking_id = (await bench.consent()).tracking_id
    found = await asyncio.gather(*(bench.asker.ask_now(tracking_id) for _ in range(10)))
    assert bench.holders.asked == [CONSENT]
    assert {consent.told.status for consent in found} == {"Authorized"}
    assert len({id(consent) for consent in found}) == 1


async def test_who_comes_after_it_was_sent_gets_another_that_is_shared_too(bench: Bench) -> None:
    await bench.register()
    bench.holders.answers[CONSENT] = ANSWER
    tracking_id = (await bench.consent()).tracking_id
    gate, came = _hold(bench)
    first = _begin(bench.asker.ask_now, [tracking_id])
    await until(lambda: came() == 1)
    later = _begin(bench.asker.ask_now, [tracking_id] * 5)
    await until(lambda: came() == 2)
    gate.set()
    await asyncio.gather(*first, *later)
    assert bench.holders.asked == [CONSENT] * 2


async def test_who_leaves_does_not_take_the_question_along(bench: Bench) -> None:
    await bench.register()
    bench.holders.answers[CONSENT] = ANSWER
    gate, came = _hold(bench)
    leaver, stayer = _begin(bench.asker.ask_now, [(await bench.consent()).tracking_id] * 2)
    await until(lambda: came() == 1)
    leaver.cancel()
    gate.set()
    await stayer
    assert bench.holders.asked == [CONSENT]


async def test_a_holder_that_asked_to_be_left_alone_is(bench: Bench) -> None:
    (first, second) = await _register(bench, 2)
    bench.holders.answers["c0"] = ConsentApiUnavailableError(retry_after_seconds=77)
    with pytest.raises(ConsentApiUnavailableError):
        await bench.asker.ask_now(first)
    bench.advance(seconds=7)
    with pytest.raises(ConsentApiUnavailableError, match="left alone") as raised:
        await bench.asker.ask_now(second)
    assert raised.value.retry_after_seconds == 70
    assert bench.holders.asked == ["c0"]
    assert (await bench.consent("c1")).asking.failures == 0
    bench.advance(seconds=70)
    await bench.asker.ask_now(second)
    assert bench.holders.asked == ["c0", "c1"]


async def test_a_short_pause_is_waited_for(bench: Bench) -> None:
    (first, second) = await _register(bench, 2)
    bench.holders.answers["c0"] = ConsentApiUnavailableError(retry_after_seconds=0.2)
    with pytest.raises(ConsentApiUnavailableError):
        await bench.asker.ask_now(first)
    (asking,) = _begin(bench.asker.ask_now, [second])
    counter = bench.asker._budget._counters[DEMOBANK]
    await until(lambda: "left alone" in counter.why_not)  # it has looked, and waits
    assert bench.holders.asked == ["c0"]
    bench.advance(seconds=0.2)
    await asking
    assert bench.holders.asked == ["c0", "c1"]


async def test_whose_turn_does_not_come_in_time_is_told_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ASK, "_PATIENCE_SECONDS", 1.0)
    which = await _register(bench, 12)
    askings = _begin(bench.asker.ask_now, which)
    found = await asyncio.gather(*askings, return_exceptions=True)
    refused = [error for error in found if isinstance(error, ConsentApiUnavailableError)]
    assert (len(refused), len(bench.holders.asked)) == (7, 5)
    assert {str(error) for error in refused} == {"More is asked of the holder now than it may be asked."}
    assert not bench.asker._in_line
    bench.advance(seconds=1)
    await bench.asker.ask_now(which[11])  # nothing is left over


async def test_of_too_long_a_line_the_end_is_refused_at_once(bench: Bench) -> None:
    askings = _begin(bench.asker.ask_now, await _register(bench, 80))
    # 5 are asked and 55 may wait; each that was asked before the last one came made room for one more.
    await until(lambda: len(bench.holders.asked) == 5 and sum(asking.done() for asking in askings) >= 25)
    refused = sum(asking.exception() is not None for asking in askings if asking.done())
    assert 20 <= refused <= 25
    bench.asker.abandon_line()
    found = await asyncio.gather(*askings, return_exceptions=True)
    assert sum(isinstance(error, asyncio.CancelledError) for error in found) == 75 - refused
    assert len(bench.holders.asked) == 5


async def test_another_provider_is_not_in_the_line(bench: Bench) -> None:
    askings = _begin(bench.asker.ask_now, await _register(bench, 10))
    await bench.register("elsewhere", provider=OTHERBANK)
    bench.holders.answers["elsewhere"] = ConsentNotStagedError()
    await bench.asker.ask_now((await bench.consent("elsewhere", OTHERBANK)).tracking_id)
    assert "elsewhere" in bench.holders.asked
    bench.asker.abandon_line()
    await asyncio.gather(*askings, return_exceptions=True)


async def test_room_that_is_not_used_goes_to_who_waits_for_it(bench: Bench) -> None:
    provider = bench.office.providers.require(DEMOBANK)
    budget = bench.asker._budget
    assert len(await budget.spend(provider, 50, lambda room, _: range(room.urgent - 1))) == 4
    await budget.turn(provider, 5)
    assert await budget.room(provider) == 0
    bench.advance(seconds=1)
    assert await budget.room(provider) == 5


async def test_a_claim_that_fails_costs_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, suspected: int) -> None:
        raise StorageError

    await bench.register()
    monkeypatch.setattr(ASK, "_claim_due", fails)
    with pytest.raises(StorageError):
        await bench.asker.run_once(DEMOBANK)
    assert await bench.asker._budget.room(bench.office.providers.require(DEMOBANK)) == 5


async def test_what_the_holder_said_is_on_record_though_the_ledger_cannot_be_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StorageError

    await bench.register()
    bench.holders.answers[CONSENT] = {"Data": data("Revoked", "2026-03-02T15:20:00+04:00")}
    monkeypatch.setattr(bench.asker._budget, "heard", away)
    with pytest.raises(StorageError):
        await bench.asker.ask_now((await bench.consent()).tracking_id)
    assert await bench.status() == ("Revoked", False)


async def test_a_provider_that_is_left_alone_keeps_nothing_free_for_who_goes_first(bench: Bench) -> None:
    provider = bench.office.providers.require(DEMOBANK)
    await bench.asker._budget.hold_back(provider, 3600)
    with pytest.raises(ConsentApiUnavailableError):
        await bench.asker._budget.turn_first(provider, 10)
    facts = await bench.store.provider_facts([DEMOBANK], bench.clock.now(), bench.clock.now())
    assert facts[DEMOBANK].ledger.allowance.waiting == 0
