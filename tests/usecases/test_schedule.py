"""The asking schedule on a real database: conditions, siblings, ends, clocks, and who comes first."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from tests.usecases.bench import CONSENT, DEMOBANK, NOW, OTHERBANK, Bench, data, event, message, open_bench
from tests.usecases.test_import import row
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.domain.condition import Condition
from tracker.domain.errors import ConsentApiRefusedError

SOON = "2026-03-02T15:25:00+04:00"


def answer(name: str = CONSENT, status: str = "Authorized", at: str = "2026-03-02T15:13:19+04:00", **more: Any) -> Any:
    return {"Data": data(status, at, ConsentId=name, **more)}


def told(name: str, status: str = "Authorized", at: str = "2026-03-02T15:13:19+04:00", **more: Any) -> bytes:
    return event(None, message=message(data(status, at, ConsentId=name, **more), ConsentId=name), exp=1_790_000_000)


async def known(bench: Bench, *names: str, **facts: Any) -> None:
    """Have consents registered and answered about, and nothing due."""
    for name in names:
        await bench.register(name, **facts)
        bench.holders.answers[name] = answer(name)
    await worked_off(bench)
    bench.holders.asked.clear()


async def worked_off(bench: Bench) -> list[str]:
    """Ask all that is due; give the names in the order in which they were asked."""
    first = len(bench.holders.asked)
    while await bench.asker.run_once(DEMOBANK):
        bench.advance(seconds=1)
    return bench.holders.asked[first:]


# ------------------------------------------------------------------------------------------ conditions


async def test_a_quiet_provider_is_asked_faster_from_now_on_and_a_short_budget_slower(bench: Bench) -> None:
    await known(bench, CONSENT)
    asked_at = (await bench.consent()).asking.asked_at
    assert asked_at is not None
    bench.advance(seconds=5000)
    assert await worked_off(bench) == []
    bench.forced[DEMOBANK] = Condition(quiet=True)
    assert (await bench.consulting.get(DEMOBANK, CONSENT)).next_ask_at == asked_at + timedelta(seconds=4950)
    assert await worked_off(bench) == [CONSENT]
    bench.forced[DEMOBANK] = Condition(stretch=2)
    bench.advance(seconds=39_590)
    assert await worked_off(bench) == []
    bench.advance(seconds=20)
    assert await worked_off(bench) == [CONSENT]


async def test_knowledge_is_as_old_as_the_last_answer_whatever_the_condition(bench: Bench) -> None:
    await known(bench, CONSENT)
    bench.forced[DEMOBANK] = Condition(stretch=3)
    bench.advance(seconds=30_000)
    assert await worked_off(bench) == []
    usable = await bench.consulting.usable(DEMOBANK, CONSENT, permission=None, max_age_seconds=20_000)
    assert usable.reason == "knowledge_too_old"
    bench.forced.clear()
    assert await worked_off(bench) == [CONSENT]
    usable = await bench.consulting.usable(DEMOBANK, CONSENT, permission=None, max_age_seconds=20_000)
    assert (usable.reason, usable.age_seconds) == ("ok", 1)


# ------------------------------------------------------------------------------------------ siblings


async def a_group(bench: Bench) -> None:
    await known(bench, "root")
    await known(bench, "two", "three", base_consent_id="root")
    await known(bench, "another", base_consent_id="other-root")
    bench.advance(seconds=400)


async def test_when_one_of_a_group_is_revoked_the_others_are_asked_about_at_once_and_once_more(bench: Bench) -> None:
    """The holder's reads lag behind its group revoke: the first answers are those of before."""
    await a_group(bench)
    await bench.deliver(told("two", "Revoked", SOON))
    assert await worked_off(bench) == []
    assert await bench.siblings.run_once() == 1
    assert sorted(await worked_off(bench)) == ["root", "three"]
    assert await bench.siblings.run_once() == 0
    for name in ("root", "two", "three"):
        bench.holders.answers[name] = answer(name, "Revoked", SOON)
    bench.advance(seconds=320)
    assert await bench.siblings.run_once() == 1
    assert sorted(await worked_off(bench)) == ["root", "three", "two"]  # that one for confirmation
    assert [await bench.status(name) for name in ("root", "three")] == [("Revoked", False)] * 2
    for _ in range(3):  # what the answers told is no news for those that have ended
        bench.advance(hours=8)
        await bench.siblings.run_once()
    assert await worked_off(bench) == ["another"]
    assert bench.rows("SELECT count(*) FROM consent WHERE siblings_wanted_at IS NOT NULL") == [(0,)]


async def test_a_process_that_dies_after_the_recording_leaves_the_siblings_wanted(
    bench: Bench, crypto: JwcryptoEventCrypto
) -> None:
    await a_group(bench)
    await bench.deliver(told("root", "Revoked", SOON))
    await bench.store.close()
    async with open_bench(bench.path, crypto, clock=bench.clock) as again:
        again.holders.answers = bench.holders.answers
        assert await again.siblings.run_once() == 1
        assert sorted(await worked_off(again)) == ["three", "two"]


async def test_an_answer_and_a_registration_bring_the_siblings_too(bench: Bench) -> None:
    await a_group(bench)
    bench.holders.answers["two"] = answer("two", "Revoked", SOON)
    await bench.asker.ask_now((await bench.consent("two")).tracking_id)
    bench.holders.asked.clear()
    await bench.siblings.run_once()
    assert sorted(await worked_off(bench)) == ["root", "three"]
    bench.advance(hours=1)
    await bench.siblings.run_once()
    await worked_off(bench)
    await bench.deliver(told("four", "Revoked", SOON))
    await bench.register("four", base_consent_id="root")
    await bench.siblings.run_once()
    asked = await worked_off(bench)
    assert {"root", "three"} <= set(asked)


async def test_a_revoked_consent_alone_makes_nobody_be_asked(bench: Bench) -> None:
    await known(bench, CONSENT)
    version = (await bench.consent()).version
    await bench.deliver(told(CONSENT, "Revoked", SOON))
    assert await bench.siblings.run_once() == 1
    assert await worked_off(bench) == []
    assert (await bench.consent()).asking.siblings_wanted_at is None
    assert (await bench.consent()).version == version + 1  # by the end alone


# ------------------------------------------------------------------------------------------ ends


async def test_an_end_that_an_event_told_is_confirmed_once(bench: Bench) -> None:
    await known(bench, CONSENT)
    await bench.deliver(told(CONSENT, "Revoked", SOON))
    bench.advance(seconds=305)
    assert await worked_off(bench) == []
    bench.holders.answers[CONSENT] = answer(CONSENT, "Revoked", SOON)
    bench.advance(seconds=10)
    assert await worked_off(bench) == [CONSENT]
    consent = await bench.consent()
    assert consent.confirmed_by == "poll"
    bench.advance(days=30)
    assert await worked_off(bench) == []


async def test_a_holder_that_refuses_to_speak_of_what_has_ended_is_not_asked_for_ever(bench: Bench) -> None:
    await known(bench, CONSENT)
    await bench.deliver(told(CONSENT, "Revoked", SOON))
    bench.holders.answers[CONSENT] = ConsentApiRefusedError()
    for _ in range(60):
        bench.advance(minutes=16)
        await bench.asker.run_once(DEMOBANK)
    assert len(bench.holders.asked) == 30
    assert await bench.status() == ("Revoked", False)


async def test_after_a_day_without_confirmation_an_operator_is_told_once(
    bench: Bench, crypto: JwcryptoEventCrypto, caplog: pytest.LogCaptureFixture
) -> None:
    expiry = (NOW + timedelta(minutes=10)).isoformat()
    await known(bench, "ended", "confirmed")
    for name in ("ended", "confirmed"):
        bench.holders.answers[name] = answer(name, ExpirationDateTime=expiry)
        await bench.asker.ask_now((await bench.consent(name)).tracking_id)
    bench.advance(minutes=11)
    assert await bench.expiry.run_once() == 2
    bench.holders.answers["confirmed"] = answer("confirmed", "Expired", expiry, ExpirationDateTime=expiry)
    for _ in range(26):
        await worked_off(bench)
        bench.advance(minutes=55)
    assert caplog.records == [] or "has not confirmed" not in caplog.text
    bench.advance(minutes=30)
    await bench.store.close()
    async with open_bench(bench.path, crypto, clock=bench.clock) as again:
        again.holders.answers = bench.holders.answers
        with caplog.at_level(logging.ERROR):
            await worked_off(again)  # whoever comes first: an answer, or the clock
            await again.expiry.run_once()
        for _ in range(30):
            again.advance(hours=1)
            await worked_off(again)
            await again.expiry.run_once()
        alarms = [record for record in caplog.records if "has not confirmed for a day" in record.getMessage()]
        assert [record.levelname for record in alarms] == ["ERROR"]
        assert alarms[0].__dict__["tracking_id"] == (await again.consent("ended")).tracking_id
        survey = await again.store.survey(again.clock.now(), [DEMOBANK, OTHERBANK])
        assert survey.expired_unconfirmed == {DEMOBANK: 1, OTHERBANK: 0}


async def test_the_clock_alone_tells_it_where_nobody_answers(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    expiry = NOW + timedelta(minutes=10)
    bench.holders.answers[CONSENT] = answer(ExpirationDateTime=expiry.isoformat())
    await bench.register()
    await worked_off(bench)
    bench.clock.set(expiry)
    assert await bench.expiry.run_once() == 1
    bench.clock.set(expiry + timedelta(days=1, seconds=-1))
    assert await bench.expiry.run_once() == 0
    bench.clock.set(expiry + timedelta(days=1))
    assert [await bench.expiry.run_once() for _ in range(2)] == [1, 0]
    assert caplog.text.count("has not confirmed for a day") == 1


async def test_after_days_in_which_nobody_asked_the_day_begins_anew(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """A service that was down for days must not cry about all that expired meanwhile before it has asked."""
    expiry = NOW + timedelta(minutes=10)
    bench.holders.answers[CONSENT] = answer(ExpirationDateTime=expiry.isoformat())
    await bench.register()
    await worked_off(bench)
    bench.advance(days=9)
    assert await bench.expiry.run_once() == 1
    for _ in range(23):
        await worked_off(bench)
        await bench.expiry.run_once()
        bench.advance(hours=1)
    assert "has not confirmed" not in caplog.text
    bench.advance(hours=2)
    await bench.expiry.run_once()
    await worked_off(bench)
    assert caplog.text.count("has not confirmed for a day") == 1


# ------------------------------------------------------------------------------------------ clocks


async def test_what_was_done_while_our_clock_was_ahead_delays_nothing(bench: Bench) -> None:
    bench.clock.set(NOW + timedelta(days=200))
    await bench.register("asked")
    bench.holders.answers["asked"] = answer("asked", ExpirationDateTime="2027-09-01T00:00:00Z")
    await bench.register("waiting")
    bench.holders.answers["waiting"] = answer(
        "waiting", "AwaitingAuthorization", ExpirationDateTime="2027-09-01T00:00:00Z"
    )
    await worked_off(bench)
    await bench.registrar.register_many([row("imported")])
    bench.clock.set(NOW)
    bench.holders.asked.clear()
    assert sorted(await worked_off(bench)) == ["asked", "imported", "waiting"]
    # From here on all is as ever.
    counts = []
    for _ in range(4):
        for _ in range(24 * 6):
            bench.advance(minutes=10)
            await bench.asker.run_once(DEMOBANK)
        counts.append({name: bench.holders.asked.count(name) for name in ("asked", "waiting")})
        bench.holders.asked.clear()
    assert all(4 <= count["asked"] <= 5 and 3 <= count["waiting"] <= 5 for count in counts[1:]), counts


async def test_a_doubt_from_a_clock_that_was_ahead_is_no_loop(bench: Bench) -> None:
    bench.clock.set(NOW + timedelta(days=200))
    never = "2029-01-01T00:00:00Z"
    await bench.register()
    bench.holders.answers[CONSENT] = answer(ExpirationDateTime=never)
    await worked_off(bench)
    bench.holders.answers[CONSENT] = answer(CONSENT, "OnHold", SOON, ExpirationDateTime=never)
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    assert await bench.status() == ("Authorized", False)
    bench.clock.set(NOW)
    bench.holders.asked.clear()
    for _ in range(600):
        await bench.asker.run_once(DEMOBANK)
        bench.advance(seconds=5)
    assert 2 <= len(bench.holders.asked) <= 10


# ------------------------------------------------------------------------------------------ who comes first


async def test_a_crowd_at_the_holders_pages_starves_nobody(bench: Bench) -> None:
    """Two hundred customers who authorize at once want more than the provider may be asked."""
    await known(bench, *(f"s{n}" for n in range(20)))
    await known(bench, "doubtful")
    bench.advance(hours=6)
    for n in range(200):
        await bench.register(f"customer{n}")
    await bench.registrar.register_many([row(f"old{n}") for n in range(20)])
    bench.holders.answers["doubtful"] = answer("doubtful", "OnHold", "2026-03-02T21:00:00+04:00")
    await bench.asker.ask_now((await bench.consent("doubtful")).tracking_id)
    bench.holders.asked.clear()
    for second in range(60):
        await bench.asker.run_once(DEMOBANK)
        if second == 5:  # the second step of a doubt
            assert bench.holders.asked[-5] == "doubtful"
        bench.advance(seconds=1)
    asked = bench.holders.asked
    assert len(asked) == 299  # one question somebody had asked just before
    assert {f"s{n}" for n in range(20)} <= set(asked)
    assert {f"old{n}" for n in range(20)} <= set(asked)
    assert len({name for name in asked if name.startswith("customer")}) == 200
