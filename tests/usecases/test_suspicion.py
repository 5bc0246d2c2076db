"""What did not verify changes nothing, but it may be true: the holder is asked, within a small budget."""

from datetime import timedelta

import pytest

from tests import tokens
from tests.usecases.bench import CONSENT, Bench, data, event, message

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
    consent = await bench.consent()
    assert consent.asking.requested_at == bench.clock.now()
    assert await bench.store.next_ask_at(consent.tracking_id) == bench.clock.now()


async def test_a_verified_event_that_cannot_be_read_makes_us_ask_at_once(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(REVOKED | {"StatusUpdateDateTime": "yesterday"}))
    assert await bench.quarantined() == [("read", "status_update_date_time_invalid", True)]
    assert (await bench.consent()).asking.requested_at == bench.clock.now()


async def test_many_forged_events_about_one_consent_are_one_question(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(*(event(REVOKED, key="other hub") for _ in range(20)))
    assert (await bench.consent()).asking.requested_at == bench.clock.now()
    await bench.register("another")
    bench.advance(seconds=1)
    await bench.deliver(event(None, key="other hub", message=message(None, ConsentId="another")))
    assert (await bench.consent("another")).asking.requested_at == bench.clock.now()


async def test_forged_events_about_many_consents_are_spread_over_time(bench: Bench) -> None:
    names = [f"c{n}" for n in range(6)]
    for name in names:
        await bench.register(name)
    await bench.deliver(*(event(None, key="other hub", message=message(None, ConsentId=name)) for name in names))
    wanted = sorted([(await bench.consent(name)).asking.requested_at for name in names])
    # Five questions a second may be asked; strangers may cause a fifth of them.
    assert [at - bench.clock.now() for at in wanted if at] == [timedelta(seconds=n) for n in range(6)]


async def test_a_verified_doubt_does_not_wait_behind_them(bench: Bench) -> None:
    await bench.register("first")
    await bench.register()
    await bench.deliver(event(None, key="other hub", message=message(None, ConsentId="first")))
    await bench.deliver(event(None, key="other hub"))
    assert (await bench.consent()).asking.requested_at != bench.clock.now()
    await bench.deliver(event(None))
    assert (await bench.consent()).asking.requested_at == bench.clock.now()


async def test_about_a_consent_that_we_do_not_hold_nobody_is_asked(bench: Bench) -> None:
    await bench.deliver(event(None, key="other hub"))
    await bench.register()
    assert (await bench.consent(CONSENT)).asking.requested_at is None
