"""Events that wait for a holder's keys, over restarts and at a holder who is not asked again at once."""

from dataclasses import dataclass, field

import pytest

from tests import tokens
from tests.clocks import ManualClock
from tests.usecases.bench import DEMOBANK, NOW, Bench, ScriptedKeys, data, event, keys_of, open_bench
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.ports import Provider

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
