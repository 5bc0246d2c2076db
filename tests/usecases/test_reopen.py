"""Late but genuine: what could not be believed when it came is kept, and opened again when what it lacked is there."""

from datetime import timedelta

import pytest

from tests import tokens
from tests.usecases.bench import CONSENT, DEMOBANK, OTHERBANK, Bench, data, event, keys_of, message, open_bench
from tests.usecases.test_import import row
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.domain.errors import KeysUnavailableError
from tracker.ports import Provider

REVOKED = data("Revoked", "2026-03-02T15:14:00+04:00")
LAPSED = {"exp": tokens.claims()["exp"] - 10_000, "nbf": tokens.claims()["nbf"] - 10_000}


def demobank(bench: Bench) -> Provider:
    return bench.office.providers.require(DEMOBANK)


async def given_up(bench: Bench) -> None:
    for _ in range(3):
        bench.advance(seconds=35)
        await bench.work_off()


async def refreshed(bench: Bench) -> None:
    """What each worker does once a minute, and the opening after it."""
    await bench.reopening.refresh(demobank(bench))
    await bench.work_off()


# ------------------------------------------------------------------------------------------ the key appears


async def test_an_event_whose_key_was_published_too_late_is_opened_by_itself(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    received_at = bench.clock.now()
    await bench.deliver(event(REVOKED, key="other hub", kid="next-key"))
    await given_up(bench)
    assert await bench.quarantined() == [("verify", "key_unknown", False)]
    assert await bench.status() == ("Authorized", True)
    await refreshed(bench)
    assert await bench.quarantined() == [("verify", "key_unknown", False)]
    bench.keys.published[DEMOBANK] = {**keys_of("hub", tokens.HUB_KID), **keys_of("other hub", "next-key")}
    bench.advance(hours=9)  # long after the event's own `exp`: it is judged by when it came
    await refreshed(bench)
    assert await bench.quarantined() == []
    assert await bench.status() == ("Revoked", False)
    assert (await bench.entries())[-1].leaf["data"]["received_at"].startswith(f"{received_at:%Y-%m-%dT%H:%M}")


async def test_it_is_found_after_a_restart_too(bench: Bench, crypto: JwcryptoEventCrypto) -> None:
    await bench.register()
    await bench.deliver(event(data(), kid="next-key"))
    await given_up(bench)
    await bench.store.close()
    async with open_bench(bench.path, crypto, clock=bench.clock) as again:
        again.keys.published[DEMOBANK] = keys_of("hub", "next-key")
        await refreshed(again)
        assert await again.status() == ("Authorized", True)


async def test_keys_that_could_not_be_had_for_days_are_had_again(bench: Bench) -> None:
    bench.keys.fetched, bench.keys.unavailable = {}, True
    await bench.register()
    await bench.deliver(event(data()))
    for _ in range(40):
        bench.advance(hours=2)
        await bench.work_off()
    assert await bench.quarantined() == [("verify", "keys_unavailable", False)]
    with pytest.raises(KeysUnavailableError):
        await refreshed(bench)
    bench.keys.unavailable = False
    await refreshed(bench)
    assert await bench.status() == ("Authorized", True)


async def test_what_was_not_signed_by_the_key_is_tried_once_and_no_more(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(REVOKED, key="other hub", kid="next-key"))  # forged, as it turns out
    await given_up(bench)
    bench.keys.published[DEMOBANK] = {**keys_of("hub", tokens.HUB_KID), **keys_of("hub", "next-key")}
    await refreshed(bench)
    assert await bench.quarantined() == [("verify", "signature_invalid", False)]
    assert await bench.status() == ("NotStaged", False)
    assert await bench.reopening.run_once(demobank(bench)) == 0
    assert bench.rows("SELECT retries FROM quarantine") == [(1,)]


async def test_a_key_of_another_bank_opens_nothing(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(REVOKED, key="other hub", kid="other-sig2"))
    await given_up(bench)
    await refreshed(bench)
    await bench.reopening.refresh(bench.office.providers.require(OTHERBANK))
    assert await bench.quarantined() == [("verify", "key_unknown", False)]


async def test_many_are_opened_in_parts_and_only_while_the_inbox_has_room(bench: Bench) -> None:
    bodies = [event(None, kid="next-key", message=message(None, ConsentId=f"c{n}")) for n in range(12)]
    await bench.deliver(*bodies)
    await given_up(bench)
    bench.keys.published[DEMOBANK] = {**keys_of("hub", tokens.HUB_KID), **keys_of("hub", "next-key")}
    await bench.keys.refresh(demobank(bench))
    bench.reopening._max_events = 0
    assert await bench.reopening.run_once(demobank(bench)) == 0
    assert len(await bench.quarantined()) == 12
    bench.reopening._max_events = 1000
    assert await bench.reopening.run_once(demobank(bench)) == 12
    await bench.work_off()
    assert bench.rows("SELECT count(*) FROM other_event") == [(12,)]


# ------------------------------------------------------------------------------------------ the consent appears


async def test_a_lapsed_event_makes_us_ask_about_the_consent_once_it_is_registered(bench: Bench) -> None:
    """It waits in the queue of what was imported; the event, late but maybe genuine, makes us ask before its turn."""
    await bench.deliver(event(REVOKED, **LAPSED))
    assert await bench.quarantined() == [("verify", "lapsed", False)]
    await bench.registrar.register_many([row(f"old{n}") for n in range(20)])
    await bench.registrar.register_many([row(CONSENT)])
    assert bench.rows("SELECT count(*) FROM inbox") == [(1,)]
    await bench.work_off()
    assert await bench.quarantined() == [("verify", "lapsed", False)]  # it is not trusted by that
    assert await bench.status() == ("NotStaged", False)
    bench.holders.answers[CONSENT] = {"Data": REVOKED}
    await bench.asker.run_once(DEMOBANK)
    assert CONSENT in bench.holders.asked[:5]
    assert await bench.status() == ("Revoked", False)
    assert bench.rows("SELECT retries, consent_id FROM quarantine") == [(1, None)]


async def test_both_may_have_been_missing(bench: Bench) -> None:
    """The key and the consent: whichever comes first, the event counts when both are there."""
    await bench.deliver(event(REVOKED, kid="next-key"))
    await given_up(bench)
    await bench.register()
    await bench.work_off()
    await given_up(bench)
    assert await bench.status() == ("NotStaged", False)
    bench.keys.published[DEMOBANK] = keys_of("hub", "next-key")
    await refreshed(bench)
    assert await bench.status() == ("Revoked", False)


async def test_a_flood_about_a_consent_that_does_not_exist_yet_costs_its_registration_little(bench: Bench) -> None:
    await bench.deliver(*(event(None, key="other hub") for _ in range(12)))
    assert len(await bench.quarantined()) == 12
    await bench.register()
    assert bench.rows("SELECT count(*) FROM inbox") == [(5,)]
    await bench.work_off()
    assert len(await bench.quarantined()) == 12
    assert (await bench.consent()).asking.suspected_at is not None


async def test_a_rehearsal_opens_nothing(bench: Bench) -> None:
    await bench.deliver(event(REVOKED, **LAPSED))
    await bench.registrar.register_many([row(CONSENT)], is_rehearsal=True)
    assert bench.rows("SELECT count(*) FROM inbox") == [(0,)]
    bench.advance(seconds=timedelta(days=1).total_seconds())
    assert len(await bench.quarantined()) == 1
