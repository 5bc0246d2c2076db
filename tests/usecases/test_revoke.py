"""Having consents revoked: one request, kept until the holder's own word ends it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial

import pytest
import pytest_asyncio

from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event
from tests.usecases.test_ask import answer
from tracker.domain.changed import changed
from tracker.domain.consent import TrackingId
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiRefusedError,
    ConsentApiUnavailableError,
    ConsentNotFoundError,
    ConsentNotStagedError,
    InvalidRequestError,
    NotRevocableError,
    RevocationPendingError,
    RevocationRefusedError,
)
from tracker.domain.overlay import Overlay, Revocation, RevocationState
from tracker.ports import Transaction
from tracker.usecases.recording import Recording
from tracker.usecases.revoke_steps import claim_one, count

BY = "TPP.InitiatedByUser"
REVOKED = partial(answer, "Revoked", "2026-03-02T15:20:30+04:00", RevokedBy=BY)


@pytest_asyncio.fixture
async def tracking_id(bench: Bench) -> AsyncIterator[TrackingId]:
    """An authorized consent."""
    await bench.register()
    await bench.deliver(event(data()))
    bench.holders.answers[CONSENT] = answer()
    yield (await bench.consent()).tracking_id


def _revokes(bench: Bench) -> None:
    bench.holders.answers[CONSENT] = REVOKED()


async def _press(bench: Bench, tracking_id: TrackingId, revoked_by: str = BY) -> None:
    await bench.revoker.request(tracking_id, revoked_by)
    await bench.revoker.carry_out(tracking_id)


async def _revocation(bench: Bench) -> Revocation:
    found = (await bench.consent()).overlay.revocation
    assert found is not None
    return found


async def _why(bench: Bench) -> str:
    return (await bench.consulting.usable(DEMOBANK, CONSENT, permission=None, max_age_seconds=None)).reason.value


async def _last(bench: Bench) -> dict[str, object]:
    entry = (await bench.entries())[-1]
    return {"type": entry.type, **entry.leaf["data"]}


async def test_a_consent_is_revoked_and_the_holders_word_ends_the_request(
    bench: Bench, tracking_id: TrackingId
) -> None:
    bench.holders.said.append(lambda: _revokes(bench))
    await _press(bench, tracking_id)
    assert bench.holders.revoked == [(CONSENT, BY)]
    assert await bench.status() == ("Revoked", False)
    assert [kind for kind, *_ in await bench.told()] == [
        "registered",
        "status_changed",
        "revocation_requested",
        "status_changed",
    ]
    requested, ended = (entry.leaf["data"] for entry in (await bench.entries())[-2:])
    assert (requested["usable"], requested["to"], requested["revoked_by"]) == (False, "Authorized", BY)
    assert (requested["channel"], requested["from"], requested["evidence"]) == ("operator", None, [])
    assert (ended["to"], ended["channel"], ended["revoked_by"]) == ("Revoked", "poll", BY)
    assert (await _revocation(bench)).state is RevocationState.ENDED
    assert bench.rows("SELECT revoking, revocation_due_at FROM consent") == [(0, None)]


async def test_it_is_not_usable_from_the_moment_of_the_request(bench: Bench, tracking_id: TrackingId) -> None:
    await bench.revoker.request(tracking_id, BY)
    assert await _why(bench) == "revocation_pending"
    assert bench.holders.revoked == []
    assert await bench.revoker.run_once(DEMOBANK) == 1  # whoever asked for it has died: the workers have it at once
    assert bench.holders.revoked == [(CONSENT, BY)]


@pytest.mark.parametrize("status", ["AwaitingAuthorization", "Authorized", "Suspended"])
async def test_what_is_not_at_an_end_can_be_revoked(bench: Bench, status: str) -> None:
    await bench.register()
    await bench.deliver(event(data(status)))
    bench.holders.said.append(lambda: _revokes(bench))
    await _press(bench, (await bench.consent()).tracking_id, "TPP")
    assert await bench.status() == ("Revoked", False)
    assert bench.holders.revoked == [(CONSENT, "TPP")]


@pytest.mark.parametrize("status", ["Rejected", "Expired", "Revoked"])
async def test_what_has_ended_cannot_be_revoked(bench: Bench, status: str) -> None:
    await bench.register()
    await bench.deliver(event(data(status)))
    with pytest.raises(NotRevocableError):
        await bench.revoker.request((await bench.consent()).tracking_id, BY)
    assert (await bench.consent()).overlay.revocation is None


async def test_what_the_holder_has_said_nothing_of_or_the_clock_has_ended_cannot_be_revoked(bench: Bench) -> None:
    await bench.register()
    tracking_id = (await bench.consent()).tracking_id
    with pytest.raises(NotRevocableError):
        await bench.revoker.request(tracking_id, BY)
    await bench.deliver(event(data()))
    bench.clock.set(datetime.fromisoformat("2026-09-01T00:00:00+04:00"))
    with pytest.raises(NotRevocableError, match="Expired"):
        await bench.revoker.request(tracking_id, BY)


async def test_who_revokes_is_one_of_the_profiles_words(bench: Bench, tracking_id: TrackingId) -> None:
    with pytest.raises(InvalidRequestError, match=r"TPP, TPP\.InitiatedByUser"):
        await bench.revoker.request(tracking_id, "LFI")
    with pytest.raises(ConsentNotFoundError):
        await bench.revoker.request(TrackingId("0198f1c2-0000-7000-8000-000000000000"), BY)


async def test_a_second_press_gets_the_first(bench: Bench, tracking_id: TrackingId) -> None:
    bench.holders.said.append(lambda: _revokes(bench))
    await asyncio.gather(*(_press(bench, tracking_id, by) for by in (BY, "TPP", BY)))
    assert bench.holders.revoked == [(CONSENT, BY)]
    await _press(bench, tracking_id, "TPP")
    assert len(bench.holders.revoked) == 1
    assert (await _revocation(bench)).revoked_by == BY
    assert len([t for t in await bench.told() if t[0] == "revocation_requested"]) == 1


async def test_a_refusal_stands_until_it_is_withdrawn(bench: Bench, tracking_id: TrackingId) -> None:
    bench.holders.said.append(RevocationRefusedError("Consent.BusinessRuleViolation"))
    await _press(bench, tracking_id)
    assert await _why(bench) == "revocation_pending"
    failed = await _last(bench)
    assert (failed["type"], failed["reason"]) == ("consent.revocation_failed", "Consent.BusinessRuleViolation")
    assert (failed["usable"], failed["revoked_by"], failed["channel"]) == (False, BY, "operator")
    bench.advance(hours=1)
    assert await bench.revoker.run_once(DEMOBANK) == 0  # it is not sent again by itself
    await bench.revoker.withdraw(tracking_id)
    withdrawn = await _last(bench)
    assert (withdrawn["type"], withdrawn["usable"]) == ("consent.revocation_withdrawn", True)
    assert await bench.status() == ("Authorized", True)
    with pytest.raises(NotRevocableError):
        await bench.revoker.withdraw(tracking_id)


async def test_a_press_after_a_refusal_asks_the_holder_first_and_then_tries_again(
    bench: Bench, tracking_id: TrackingId
) -> None:
    bench.holders.said.extend(RevocationRefusedError("Consent.BusinessRuleViolation") for _ in range(2))
    await _press(bench, tracking_id)
    asked = len(bench.holders.asked)
    bench.advance(seconds=1)
    await _press(bench, tracking_id)
    assert len(bench.holders.revoked) == 2
    assert len(bench.holders.asked) == asked + 2
    assert (await _revocation(bench)).state is RevocationState.REFUSED  # at once, as the first time
    bench.advance(seconds=1)
    bench.holders.said.append(lambda: _revokes(bench))
    await _press(bench, tracking_id)
    assert await bench.status() == ("Revoked", False)


async def test_a_refusal_because_it_has_ended_by_itself_is_none(bench: Bench, tracking_id: TrackingId) -> None:
    bench.holders.said.append(RevocationRefusedError("Consent.BusinessRuleViolation"))
    bench.holders.answers[CONSENT] = answer("Revoked", "2026-03-02T15:15:00+04:00", RevokedBy="LFI")
    await _press(bench, tracking_id)
    assert (await _revocation(bench)).state is RevocationState.ENDED
    assert [t[0] for t in await bench.told()][-1] == "status_changed"
    assert (await _last(bench))["revoked_by"] == "LFI"


async def test_an_event_that_tells_of_the_end_meanwhile_ends_the_request(bench: Bench, tracking_id: TrackingId) -> None:
    bench.holders.said.append(ConsentApiUnavailableError())
    await _press(bench, tracking_id)
    await bench.deliver(event(data("Expired", "2026-03-02T15:16:00+04:00")))
    assert (await _revocation(bench)).state is RevocationState.ENDED
    bench.advance(hours=1)
    assert await bench.revoker.run_once(DEMOBANK) == 0
    assert len(bench.holders.revoked) == 1


async def test_a_holder_that_is_away_is_tried_ever_more_slowly_and_asked_before_each_repeat(
    bench: Bench, tracking_id: TrackingId
) -> None:
    bench.holders.said.append(ConsentApiUnavailableError())
    bench.holders.answers[CONSENT] = ConsentApiUnavailableError()
    await _press(bench, tracking_id)
    waits = []
    for _ in range(10):
        revocation = await _revocation(bench)
        assert revocation.due_at is not None
        assert revocation.last_error == "holder_unavailable"
        waits.append((revocation.due_at - bench.clock.now()).total_seconds())
        bench.advance(seconds=waits[-1] - 1)
        assert await bench.revoker.run_once(DEMOBANK) == 0
        bench.advance(seconds=1)
        assert await bench.revoker.run_once(DEMOBANK) == 1
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert len(bench.holders.revoked) == 1  # nobody knows what came of it, so it is not sent again blindly
    assert await _why(bench) == "revocation_pending"
    bench.holders.answers[CONSENT] = answer()
    bench.holders.said.append(lambda: _revokes(bench))
    bench.advance(seconds=900)
    await bench.revoker.run_once(DEMOBANK)
    assert len(bench.holders.revoked) == 2
    assert await bench.status() == ("Revoked", False)


async def test_one_that_was_carried_out_though_the_answer_was_lost_is_not_sent_again(
    bench: Bench, tracking_id: TrackingId
) -> None:
    def carries_out_and_falls_silent() -> None:
        _revokes(bench)
        raise ConsentApiUnavailableError

    bench.holders.said.append(carries_out_and_falls_silent)
    await _press(bench, tracking_id)
    assert await bench.status() == ("Authorized", False)
    bench.advance(seconds=5)
    assert await bench.revoker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("Revoked", False)
    assert len(bench.holders.revoked) == 1


async def test_retry_after_is_kept_for_the_provider_and_for_the_request(bench: Bench, tracking_id: TrackingId) -> None:
    bench.holders.said.append(ConsentApiUnavailableError(retry_after_seconds=120))
    await _press(bench, tracking_id)
    assert await bench.asker.run_once(DEMOBANK) == 0
    bench.advance(seconds=119)
    assert await bench.revoker.run_once(DEMOBANK) == 0
    bench.advance(seconds=1)
    assert await bench.revoker.run_once(DEMOBANK) == 1


async def test_credentials_that_are_refused_are_tried_again(bench: Bench, tracking_id: TrackingId) -> None:
    bench.holders.said.append(ConsentApiRefusedError())
    await _press(bench, tracking_id)
    revocation = await _revocation(bench)
    assert (revocation.state, revocation.last_error) == (RevocationState.PENDING, "holder_refused")
    bench.advance(seconds=5)
    bench.holders.said.append(lambda: _revokes(bench))
    await bench.revoker.run_once(DEMOBANK)
    assert await bench.status() == ("Revoked", False)


@pytest.mark.parametrize("error", [ConsentNotStagedError(), ConsentApiContractError()])
async def test_whatever_else_the_holder_answers_it_is_asked_and_believed(
    bench: Bench, tracking_id: TrackingId, error: ConsentNotStagedError
) -> None:
    bench.holders.said.append(error)
    await _press(bench, tracking_id)
    assert (await _last(bench))["reason"] == error.code
    assert await _why(bench) == "revocation_pending"


async def test_a_holder_whose_reads_lag_is_asked_again_until_the_settling_time_is_over(
    bench: Bench, tracking_id: TrackingId
) -> None:
    await _press(bench, tracking_id)
    waits, since = [], bench.clock.now()
    for _ in range(3):
        revocation = await _revocation(bench)
        assert revocation.state is RevocationState.PENDING
        assert revocation.due_at is not None
        waits.append((revocation.due_at - since).total_seconds())
        bench.clock.set(revocation.due_at)
        await bench.revoker.run_once(DEMOBANK)
    assert waits == [5, 30, 310]
    assert len(bench.holders.revoked) == 1
    assert (await _last(bench))["reason"] == "not_revoked"  # the old way of refusing: 204, and nothing done
    assert await _why(bench) == "revocation_pending"


async def test_a_refusal_of_a_repeat_waits_for_a_read_that_may_lag(bench: Bench, tracking_id: TrackingId) -> None:
    """The first sending was carried out, its answer was lost, the holder's reads lag, and the second one is refused."""
    bench.holders.said.extend([ConsentApiUnavailableError(), RevocationRefusedError("Consent.BusinessRuleViolation")])
    await _press(bench, tracking_id)
    bench.advance(seconds=5)
    await bench.revoker.run_once(DEMOBANK)
    assert (await _revocation(bench)).state is RevocationState.PENDING
    _revokes(bench)
    bench.advance(seconds=5)
    await bench.revoker.run_once(DEMOBANK)
    assert await bench.status() == ("Revoked", False)
    assert "revocation_failed" not in [t[0] for t in await bench.told()]


async def test_whoever_dies_after_it_was_counted_leaves_a_question_and_no_second_sending(
    bench: Bench, tracking_id: TrackingId
) -> None:
    """Killed between the sending and its record: nobody knows whether it arrived."""
    await bench.revoker.request(tracking_id, BY)
    attempt = await bench.store.transact(partial(claim_one, bench.office, tracking_id))
    assert attempt is not None
    await bench.store.transact(partial(count, bench.office, attempt))
    await bench.holders.revoke_consent(attempt.provider, None, attempt.consent.consent_id, BY, "i")  # type: ignore[arg-type]
    _revokes(bench)
    assert await bench.revoker.run_once(DEMOBANK) == 0  # it is leased
    bench.advance(seconds=61)
    assert await bench.revoker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("Revoked", False)
    assert len(bench.holders.revoked) == 1


async def test_a_sleeper_whose_lease_was_taken_over_changes_nothing(bench: Bench, tracking_id: TrackingId) -> None:
    await bench.revoker.request(tracking_id, BY)
    sleeper = await bench.store.transact(partial(claim_one, bench.office, tracking_id))
    assert sleeper is not None
    bench.advance(seconds=61)
    bench.holders.said.append(RevocationRefusedError("Consent.BusinessRuleViolation"))
    await bench.revoker.run_once(DEMOBANK)
    assert await bench.store.transact(partial(count, bench.office, sleeper)) is None
    assert len(bench.holders.revoked) == 1


async def test_it_cannot_be_withdrawn_while_it_is_sent_and_is_in_doubt_if_it_may_have_arrived(
    bench: Bench, tracking_id: TrackingId
) -> None:
    await bench.revoker.request(tracking_id, BY)
    attempt = await bench.store.transact(partial(claim_one, bench.office, tracking_id))
    assert attempt is not None
    await bench.store.transact(partial(count, bench.office, attempt))
    with pytest.raises(RevocationPendingError):
        await bench.revoker.withdraw(tracking_id)
    bench.advance(seconds=61)
    await bench.revoker.withdraw(tracking_id)
    assert await _why(bench) == "in_doubt"
    assert (await _last(bench))["usable"] is False
    assert await bench.asker.run_once(DEMOBANK) == 1  # the holder is asked at once
    assert await bench.status() == ("Authorized", True)
    assert (await bench.told())[-1] == ("status_confirmed", "Authorized", "Authorized", True)
    assert await bench.revoker.run_once(DEMOBANK) == 0


async def test_it_goes_before_all_questions_and_counts_as_they_do(bench: Bench, tracking_id: TrackingId) -> None:
    for n in range(20):
        await bench.register(f"c{n}")
    assert await bench.asker.run_once(DEMOBANK) == 5
    bench.holders.said.append(lambda: _revokes(bench))
    await bench.revoker.request(tracking_id, BY)
    pressed = asyncio.create_task(bench.revoker.carry_out(tracking_id))
    while not (await _revocation(bench)).leased_until:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert bench.holders.revoked == []  # the second's budget is spent
    bench.clock.advance(1)
    assert await bench.asker.run_once(DEMOBANK) == 4  # one is left for the revocation
    async with asyncio.timeout(5):
        while not bench.holders.revoked:
            await asyncio.sleep(0.01)
    bench.clock.advance(1)
    await asyncio.wait_for(pressed, 5)
    assert await bench.status() == ("Revoked", False)


async def test_the_version_rises_with_what_a_reader_can_see(bench: Bench, tracking_id: TrackingId) -> None:
    await bench.revoker.request(tracking_id, BY)
    before = await bench.consent()
    assert await bench.store.transact(partial(claim_one, bench.office, tracking_id)) is not None
    assert (await bench.consent()).version == before.version  # who is at it, nobody sees
    bench.advance(seconds=61)
    bench.holders.said.append(ConsentApiUnavailableError())
    await bench.revoker.run_once(DEMOBANK)
    assert (await bench.consent()).version > before.version


async def test_a_request_that_waits_for_long_is_still_open_when_the_clock_ends_the_consent(
    bench: Bench, tracking_id: TrackingId
) -> None:
    bench.holders.said.append(ConsentApiUnavailableError())
    await _press(bench, tracking_id)
    expiry = datetime.fromisoformat("2026-09-01T00:00:00+04:00")
    bench.clock.set(expiry + timedelta(seconds=1))
    await bench.expiry.run_once()
    assert (await _revocation(bench)).state is RevocationState.PENDING
    bench.holders.answers[CONSENT] = answer("Expired", expiry.isoformat())
    await bench.revoker.run_once(DEMOBANK)
    assert (await _revocation(bench)).state is RevocationState.ENDED
    assert await bench.status() == ("Expired", False)
    assert len(bench.holders.revoked) == 1


async def test_a_request_does_not_wait_for_the_time_that_a_clock_was_ahead(
    bench: Bench, tracking_id: TrackingId
) -> None:
    true_time = bench.clock.now()
    bench.advance(hours=5)
    bench.holders.said.append(ConsentApiUnavailableError())
    bench.holders.answers[CONSENT] = answer("Authorized", "2026-03-02T15:13:19+04:00")
    await _press(bench, tracking_id)
    bench.clock.set(true_time)
    bench.advance(seconds=10)
    bench.holders.said.append(lambda: _revokes(bench))
    assert await bench.revoker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("Revoked", False)


async def test_one_who_died_while_the_clock_was_ahead_holds_nobody_up(bench: Bench, tracking_id: TrackingId) -> None:
    true_time = bench.clock.now()
    bench.advance(hours=5)
    await bench.revoker.request(tracking_id, BY)
    assert await bench.store.transact(partial(claim_one, bench.office, tracking_id)) is not None
    bench.clock.set(true_time)
    bench.holders.said.append(lambda: _revokes(bench))
    assert await bench.revoker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("Revoked", False)


async def test_the_journal_tells_each_press_that_has_it_sent_again(bench: Bench, tracking_id: TrackingId) -> None:
    bench.holders.said.extend(RevocationRefusedError("Consent.BusinessRuleViolation") for _ in range(2))
    await _press(bench, tracking_id)
    bench.advance(seconds=1)
    await _press(bench, tracking_id, "TPP")
    assert len(bench.holders.revoked) == 2
    told = [(e.type.rpartition(".")[2], e.data["revoked_by"], e.data["usable"]) for e in (await bench.entries())[2:]]
    assert told == [("revocation_requested", BY, False), ("revocation_failed", BY, False)] * 2


async def test_what_the_holder_accepted_and_has_not_done_is_in_doubt_when_it_is_withdrawn(
    bench: Bench, tracking_id: TrackingId
) -> None:
    """It may do it yet: the holder is asked before it is used."""
    await _press(bench, tracking_id)
    bench.advance(seconds=310)
    await bench.revoker.run_once(DEMOBANK)
    assert (await _revocation(bench)).state is RevocationState.REFUSED
    _revokes(bench)
    await bench.revoker.withdraw(tracking_id)
    assert await _why(bench) == "in_doubt"
    assert await bench.asker.run_once(DEMOBANK) == 1
    assert await bench.status() == ("Revoked", False)


async def test_what_was_opened_again_after_its_request_had_ended_can_be_revoked_again(
    bench: Bench, tracking_id: TrackingId
) -> None:
    """Some ecosystems let a holder take an end back."""

    def ended(transaction: Transaction) -> None:
        held = transaction.lock_tracked([tracking_id])
        over = Revocation(revoked_by=BY, requested_at=bench.clock.now()).ended()
        recording = Recording(transaction, bench.office, held.values())
        recording.change(changed(held[tracking_id], overlay=Overlay(revocation=over)))
        recording.finish()

    await bench.store.transact(ended)
    bench.advance(days=1)
    bench.holders.said.append(lambda: _revokes(bench))
    await _press(bench, tracking_id)
    assert await bench.status() == ("Revoked", False)
    assert len(bench.holders.revoked) == 1
