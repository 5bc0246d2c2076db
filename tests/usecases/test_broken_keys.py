"""Events that wait for a holder's keys, over restarts and at a holder who is not asked again at once."""

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import tokens
from tests.clocks import ManualClock
from tests.usecases.bench import DEMOBANK, NOW, Bench, ScriptedKeys, data, event, keys_of, open_bench
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.domain.errors import KeysUnavailableError, StorageError
from tracker.ports import Provider
from tracker.usecases.key_wait import KeyWait
from tracker.usecases.open import Opening
from tracker.usecases.opening import Opener
from tracker.usecases.suspects import Suspects

REVOKED = event(data("Revoked"))


@pytest.mark.parametrize("are_still_away", [False, True])
async def test_a_restart_does_not_use_up_the_patience_with_a_holder_whose_keys_are_away(
    bench: Bench, crypto: JwcryptoEventCrypto, are_still_away: bool
) -> None:
    await bench.register()
    bench.keys.unavailable = True
    bench.keys.fetched = {}
    await bench.deliver(REVOKED)
    for _ in range(4):
        bench.advance(minutes=2)
        await bench.work_off()
    await bench.store.close()
    bench.advance(minutes=10)
    async with open_bench(bench.path, crypto, clock=bench.clock) as again:
        again.keys.fetched, again.keys.unavailable = {}, are_still_away
        await again.work_off()
        assert await again.quarantined() == []
        if are_still_away:
            again.keys.unavailable = False
            again.advance(minutes=11)
            await again.work_off()
        assert await again.status() == ("Revoked", False)


@dataclass
class PatientKeys(ScriptedKeys):
    """Asks the holder at most once in 30 s, as the port says."""

    clock: ManualClock = field(default_factory=ManualClock)
    asked_at: float = float("-inf")

    async def refresh(self, provider: Provider) -> None:
        if self.clock.monotonic() - self.asked_at >= 30:
            self.asked_at = self.clock.monotonic()
            await super().refresh(provider)


async def test_a_key_that_was_published_just_after_somebody_asked_is_found(bench: Bench) -> None:
    """The event is not given up before the holder was asked once after it came."""
    keys = PatientKeys(clock=bench.clock)
    keys.published = {DEMOBANK: keys_of("hub", "older")}
    bench.keys = keys
    bench.opening.key_wait._keys = bench.opening._opener._keys = keys
    await bench.register()
    await bench.deliver(event(data(), kid="of-nobody"))  # whoever sends this makes us ask
    bench.advance(seconds=1)
    keys.published = {DEMOBANK: keys_of("hub", tokens.HUB_KID)}
    await bench.deliver(REVOKED)
    for _ in range(3):
        bench.advance(seconds=31)
        await bench.work_off()
    assert await bench.status() == ("Revoked", False)
    assert await bench.quarantined() == [("verify", "key_unknown", False)]  # the other one
    assert keys.refreshes <= (bench.clock.now() - NOW).total_seconds() / 30 + 1


def _another_process(bench: Bench, crypto: JwcryptoEventCrypto, keys: ScriptedKeys, threads: Executor) -> Opening:
    """One more that opens what waits in the same inbox, with keys of its own at hand."""
    waits = KeyWait(bench.store, bench.clock, keys, most_each=1)
    opener = Opener(bench.office.providers, crypto, keys)
    return Opening(bench.store, bench.clock, opener, waits, bench.recorder, threads, Suspects())


async def test_what_others_tried_in_vain_does_not_use_up_our_patience(
    bench: Bench, crypto: JwcryptoEventCrypto
) -> None:
    """They may be cut off from the holder; the keys that we have at hand are older than the event's."""
    await bench.register()
    bench.keys.fetched, bench.keys.unavailable = {}, True
    await bench.deliver(REVOKED)
    for _ in range(3):
        bench.advance(minutes=2)
        await bench.work_off()
    older = {DEMOBANK: keys_of("hub", "older")}
    keys = ScriptedKeys(published=older, fetched=dict(older))
    with ThreadPoolExecutor(1) as threads:
        other = _another_process(bench, crypto, keys, threads)
        await other.key_wait.refresh(bench.office.providers.require(DEMOBANK))  # a minute ago: all was well
        keys.published = {DEMOBANK: keys_of("hub", tokens.HUB_KID)}
        bench.advance(minutes=2)
        assert await other.run_once() == 1
        await other.key_wait.settled()
        while await other.run_once():
            pass
        await other.key_wait.close()
    assert await bench.quarantined() == []
    assert await bench.status() == ("Revoked", False)


async def test_what_another_process_opened_takes_nobodys_place_for_good(
    bench: Bench, crypto: JwcryptoEventCrypto
) -> None:
    """There is room for one here. Whoever else saw it wait is never told that it waits no more."""
    await bench.register()
    keys = ScriptedKeys(unavailable=True)
    with ThreadPoolExecutor(1) as threads:
        other = _another_process(bench, crypto, keys, threads)
        await bench.receiver.receive(bench.profile, event(data()), "interaction")
        assert await other.run_once() == 1
        await other.key_wait.settled()
        bench.advance(seconds=6)
        await bench.work_off()  # here the key is at hand
        assert await bench.status() == ("Authorized", True)
        for _ in range(21):
            bench.advance(minutes=1)
            with pytest.raises(KeysUnavailableError):
                await other.key_wait.refresh(bench.office.providers.require(DEMOBANK))
        await bench.receiver.receive(bench.profile, REVOKED, "interaction")
        assert await other.run_once() == 1
        assert await bench.quarantined() == []
        await other.key_wait.close()
    bench.advance(minutes=10)
    await bench.work_off()
    assert await bench.status() == ("Revoked", False)


async def test_what_could_not_be_made_due_when_its_key_had_come_is_made_due_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.register()
    bench.keys.fetched, bench.keys.unavailable = {}, True
    await bench.deliver(event(data()))
    bench.keys.unavailable = False
    await bench.opening.key_wait.refresh(bench.office.providers.require(DEMOBANK))

    async def away(*_: object) -> None:
        raise StorageError

    with monkeypatch.context() as patch, pytest.raises(StorageError):
        patch.setattr(bench.store, "hasten", away)
        await bench.opening.run_once()
    await bench.work_off()
    assert await bench.status() == ("Authorized", True)


async def test_what_waits_for_a_key_that_came_while_it_was_opened_does_not_wait(bench: Bench) -> None:
    """As at every start: the keys are fetched while the first events are opened."""
    await bench.register()
    bench.keys.fetched = {}
    await bench.receiver.receive(bench.profile, event(data()), "interaction")
    find, refresh = bench.keys.find, bench.opening.key_wait.refresh
    looks = 0

    def too_early(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 1:
            return None
        bench.keys.fetched = dict(bench.keys.published)
        return find(*arguments)

    bench.keys.find = too_early  # type: ignore[method-assign]
    bench.opening.key_wait.refresh = lambda _: asyncio.sleep(0)  # type: ignore[method-assign]
    await bench.work_off()
    bench.opening.key_wait.refresh = refresh  # type: ignore[method-assign]
    assert await bench.status() == ("Authorized", True)
