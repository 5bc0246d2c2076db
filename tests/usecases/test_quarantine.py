"""Events that were put aside are opened again: with their own time of receipt, once, and without harm."""

import asyncio

import pytest

from tests import tokens
from tests.usecases.bench import CONSENT, DEMOBANK, UAE, Bench, data, event, keys_of, message
from tracker.domain.errors import QuarantinedEventNotFoundError
from tracker.ports import EVERYTHING_ASIDE, Quarantined, QuarantineFilter, Transaction

LATE_KEY = "hub-sig-published-late"
OF_UNKNOWN_KEYS = QuarantineFilter(reason="key_unknown")


async def aside(bench: Bench, *bodies: bytes) -> list[Quarantined]:
    """Let events in that name a key that the holder does not publish yet, until they are put aside."""
    for body in bodies:
        await bench.receiver.receive(UAE, body, "find-me")
        bench.advance(seconds=0.001)
    for _ in range(4):
        await bench.work_off()
        bench.advance(seconds=40)
    return (await bench.store.quarantined(1000))[::-1]


def publish(bench: Bench) -> None:
    """The holder publishes the key, with the one it had."""
    both = {**keys_of("hub", tokens.HUB_KID), **keys_of("hub", LATE_KEY)}
    bench.keys.published[DEMOBANK] = bench.keys.fetched[DEMOBANK] = both


async def test_an_event_whose_key_came_late_is_recorded_as_of_its_receipt(bench: Bench) -> None:
    await bench.register()
    received_at = bench.clock.now()
    (event_aside,) = await aside(bench, event(data(), kid=LATE_KEY, exp=received_at.timestamp() + 30))
    assert (event_aside.reason, event_aside.received_at) == ("key_unknown", received_at)
    publish(bench)
    bench.advance(days=3)  # it has long lapsed; when it came it had not
    await bench.quarantine.retry(event_aside.id)
    assert await bench.store.quarantined(10) == []
    await bench.work_off()
    assert await bench.status() == ("Authorized", True)
    assert bench.rows("SELECT count(*) FROM inbox") == [(0,)]
    ((stored_at,),) = bench.rows("SELECT received_at FROM report")
    assert stored_at == received_at.isoformat(timespec="microseconds")


async def test_it_is_told_which_keys_were_tried(bench: Bench) -> None:
    (unknown,) = await aside(bench, event(data(), kid=LATE_KEY))
    assert (unknown.provider, unknown.kid, unknown.our_kid) == (DEMOBANK, LATE_KEY, tokens.OUR_KID)
    assert unknown.keys_at_hand == (tokens.HUB_KID,)
    assert bench.quarantine.opens(unknown)
    await bench.deliver(
        event(data(), key="other hub"),
        event(data(), iss="https://evil.example"),
        tokens.with_flipped_bit(event(None), 4),
    )
    found = {one.reason: one for one in await bench.store.quarantined(10)}
    forged, stranger, junk = (found[r] for r in ("signature_invalid", "issuer_unknown", "decryption_failed"))
    assert (forged.provider, forged.kid, forged.keys_at_hand) == (DEMOBANK, tokens.HUB_KID, (tokens.HUB_KID,))
    assert (stranger.provider, stranger.kid, stranger.keys_at_hand) == (None, tokens.HUB_KID, None)
    assert (junk.provider, junk.kid, junk.our_kid, junk.keys_at_hand) == (None, None, tokens.OUR_KID, None)


async def test_what_fails_again_comes_back_and_is_counted(bench: Bench) -> None:
    (first,) = await aside(bench, event(data(), kid=LATE_KEY))
    for times in (1, 2):
        await bench.quarantine.retry(first.id)
        for _ in range(4):
            await bench.work_off()
            bench.advance(seconds=40)
        (back,) = await bench.store.quarantined(10)
        assert (back.id, back.retries, back.received_at, back.body) == (first.id, times, first.received_at, first.body)
        assert back.quarantined_at > first.quarantined_at


async def test_two_retries_that_race_do_it_once(bench: Bench) -> None:
    await bench.register()
    (one,) = await aside(bench, event(data(), kid=LATE_KEY))
    publish(bench)
    done = await asyncio.gather(*(bench.quarantine.retry(one.id) for _ in range(5)), return_exceptions=True)
    assert sorted(isinstance(answer, QuarantinedEventNotFoundError) for answer in done) == [False, *[True] * 4]
    assert bench.rows("SELECT id, retries FROM inbox") == [(one.id, 1)]
    await bench.work_off()
    assert len(await bench.told()) == 2
    with pytest.raises(QuarantinedEventNotFoundError):
        await bench.quarantine.retry(one.id)


async def test_retries_of_all_that_race_move_each_event_once(bench: Bench) -> None:
    bodies = [event(data(), kid=LATE_KEY, jti=str(n)) for n in range(7)]
    ids = [one.id for one in await aside(bench, *bodies)]
    done = await asyncio.gather(*(bench.quarantine.retry_all(OF_UNKNOWN_KEYS) for _ in range(3)))
    assert sum(retried.count for retried in done) == 7
    assert all(retried.is_complete for retried in done)
    assert bench.rows("SELECT id FROM inbox ORDER BY id") == [(one,) for one in ids]


async def test_a_retry_of_what_is_on_record_meanwhile_changes_nothing(bench: Bench) -> None:
    await bench.register()
    (one,) = await aside(bench, event(data(), kid=LATE_KEY))
    await bench.deliver(event(data()))  # the same again, with the key that is known
    before = await bench.told()
    publish(bench)
    await bench.quarantine.retry(one.id)
    await bench.work_off()
    assert await bench.told() == before
    assert bench.rows("SELECT count(*), sum(repeats) FROM report") == [(1, 1)]
    assert await bench.store.quarantined(10) == []


async def test_an_old_event_that_is_retried_does_not_undo_what_came_after_it(bench: Bench) -> None:
    await bench.register()
    (one,) = await aside(bench, event(data(), kid=LATE_KEY))
    revoked = data("Revoked", "2026-03-02T15:19:00+04:00", RevokedBy="LFI.InitiatedByUser")
    await bench.deliver(event(revoked))
    assert await bench.status() == ("Revoked", False)
    publish(bench)
    await bench.quarantine.retry(one.id)
    await bench.work_off()
    assert await bench.status() == ("Revoked", False)


async def test_all_of_a_reason_go_and_the_others_stay(bench: Bench) -> None:
    await bench.register()
    bodies = [
        event(None, message=message(data(ConsentId=f"c{n}"), ConsentId=f"c{n}"), kid=LATE_KEY) for n in range(450)
    ]
    await bench.deliver(event(data(), iss="https://evil.example"))
    await aside(bench, *bodies)
    retried = await bench.quarantine.retry_all(OF_UNKNOWN_KEYS)
    assert (retried.count, retried.is_complete) == (450, True)
    assert [one.reason for one in await bench.store.quarantined(1000)] == ["issuer_unknown"]
    publish(bench)
    await bench.work_off()
    assert bench.rows("SELECT count(*) FROM report") == [(450,)]
    for nothing in (QuarantineFilter(reason="lapsed"), QuarantineFilter(reason="issuer_unknown", verified=True)):
        assert (await bench.quarantine.retry_all(nothing)).count == 0


async def test_a_retry_of_many_leaves_the_inbox_its_bound(bench: Bench) -> None:
    await aside(bench, *(event(data(), kid=LATE_KEY, jti=str(n)) for n in range(7)))
    bench.quarantine._max_events = 5
    retried = await bench.quarantine.retry_all(EVERYTHING_ASIDE)
    assert (retried.count, retried.is_complete) == (5, False)
    assert bench.rows("SELECT count(*) FROM inbox") == [(5,)]
    assert len(await bench.store.quarantined(10)) == 2


async def test_old_events_that_are_retried_do_not_shut_the_door(bench: Bench) -> None:
    """Due since their receipt, they would look as if nobody had worked the inbox off for days."""
    (one,) = await aside(bench, event(data(), kid=LATE_KEY))
    bench.advance(days=2)
    await bench.quarantine.retry(one.id)
    await bench.receiver.receive(UAE, event(data()), "x")
    assert (await bench.store.inbox_depth())[0] == 2


async def test_a_retry_that_is_not_committed_leaves_the_event_where_it_was(bench: Bench) -> None:
    (one,) = await aside(bench, event(data(), kid=LATE_KEY))

    def script(transaction: Transaction) -> None:
        transaction.release([one.id], bench.clock.now())
        raise LookupError

    with pytest.raises(LookupError):
        await bench.store.transact(script)
    assert await bench.store.quarantined(10) == [one]
    assert bench.rows("SELECT count(*) FROM inbox") == [(0,)]


async def test_an_event_that_cannot_be_recorded_keeps_its_count(bench: Bench) -> None:
    consent = await bench.register()
    (one,) = await aside(bench, event(data(), kid=LATE_KEY))
    publish(bench)
    bench.execute("UPDATE consent SET told_status = 'Nonsense'")
    await bench.quarantine.retry(one.id)
    await bench.work_off()
    (back,) = await bench.store.quarantined(10)
    assert (back.id, back.reason, back.verified, back.retries) == (one.id, "record_failed", True, 1)
    bench.execute("UPDATE consent SET told_status = 'NotStaged'")
    await bench.quarantine.retry(one.id)
    await bench.work_off()
    assert (await bench.consent(CONSENT)).tracking_id == consent.tracking_id
    assert await bench.status() == ("Authorized", True)
