"""Notices: each step once, whoever runs, however often it starts; quiet where somebody has seen to it."""

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.usecases.bench import CONSENT, Bench, data, open_bench
from tests.usecases.chain import EXPIRY, NEXT, THIRD, hear, kept, noticed, renew, run_to
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.domain.consent import TrackingId
from tracker.ports import Transaction
from tracker.usecases.notices import _tell_due

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


async def test_each_step_before_the_expiry_is_told_once_at_its_time(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    for days, steps in ((31, 0), (30, 1), (8, 1), (7, 2), (2, 2), (1, 3)):
        await run_to(bench, EXPIRY - days * DAY)
        assert len(await noticed(bench)) == steps, days
    await bench.notices.run_once()
    assert await noticed(bench) == [("first", "in_30_days"), ("first", "in_7_days"), ("first", "in_1_day")]


async def test_a_notice_says_what_it_is_about_and_moves_nothing(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    version = (await bench.consent()).version
    await run_to(bench, EXPIRY - 7 * DAY)
    first, second = (entry for entry in await bench.entries() if entry.type == "consent.expiring")
    said = {
        name: second.data[name]
        for name in ("from", "to", "reason", "status_date_time", "channel", "usable", "confirmed", "inferred")
    }
    assert said == {
        "from": None,
        "to": None,
        "reason": "in_7_days",
        "status_date_time": "2026-08-31T20:00:00.000000Z",
        "channel": "clock",
        "usable": True,
        "confirmed": True,
        "inferred": False,
    }
    assert (second.previous, second.recorded_at) == (first.sequence, bench.clock.now())
    assert (await bench.consent()).version == version
    assert await bench.status() == ("Authorized", True)


async def test_a_clock_that_jumps_over_steps_tells_only_the_last(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.clock.set(EXPIRY - 5 * DAY)
    await bench.notices.run_once()
    assert await noticed(bench) == [("first", "in_7_days")]
    bench.clock.set(EXPIRY - 40 * DAY)
    await bench.notices.run_once()
    await run_to(bench, EXPIRY - HOUR)
    assert await noticed(bench) == [("first", "in_7_days"), ("first", "in_1_day")]


async def test_a_clock_that_jumps_over_the_expiry_tells_nothing_of_it(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.clock.set(EXPIRY)
    await bench.notices.run_once()
    assert await noticed(bench) == []


async def test_steps_that_lie_before_the_consent_began_are_not_told(bench: Bench) -> None:
    await bench.register()
    begun = bench.clock.now()
    short = begun + 3 * DAY
    await hear(bench, ExpirationDateTime=short.isoformat(), CreationDateTime=begun.isoformat())
    await run_to(bench, begun + DAY)
    assert await noticed(bench) == []
    await run_to(bench, short - HOUR)
    assert await noticed(bench) == [("first", "in_1_day")]


async def test_what_was_told_is_not_told_again_after_a_restart(
    database: Path, crypto: JwcryptoEventCrypto, bench: Bench
) -> None:
    await bench.register()
    await hear(bench)
    await run_to(bench, EXPIRY - 7 * DAY)
    told = await noticed(bench)
    async with open_bench(database, crypto, clock=bench.clock) as again:
        await again.notices.run_once()
        await hear(again)  # saves the row, and plans it anew
        await again.notices.run_once()
        assert await noticed(again) == told


async def test_a_run_that_dies_before_its_commit_told_nothing_and_the_next_tells_it(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.clock.set(EXPIRY - 7 * DAY)

    def killed(transaction: Transaction) -> None:
        assert len(_tell_due(bench.office, transaction)[2]) == 1
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await bench.store.transact(killed)
    assert await noticed(bench) == []
    await bench.notices.run_once()
    assert await noticed(bench) == [("first", "in_7_days")]


async def test_another_expiry_has_steps_of_its_own_and_the_first_is_not_told_twice(bench: Bench) -> None:
    """A holder that names one expiry, another, and the first again is told of each once."""
    await bench.register()
    await hear(bench)
    await run_to(bench, EXPIRY - 7 * DAY)
    later = EXPIRY + 10 * DAY
    for expiry in (later, EXPIRY, later):
        bench.advance(hours=1)  # past the settling time, so that an answer speaks for all that came before
        bench.holders.answers[CONSENT] = {
            "Data": data("Authorized", "2026-03-02T15:19:59+04:00", ExpirationDateTime=expiry.isoformat())
        }
        await bench.asker.ask_now((await bench.consent()).tracking_id)
        await bench.notices.run_once()
    steps = ["in_30_days", "in_7_days"]
    assert [reason for _, reason in await noticed(bench)] == [*steps, "in_30_days"]
    await run_to(bench, later - 7 * DAY)
    assert [reason for _, reason in await noticed(bench)] == [*steps, "in_30_days", "in_7_days"]


async def test_the_end_of_the_authorization_window_is_told_while_it_waits(bench: Bench) -> None:
    await bench.register(kind="payment")
    window = bench.clock.now() + 2 * DAY
    schedule = {"ConsentSchedule": {"MultiPayment": {"MaximumCumulativeNumberOfPayments": 12}}}
    facts: dict[str, Any] = {"AuthorizationExpirationDateTime": window.isoformat(), "ControlParameters": schedule}
    began = {"CreationDateTime": bench.clock.now().isoformat()}
    await hear(bench, "AwaitingAuthorization", **facts, **began)
    await run_to(bench, window - DAY)
    assert await noticed(bench) == [("first", "authorization_in_1_day")]
    await hear(bench, "Authorized", **facts, **began)
    await run_to(bench, window + HOUR)
    assert await noticed(bench) == [("first", "authorization_in_1_day")]


async def test_of_a_single_payment_nothing_is_told(bench: Bench) -> None:
    await bench.register(kind="payment")
    schedule = {"ConsentSchedule": {"SinglePayment": {"Type": "SingleInstantPayment"}}}
    await hear(bench, ControlParameters=schedule)
    await run_to(bench, EXPIRY + 60 * DAY)
    assert await noticed(bench) == []


async def test_before_the_deletion_of_an_ended_consents_data_must_be_attested_it_is_told(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.advance(days=1)
    ended = bench.clock.now()
    await hear(bench, "Revoked")
    await run_to(bench, ended + 60 * DAY)
    assert await noticed(bench) == [("first", "attestation_in_14_days"), ("first", "attestation_in_3_days")]
    told = [entry for entry in await bench.entries() if entry.type == "consent.expiring"]
    due = ended + 45 * DAY - timedelta(seconds=1)
    assert {datetime.fromisoformat(entry.data["status_date_time"]) for entry in told} == {due}


async def test_what_has_ended_by_our_clock_alone_is_told_as_inferred(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.clock.set(EXPIRY + 31 * DAY)
    await bench.expiry.run_once()
    await bench.notices.run_once()
    told = (await bench.entries())[-1].data
    assert (told["reason"], told["inferred"], told["confirmed"]) == ("attestation_in_14_days", True, False)
    bench.clock.set(EXPIRY + 31 * DAY + HOUR)
    await hear(bench, "Expired")  # an hour ago says the holder; that is no other deadline
    await bench.notices.run_once()
    assert await noticed(bench) == [("first", "attestation_in_14_days")]


# ---------------------------------------------------------------------------------------------- successors


async def test_it_is_quiet_once_a_successor_is_authorized(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    await run_to(bench, EXPIRY - 29 * DAY)
    await renew(bench)
    await run_to(bench, EXPIRY - HOUR)
    assert [told for told in await noticed(bench) if "days" in told[1] or "day" in told[1]] == [("first", "in_30_days")]


async def test_steps_come_back_when_the_successor_ends(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    await run_to(bench, EXPIRY - 29 * DAY)
    await renew(bench)
    await run_to(bench, EXPIRY - 6 * DAY)
    await hear(bench, "Revoked", NEXT)
    await run_to(bench, EXPIRY - 5 * DAY)
    expiring = [told for told in await noticed(bench) if told[1].startswith("in_")]
    assert expiring == [("first", "in_30_days"), ("first", "in_7_days")]


async def test_a_successor_that_was_never_authorized_keeps_nothing_quiet(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    await bench.register(NEXT, base_consent_id=CONSENT)
    await hear(bench, "AwaitingAuthorization", NEXT, BaseConsentId=CONSENT)
    await run_to(bench, EXPIRY - 29 * DAY)
    assert await noticed(bench) == [("first", "in_30_days")]


# ---------------------------------------------------------------------------------------------- overlaps


async def test_two_authorized_at_once_are_told_after_the_grace_and_once(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.advance(days=1)
    overlaps_from = bench.clock.now()
    younger = await renew(bench)
    await run_to(bench, overlaps_from + 23 * HOUR)
    assert await noticed(bench) == []
    await run_to(bench, overlaps_from + 25 * HOUR)
    assert await noticed(bench) == [("first", "successor_authorized")]
    entry = (await bench.entries())[-1]
    assert entry.private == {"successor_consent_id": NEXT, "successor_tracking_id": younger.tracking_id}
    assert entry.data["status_date_time"] == (overlaps_from - timedelta(seconds=1)).strftime(
        "%Y-%m-%dT%H:%M:%S.000000Z"
    )
    await hear(bench, "Suspended")
    bench.advance(minutes=1)
    await hear(bench, "Authorized")
    await run_to(bench, overlaps_from + 5 * DAY)
    assert await noticed(bench) == [("first", "successor_authorized")]


async def test_a_run_that_dies_before_it_looks_at_a_chain_leaves_it_due(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.advance(days=1)
    await renew(bench)
    await bench.notices.run_once()
    bench.advance(days=1)
    for _ in range(2):
        count, chains, entries = await bench.store.transact(partial(_tell_due, bench.office))
        assert (count, entries) == (1, [])
        assert [consent_id for _, consent_id in chains] == [CONSENT]
    await bench.notices.run_once()
    assert await noticed(bench) == [("first", "successor_authorized")]


async def test_an_old_one_that_is_ended_within_the_grace_is_no_overlap(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.advance(days=1)
    await renew(bench)
    await bench.notices.run_once()
    bench.advance(hours=23)
    await hear(bench, "Revoked")
    await run_to(bench, bench.clock.now() + 3 * DAY)
    assert await noticed(bench) == []


async def test_every_older_one_is_told_beside_the_current_one(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.advance(days=1)
    await renew(bench)
    bench.advance(hours=1)
    await renew(bench, THIRD)
    await run_to(bench, bench.clock.now() + 2 * DAY)
    assert sorted(await noticed(bench)) == [("first", "successor_authorized"), ("next", "successor_authorized")]


async def test_a_root_that_comes_to_be_tracked_after_its_renewal_is_found_beside_it(bench: Bench) -> None:
    """As in an import: whichever is first."""
    await renew(bench)
    await bench.notices.run_once()
    bench.advance(minutes=5)
    await bench.register()
    await hear(bench)
    await run_to(bench, bench.clock.now() + 2 * DAY)
    assert await noticed(bench) == [("first", "successor_authorized")]


async def test_a_root_that_is_restored_after_its_renewal_was_looked_at_is_found_beside_it(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.advance(minutes=5)
    await hear(bench, "Suspended")
    bench.advance(days=1)
    await renew(bench)
    await run_to(bench, bench.clock.now() + 2 * DAY)
    assert await noticed(bench) == []
    await hear(bench, "Authorized")
    await run_to(bench, bench.clock.now() + 2 * DAY)
    assert await noticed(bench) == [("first", "successor_authorized")]


async def test_a_renewal_that_is_wrongly_named_as_a_root_stays_in_its_own_chain(bench: Bench) -> None:
    """Every renewal has to name the first one; whoever names the one before makes a chain of its own."""
    await renew(bench)
    bench.advance(minutes=5)
    await bench.register(THIRD, base_consent_id=NEXT)
    await hear(bench, "Authorized", THIRD, BaseConsentId=NEXT)
    await run_to(bench, bench.clock.now() + 2 * DAY)
    assert await noticed(bench) == []
    assert not (await kept(bench, NEXT)).noticing.is_succeeded


async def test_of_a_chain_with_a_damaged_row_the_others_are_told(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    bench.advance(days=1)
    await renew(bench)
    await renew(bench, THIRD)
    await bench.notices.run_once()
    bench.execute(f"UPDATE consent SET summary = 'x' WHERE consent_id = '{NEXT}'")
    await run_to(bench, bench.clock.now() + 2 * DAY)
    assert await noticed(bench) == [("first", "successor_authorized")]


async def test_chains_of_another_provider_are_others(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    await bench.register(NEXT, provider="otherbank", base_consent_id=CONSENT)
    found = await bench.store.transact(lambda t: t.lock_chain(("demobank", CONSENT), [TrackingId("x")]))  # type: ignore[arg-type]
    assert [(one.provider, one.consent_id) for one in found] == [("demobank", CONSENT)]


async def test_consents_without_a_step_are_not_looked_at(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    assert await bench.notices.run_once() == 0
    bench.clock.set(EXPIRY - 30 * DAY)
    assert await bench.notices.run_once() == 1
    assert await bench.notices.run_once() == 0


async def test_an_event_dated_at_the_end_of_the_calendar_keeps_no_other_notice_back(bench: Bench) -> None:
    await bench.register()
    await hear(bench)
    await renew(bench, StatusUpdateDateTime="9999-12-31T23:59:59Z")
    await bench.register(THIRD)
    await hear(bench, "Authorized", THIRD)
    await run_to(bench, EXPIRY - 7 * DAY)
    assert ("third", "in_7_days") in await noticed(bench)
