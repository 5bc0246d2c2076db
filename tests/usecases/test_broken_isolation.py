"""What goes wrong with one consent, one event, one question or one provider stays with it."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from functools import partial
from time import process_time
from typing import Any

from tests.domain.kinds import AU, DATA_SHARING, SU
from tests.domain.reports import Ear
from tests.usecases.bench import CONSENT, DEMOBANK, OTHERBANK, Bench, data, event, message
from tracker.domain.allowance import Room
from tracker.domain.decision import decide_summary
from tracker.domain.standing import Summary, fold
from tracker.usecases.ask import _claim_due
from tracker.usecases.expire import Expiry
from tracker.usecases.providers import Providers
from tracker.usecases.wake import Bell


def answer(status: str = "Authorized", at: str = "2026-03-02T15:13:19+04:00", **changes: Any) -> dict[str, Any]:
    return {"Data": data(status, at, **changes), "Links": {"Self": "https://x"}}


async def test_a_provider_that_left_the_configuration_does_not_stop_the_clock_for_the_others(bench: Bench) -> None:
    expiry = bench.clock.now() + timedelta(minutes=10)
    terms = {"ExpirationDateTime": expiry.isoformat()}
    await bench.register()
    await bench.register(provider=OTHERBANK)
    theirs = event(data(**terms), key="other hub", kid="other-sig2", iss="https://auth1.otherbank.example")
    await bench.deliver(theirs, event(data(**terms)))
    bench.clock.set(expiry)
    left = Providers([provider for provider in bench.office.providers if provider.id == DEMOBANK])
    expiring = Expiry(bench.store, replace(bench.office, providers=left), Bell(), Bell())
    assert await expiring.run_once() == 1
    assert (await bench.consent()).told.status == "Expired"
    assert await bench.expiry.run_once() == 1  # when it has come back
    assert (await bench.consent(provider=OTHERBANK)).told.status == "Expired"


async def test_a_question_whose_asker_died_is_asked_again_when_its_lease_ends(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    bench.advance(seconds=19_900)
    await bench.store.transact(partial(_claim_due, bench.office, DEMOBANK, Room(5, 5)))  # and then it died
    assert await bench.asker.run_once(DEMOBANK) == 0
    bench.advance(seconds=60)
    bench.holders.answers[CONSENT] = answer()
    assert await bench.asker.run_once(DEMOBANK) == 1
    bench.advance(seconds=120)
    assert await bench.asker.run_once(DEMOBANK) == 0  # it was answered


async def test_the_holder_is_asked_about_what_could_not_be_recorded(bench: Bench) -> None:
    """It was verified, and may have been an end."""
    await bench.register()
    await bench.register("other")
    await bench.deliver(event(data()))
    with sqlite3.connect(bench.path) as connection:
        connection.execute(
            "CREATE TRIGGER ill BEFORE INSERT ON report WHEN NEW.channel = 'webhook' AND NEW.status = 'Revoked'"
            " BEGIN SELECT RAISE(ABORT, 'ill'); END"
        )
    connection.close()
    others = event(None, message=message(data(ConsentId="other"), ConsentId="other"))
    await bench.deliver(event(data("Revoked", "2026-03-02T15:14:00+04:00")), others)
    assert await bench.quarantined() == [("record", "record_failed", True)]
    assert (await bench.status("other"))[0] == "Authorized"
    bench.holders.answers[CONSENT] = answer("Revoked", "2026-03-02T15:14:00+04:00")
    await bench.asker.run_once(DEMOBANK)
    assert await bench.status() == ("Revoked", False)


async def test_what_an_answer_adds_to_what_we_know_can_be_proven(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data("Revoked")))
    bench.holders.answers[CONSENT] = answer("Revoked", RevokedBy="LFI")
    bench.advance(minutes=6)
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    assert (await bench.consent()).revoked_by == "LFI"
    assert bench.rows("SELECT jws_sha256 IS NOT NULL FROM report WHERE revoked_by = 'LFI'") == [(1,)]


async def test_terms_that_come_with_a_doubt_are_not_adopted_before_they_are_told(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data("Suspended")), event(data("Authorized")))
    bench.advance(seconds=1)
    fewer = ["ReadBalances"]
    await bench.deliver(event(data("Suspended", Permissions=fewer)))
    bench.holders.answers[CONSENT] = answer("Suspended", Permissions=fewer)
    bench.advance(minutes=6)
    await bench.asker.run_once(DEMOBANK)
    consent = await bench.consent()
    assert consent.permissions == tuple(fewer)
    told = [e.private["terms"]["Permissions"] for e in await bench.entries() if e.private]
    assert told[-1] == fewer


async def test_an_answer_on_which_others_hang_counts_as_of_today_though_it_told_nothing_new(bench: Bench) -> None:
    """Three answers say Suspended, the next one something older: in doubt, now and as of now."""
    await bench.register()
    await bench.deliver(event(data("Authorized", "2026-03-02T15:00:00+04:00")))
    await bench.deliver(event(data("Suspended", "2026-03-02T15:10:00+04:00")))
    tracking_id = (await bench.consent()).tracking_id
    bench.holders.answers[CONSENT] = answer("Suspended", "2026-03-02T15:10:00+04:00")
    for _ in range(3):
        bench.advance(minutes=6)
        await bench.asker.ask_now(tracking_id)
    bench.advance(minutes=2)
    bench.holders.answers[CONSENT] = answer("Authorized", "2026-03-02T15:00:00+04:00")
    await bench.asker.ask_now(tracking_id)
    seen = await bench.consulting.get(DEMOBANK, CONSENT)
    assert (seen.effective_status, seen.usable, seen.decision.is_in_doubt) == ("Suspended", False, True)
    today = await bench.consulting.as_of(seen, bench.clock.now())
    assert (today.effective_status, today.usable, today.decision.is_in_doubt) == ("Suspended", False, True)


def test_a_holder_that_flips_a_consent_to_and_fro_does_not_take_our_time() -> None:
    """Nobody else's events are recorded while one is judged: a second each would be enough to stop everything."""
    ear = Ear()
    summary = Summary(standing=tuple(ear.event(AU if n % 2 else SU, n) for n in range(1_500)))
    assert fold(summary, ear.event(AU, 1_501), DATA_SHARING).standing[:-1] == summary.standing
    began = process_time()
    assert not decide_summary(summary, DATA_SHARING).is_in_doubt
    assert process_time() - began < 0.1
