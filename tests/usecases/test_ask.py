"""Asking the holders."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from tests.contract.facts import a_consent
from tests.contract.test_asking import keep
from tests.usecases.bench import CONSENT, DEMOBANK, OTHERBANK, Bench, data, event
from tracker.domain.allowance import Room
from tracker.domain.consent import Status, TrackingId
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiRefusedError,
    ConsentApiUnavailableError,
    ConsentNotFoundError,
    ConsentNotStagedError,
)
from tracker.usecases.ask import _claim_due


def answer(status: str = "Authorized", at: str = "2026-03-02T15:13:19+04:00", **changes: object) -> dict[str, object]:
    return {"Data": data(status, at, **changes), "Links": {"Self": "https://x"}}


async def _due_in(bench: Bench) -> float | None:
    due = await bench.store.next_ask_at((await bench.consent()).tracking_id)
    return None if due is None else (due - bench.clock.now()).total_seconds()


async def test_a_registered_consent_is_asked_about_at_once_until_it_is_staged(bench: Bench) -> None:
    await bench.register()
    assert await bench.asker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("NotStaged", False)
    assert (await bench.consent()).asking.failures == 0
    assert await _due_in(bench) == 30
    assert await bench.asker.run_once(DEMOBANK) == 0
    bench.advance(seconds=30)
    bench.holders.answers[CONSENT] = answer("AwaitingAuthorization")
    assert await bench.asker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("AwaitingAuthorization", False)


async def test_an_answer_says_whether_it_was_signed(bench: Bench) -> None:
    await bench.register()
    bench.holders.answers[CONSENT] = answer()
    await bench.asker.run_once(DEMOBANK)
    (signed,) = (await bench.entries())[-1].leaf["data"]["evidence"]
    assert (signed["channel"], signed["signed"], signed["jwe_sha256"]) == ("poll", True, None)
    assert bench.rows("SELECT count(*) FROM evidence") == [(1,)]
    bench.holders.signed = False
    bench.holders.answers[CONSENT] = answer("Suspended", "2026-03-02T15:15:00+04:00")
    bench.advance(hours=6)
    await bench.asker.run_once(DEMOBANK)
    (plain,) = (await bench.entries())[-1].leaf["data"]["evidence"]
    assert plain == {
        "channel": "poll",
        "signed": False,
        "jws_sha256": None,
        "jwe_sha256": None,
        "kid": None,
        "jwk_thumbprint": None,
    }


async def test_a_lost_event_is_found(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    bench.holders.answers[CONSENT] = answer("Revoked", "2026-03-02T15:16:00+04:00", RevokedBy="LFI")
    assert await _due_in(bench) is not None
    bench.advance(seconds=21_700)
    assert await bench.asker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("Revoked", False)
    assert (await bench.entries())[-1].leaf["data"]["revoked_by"] == "LFI"
    assert await _due_in(bench) is None  # an end is not asked about any more


async def test_an_answer_that_says_what_we_know_moves_confirmed_at_alone(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    before = await bench.consent()
    bench.holders.answers[CONSENT] = answer()
    for _ in range(3):
        bench.advance(seconds=21_700)
        asked_at = bench.clock.now()
        await bench.asker.run_once(DEMOBANK)
    after = await bench.consent()
    assert len(await bench.entries()) == 2
    assert (after.confirmed_at, after.confirmed_by) == (asked_at, "poll")
    assert after.version > before.version
    assert bench.rows("SELECT count(*) FROM report") == [(1,)]
    assert bench.rows("SELECT channel, count(*) FROM confirmation GROUP BY channel") == [("poll", 3)]
    assert len(after.summary.standing) == 1


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (ConsentApiUnavailableError(), 5),
        (ConsentApiUnavailableError(retry_after_seconds=120), 120),
        (ConsentApiRefusedError(), 5),
        (ConsentApiContractError(), 5),
        (ConsentNotStagedError(), 19_800),
    ],
)
async def test_failures_change_no_status_and_are_tried_again(bench: Bench, error: Exception, wait: float) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    bench.holders.answers[CONSENT] = error  # type: ignore[assignment]
    bench.advance(seconds=21_700)
    await bench.asker.run_once(DEMOBANK)
    assert await bench.status() == ("Authorized", True)
    assert len(await bench.entries()) == 2
    assert await _due_in(bench) == pytest.approx(wait, abs=1)


async def test_repeated_failures_are_tried_ever_more_slowly(bench: Bench) -> None:
    await bench.register()
    bench.holders.answers[CONSENT] = ConsentApiUnavailableError()
    waits = []
    for _ in range(10):
        assert await bench.asker.run_once(DEMOBANK) == 1
        wait = await _due_in(bench)
        assert wait is not None
        waits.append(wait)
        bench.advance(seconds=wait)
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


async def test_retry_after_holds_for_the_whole_provider_and_no_other(bench: Bench) -> None:
    await bench.register()
    await bench.register("second")
    await bench.register(provider=OTHERBANK)
    bench.holders.answers[CONSENT] = ConsentApiUnavailableError(retry_after_seconds=120)
    bench.holders.answers["second"] = ConsentNotStagedError()
    await bench.asker.ask_now((await bench.consent("second")).tracking_id)
    with pytest.raises(ConsentApiUnavailableError):
        await bench.asker.ask_now((await bench.consent()).tracking_id)
    bench.advance(seconds=60)
    assert await bench.asker.run_once(DEMOBANK) == 0
    assert await bench.asker.run_once(OTHERBANK) == 1
    bench.advance(seconds=61)
    assert await bench.asker.run_once(DEMOBANK) == 2


async def test_the_rate_is_kept(bench: Bench) -> None:
    for n in range(20):
        await bench.register(f"c{n}")
    asked = [await bench.asker.run_once(DEMOBANK)]
    for _ in range(3):
        bench.advance(seconds=1)
        asked.append(await bench.asker.run_once(DEMOBANK))
    assert asked == [5, 5, 5, 5]
    assert len(set(bench.holders.asked)) == 20


async def test_two_that_ask_at_once_do_not_ask_the_same(bench: Bench) -> None:
    for n in range(5):
        await bench.register(f"c{n}")
    counts = await asyncio.gather(*(bench.asker.run_once(DEMOBANK) for _ in range(3)))
    assert sum(counts) == 5
    assert sorted(bench.holders.asked) == [f"c{n}" for n in range(5)]


async def test_a_question_of_somebody_who_died_is_asked_again(bench: Bench) -> None:
    await bench.register()

    async def dies(*_: object) -> None:
        raise KeyboardInterrupt

    live = bench.holders.read_consent
    bench.holders.read_consent = dies  # type: ignore[assignment,method-assign]
    with pytest.raises(KeyboardInterrupt):
        await bench.asker._ask(*(await _claimed(bench)))
    bench.holders.read_consent = live  # type: ignore[method-assign]
    assert await bench.asker.run_once(DEMOBANK) == 0  # it is leased
    bench.advance(seconds=61)
    assert await bench.asker.run_once(DEMOBANK) == 1
    assert (await bench.consent()).summary.asks == 2


async def _claimed(bench: Bench):  # type: ignore[no-untyped-def]
    provider = bench.office.providers.require(DEMOBANK)
    (question,) = await bench.store.transact(partial(_claim_due, bench.office, provider.id, Room(5, 5)))
    return provider, question


async def test_an_event_that_comes_while_we_ask_is_not_spoken_for_by_the_answer(bench: Bench) -> None:
    """Asked, then suspended, then the answer of before: Suspended, and asked again."""
    await bench.register()
    await bench.deliver(event(data()))
    bench.advance(seconds=21_700)
    bench.holders.answers[CONSENT] = answer()
    provider, question = await _claimed(bench)
    await bench.deliver(event(data("Suspended", "2026-03-02T20:51:00+04:00"), exp=1772490000))
    await bench.asker._ask(provider, question)
    assert await bench.status() == ("Suspended", False)


async def test_doubt_is_asked_about_at_once_and_settled(bench: Bench) -> None:
    """Suspended and restored within one second: the holder's clock cannot say which came last."""
    await bench.register()
    await bench.deliver(event(data("Suspended")), event(data("Authorized")))
    assert await bench.status() == ("Suspended", False)
    assert (await bench.told())[-1][0] == "irregular"
    assert await _due_in(bench) == 0
    bench.holders.answers[CONSENT] = answer()
    asked = 0
    for _ in range(700):
        asked += await bench.asker.run_once(DEMOBANK)
        bench.advance(seconds=1)
        if (await bench.status())[1]:
            break
    assert await bench.status() == ("Authorized", True)
    assert asked <= 5
    assert (await bench.told())[-1] == ("status_confirmed", "Authorized", "Authorized", True)


async def test_what_cannot_be_read_or_is_about_another_consent_changes_nothing(bench: Bench) -> None:
    await bench.register()
    for body in ({"Data": {}}, {}, answer(ConsentId="another"), answer(StatusUpdateDateTime="yesterday")):
        bench.holders.answers[CONSENT] = body
        with pytest.raises(ConsentApiContractError):
            await bench.asker.ask_now((await bench.consent()).tracking_id)
    assert await bench.status() == ("NotStaged", False)


async def test_an_unknown_status_keeps_the_last_one_and_alarms(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    bench.holders.answers[CONSENT] = answer("OnHold", "2026-03-02T15:16:00+04:00")
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    assert await bench.status() == ("Authorized", False)
    assert (await bench.entries())[-1].leaf["data"]["reason"] == "unknown_status"
    assert bench.rows("SELECT raw_status FROM report WHERE channel = 'poll'") == [("OnHold",)]


async def test_changed_terms_are_told_once_with_the_new_ones(bench: Bench) -> None:
    await bench.register()
    bench.holders.answers[CONSENT] = answer()
    tracking_id = (await bench.consent()).tracking_id
    await bench.asker.ask_now(tracking_id)
    bench.holders.answers[CONSENT] = answer(OpenFinanceBilling={"UserType": "SME", "Purpose": "TaxFiling"})
    for _ in range(3):
        bench.advance(seconds=400)
        await bench.asker.ask_now(tracking_id)
    changed = [e for e in await bench.entries() if e.type == "consent.terms_changed"]
    assert len(changed) == 1
    assert changed[0].private is not None
    assert changed[0].private["terms"]["OpenFinanceBilling"]["Purpose"] == "TaxFiling"


async def test_what_is_not_tracked_is_not_asked_about(bench: Bench) -> None:
    with pytest.raises(ConsentNotFoundError):
        await bench.asker.ask_now(TrackingId("0198f1c2-0000-7000-8000-000000000000"))


async def test_a_provider_that_left_the_configuration_is_named_in_the_error(bench: Bench) -> None:
    await bench.register()
    gone = replace(await bench.consent(), provider="gone")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="gone"):
        bench.office.providers.kind_of(gone)


async def test_expiry_is_told_at_the_instant_asked_about_and_confirmed(bench: Bench) -> None:
    expiry = bench.clock.now() + timedelta(minutes=10)
    terms = {"ExpirationDateTime": expiry.isoformat()}
    await bench.register()
    await bench.deliver(event(data(**terms)))
    assert await bench.expiry.run_once() == 0
    bench.clock.set(expiry - timedelta(microseconds=1))
    assert await bench.status() == ("Authorized", True)
    assert await bench.expiry.run_once() == 0
    bench.clock.set(expiry)
    assert await bench.status() == ("Expired", False)  # before anybody ticks
    assert await bench.expiry.run_once() == 1
    assert await bench.expiry.run_once() == 0
    assert [t[0] for t in (await bench.told())[-2:]] == ["expiry_inferred", "status_changed"]
    assert await _due_in(bench) == 0
    bench.holders.answers[CONSENT] = answer(**terms)  # a holder that is slow to flip
    waits = []
    for _ in range(6):
        assert await bench.asker.run_once(DEMOBANK) == 1
        assert await bench.status() == ("Expired", False)
        wait = await _due_in(bench)
        assert wait is not None
        waits.append(wait)
        bench.advance(seconds=wait)
    assert waits == [60, 240, 1500, 3600, 3600, 3600]
    assert len(await bench.entries()) == 4
    bench.holders.answers[CONSENT] = answer("Expired", expiry.isoformat(), **terms)
    await bench.asker.run_once(DEMOBANK)
    assert (await bench.told())[-1][0] == "status_confirmed"
    assert await _due_in(bench) is None


async def test_a_clock_that_steps_back_revives_nothing(bench: Bench) -> None:
    expiry = bench.clock.now() + timedelta(minutes=10)
    await bench.register()
    await bench.deliver(event(data(ExpirationDateTime=expiry.isoformat())))
    bench.clock.set(expiry + timedelta(seconds=1))
    await bench.expiry.run_once()
    bench.clock.set(expiry - timedelta(hours=1))
    assert await bench.status() == ("Expired", False)
    await bench.expiry.run_once()
    await bench.deliver(event(data(at="2026-03-02T15:13:20+04:00", ExpirationDateTime=expiry.isoformat())))
    assert await bench.status() == ("Expired", False)
    times = [entry.recorded_at for entry in await bench.entries()]
    assert times == sorted(times)


async def test_nothing_due_is_lost_by_a_restart(bench: Bench, crypto) -> None:  # type: ignore[no-untyped-def]
    from tests.usecases.bench import open_bench

    expiry = bench.clock.now() + timedelta(minutes=10)
    await bench.register()
    await bench.deliver(event(data(ExpirationDateTime=expiry.isoformat())))
    await bench.store.close()
    bench.clock.set(expiry + timedelta(days=3))
    async with open_bench(bench.path, crypto, clock=bench.clock) as again:
        assert await again.expiry.run_once() == 1
        assert await again.asker.run_once(DEMOBANK) == 1
        assert await again.status() == ("Expired", False)


async def test_what_is_not_urgent_has_no_more_than_its_part_of_the_day_in_all_lines_together(bench: Bench) -> None:
    for name, due in (("a", "urgent_ask_at"), ("b", "next_ask_at"), ("c", "next_ask_at"), ("d", "queued_ask_at")):
        await keep(bench.store, a_consent(name, DEMOBANK), Status.NOT_STAGED, **{due: bench.clock.now()})
    room = Room(urgent=5, ordinary=1)
    taken = await bench.store.transact(partial(_claim_due, bench.office, DEMOBANK, room))
    assert len(taken) == 2
    assert taken[0].consent.consent_id == "a"
