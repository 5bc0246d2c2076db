"""What did not verify changes nothing, but it may be true: the holder is asked, within a small budget."""

import pytest

from tests import tokens
from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event, message, open_bench
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.domain.errors import ConsentApiUnavailableError

REVOKED = data("Revoked", "2026-03-02T15:14:00+04:00")
SUSPICIOUS = {
    "signature_invalid": {"key": "other hub"},
    "lapsed": {"exp": tokens.claims()["exp"] - 10_000, "nbf": tokens.claims()["nbf"] - 10_000},
    "audience_wrong": {"aud": "another-client"},
    "exp_missing": {"exp": tokens.ABSENT},
}


@pytest.mark.parametrize(("reason", "changes"), SUSPICIOUS.items(), ids=SUSPICIOUS)
async def test_it_makes_us_ask_and_changes_nothing(bench: Bench, reason: str, changes: dict) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    before = await bench.entries()
    bench.advance(seconds=10)
    await bench.deliver(event(REVOKED, **changes))
    assert [why for _, why, _ in await bench.quarantined()] == [reason]
    assert await bench.status() == ("Authorized", True)
    assert await bench.entries() == before
    assert (await bench.consent()).asking.suspected_at == bench.clock.now()
    bench.holders.answers[CONSENT] = {"Data": REVOKED}
    assert await bench.asker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("Revoked", False)
    assert (await bench.consent()).asking.suspected_at is None


async def test_a_verified_event_that_cannot_be_read_makes_us_ask_at_once(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(REVOKED | {"StatusUpdateDateTime": "yesterday"}))
    assert await bench.quarantined() == [("read", "status_update_date_time_invalid", True)]
    assert (await bench.consent()).asking.requested_at == bench.clock.now()


async def _asked_about(bench: Bench, *names: str) -> None:
    """Have them asked about, and known, so that nothing but a suspicion makes us ask again for hours."""
    for name in names:
        await bench.register(name)
        bench.holders.answers[name] = {"Data": data(ConsentId=name)}
    while await bench.asker.run_once(DEMOBANK):
        bench.advance(seconds=1)
    bench.advance(seconds=60)
    bench.holders.asked.clear()


def _forged(name: str) -> bytes:
    return event(None, key="other hub", message=message(None, ConsentId=name))


async def test_many_forged_events_about_one_consent_are_one_question(bench: Bench) -> None:
    await _asked_about(bench, CONSENT)
    await bench.deliver(*(_forged(CONSENT) for _ in range(20)))
    for _ in range(20):
        await bench.asker.run_once(DEMOBANK)
        bench.advance(seconds=1)
    assert bench.holders.asked == [CONSENT]


async def test_forged_events_about_many_consents_are_spread_over_time(bench: Bench) -> None:
    """Five questions a second may be asked; strangers may cause a fifth of them, however often somebody looks."""
    names = [f"c{n}" for n in range(6)]
    await _asked_about(bench, *names)
    await bench.deliver(*(_forged(name) for name in names))
    counts = []
    for _ in range(7):
        counts.append(sum([await bench.asker.run_once(DEMOBANK) for _ in range(3)]))
        bench.advance(seconds=1)
    assert counts == [1, 1, 1, 1, 1, 1, 0]
    assert bench.holders.asked == names  # the longest suspected first


async def test_what_is_suspected_outlives_a_restart(bench: Bench, crypto: JwcryptoEventCrypto) -> None:
    """The budget for it was kept in memory, and what waited for it was worth nothing beyond an hour."""
    names = [f"c{n}" for n in range(3)]
    await _asked_about(bench, *names)
    await bench.deliver(*(_forged(name) for name in names))
    await bench.store.close()
    async with open_bench(bench.path, crypto, clock=bench.clock) as again:
        again.holders.answers = bench.holders.answers
        for _ in range(5):
            await again.asker.run_once(DEMOBANK)
            bench.advance(seconds=1)
        assert sorted(again.holders.asked) == names


async def test_a_suspicion_that_the_holder_does_not_answer_stays_one(bench: Bench) -> None:
    """It must not become a question of our own by failing: then strangers could have more than their part."""
    await _asked_about(bench, CONSENT)
    bench.holders.answers[CONSENT] = ConsentApiUnavailableError()
    await bench.deliver(_forged(CONSENT))
    assert await bench.asker.run_once(DEMOBANK) == 1
    asking = (await bench.consent()).asking
    assert (asking.requested_at, asking.failures) == (None, 1)
    assert asking.suspected_at is not None
    assert await bench.asker.run_once(DEMOBANK) == 0
    bench.advance(seconds=6)
    bench.holders.answers[CONSENT] = {"Data": REVOKED}
    assert await bench.asker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("Revoked", False)


async def test_a_suspicion_about_what_the_holder_does_not_speak_of_is_dropped_in_the_end(bench: Bench) -> None:
    """One forged event about a consent that has ended must not make us ask for ever."""
    await _asked_about(bench, CONSENT)
    bench.holders.answers[CONSENT] = {"Data": REVOKED}
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    bench.holders.asked.clear()
    bench.holders.answers[CONSENT] = ConsentApiUnavailableError()
    await bench.deliver(_forged(CONSENT))
    for _ in range(100):
        await bench.asker.run_once(DEMOBANK)
        bench.advance(minutes=16)
    assert len(bench.holders.asked) == 10
    assert (await bench.consent()).asking.suspected_at is None


async def test_an_answer_to_any_question_ends_a_suspicion(bench: Bench) -> None:
    await _asked_about(bench, CONSENT)
    await bench.deliver(_forged(CONSENT))
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    assert (await bench.consent()).asking.suspected_at is None
    assert await bench.asker.run_once(DEMOBANK) == 0


async def test_a_verified_doubt_does_not_wait_behind_them(bench: Bench) -> None:
    names = [f"c{n}" for n in range(6)]
    await _asked_about(bench, *names)
    await bench.deliver(*(_forged(name) for name in names))
    await bench.deliver(event(None, message=message(None, ConsentId="c5")))
    await bench.asker.run_once(DEMOBANK)
    assert bench.holders.asked == ["c5", "c0"]


async def test_about_a_consent_that_we_do_not_hold_nobody_is_asked(bench: Bench) -> None:
    await bench.deliver(event(None, key="other hub"))
    assert await bench.asker.run_once(DEMOBANK) == 0
    assert bench.holders.asked == []
