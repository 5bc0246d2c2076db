"""Our clock is set back, or forward and back again."""

from datetime import timedelta

import pytest

from tests.usecases.bench import CONSENT, DEMOBANK, UAE, Bench, data, event, open_bench
from tracker.adapters.jose import JwcryptoEventCrypto

HOUR = timedelta(hours=1)


async def test_an_event_that_came_before_the_clock_was_set_back_is_opened_at_once(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    bench.advance(seconds=30)
    await bench.receiver.receive(UAE, event(data("Revoked", "2026-03-02T15:14:00+04:00")), "x")
    bench.clock.set(bench.clock.now() - HOUR)
    await bench.work_off()
    assert await bench.status() == ("Revoked", False)


@pytest.mark.parametrize("attempts", [0, 3])
async def test_an_event_that_came_while_the_clock_was_a_year_ahead_does_not_wait_for_that_year(
    bench: Bench, crypto: JwcryptoEventCrypto, attempts: int
) -> None:
    await bench.register()
    true_time = bench.clock.now()
    bench.clock.set(true_time + timedelta(days=365))
    body = event(data("Revoked"), exp=int(true_time.timestamp()) + 40_000_000)
    await bench.receiver.receive(UAE, body, "x")
    bench.keys.unavailable, bench.keys.fetched = True, {}
    for _ in range(attempts):
        await bench.work_off()
        bench.advance(minutes=1)
    await bench.store.close()
    bench.clock.set(true_time)
    async with open_bench(bench.path, crypto, clock=bench.clock) as again:
        await again.work_off()
        assert await again.status() == ("Revoked", False)


async def test_what_was_verified_before_the_clock_was_set_back_counts_as_of_today(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data("Authorized", "2026-03-02T14:00:00+04:00")))
    bench.advance(minutes=30)
    await bench.deliver(event(data("Revoked", "2026-03-02T14:10:00+04:00")))
    bench.clock.set(bench.clock.now() - timedelta(minutes=20))
    seen = await bench.consulting.get(DEMOBANK, CONSENT)
    today = await bench.consulting.as_of(seen, bench.clock.now())
    assert (seen.effective_status, seen.usable) == (today.effective_status, today.usable) == ("Revoked", False)
