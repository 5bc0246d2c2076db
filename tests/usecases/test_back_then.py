"""What a consent was at an earlier instant: what we had put over its holder's word then counts, and nothing since."""

from datetime import datetime, timedelta

from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event
from tests.usecases.test_ask import answer
from tracker.domain.errors import RevocationRefusedError
from tracker.domain.overlay import RevocationState

BY = "TPP.InitiatedByUser"
SECOND = timedelta(seconds=1)


async def _then(bench: Bench, instant: datetime) -> tuple[str, bool, bool, RevocationState | None]:
    seen = await bench.consulting.as_of(await bench.consulting.get(DEMOBANK, CONSENT), instant)
    revocation = seen.consent.overlay.revocation
    state = None if revocation is None else revocation.state
    return seen.effective_status.value, seen.usable, seen.consent.overlay.paused, state


async def test_a_pause_counts_while_it_lasted(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    tracking_id = (await bench.consent()).tracking_id
    began = bench.clock.now()
    bench.advance(minutes=1)
    await bench.pausing.pause(tracking_id)
    assert await _then(bench, began + 59 * SECOND) == ("Authorized", True, False, None)
    bench.advance(minutes=1)
    await bench.pausing.resume(tracking_id)
    bench.advance(minutes=1)
    assert await _then(bench, began + 59 * SECOND) == ("Authorized", True, False, None)
    assert await _then(bench, began + 60 * SECOND) == ("Authorized", False, True, None)
    assert await _then(bench, began + 119 * SECOND) == ("Authorized", False, True, None)
    assert await _then(bench, began + 120 * SECOND) == ("Authorized", True, False, None)


async def test_a_request_to_revoke_counts_from_its_instant_until_it_was_withdrawn_or_carried_out(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    bench.holders.answers[CONSENT] = answer()
    tracking_id = (await bench.consent()).tracking_id
    began = bench.clock.now()
    bench.advance(minutes=1)
    bench.holders.said.append(RevocationRefusedError("Consent.BusinessRuleViolation"))
    await bench.revoker.request(tracking_id, BY)
    bench.advance(minutes=1)
    await bench.revoker.carry_out(tracking_id)
    bench.advance(minutes=1)
    await bench.revoker.withdraw(tracking_id)
    bench.advance(minutes=1)
    await bench.revoker.request(tracking_id, BY)
    bench.advance(minutes=1)
    at = bench.clock.now().isoformat()
    bench.holders.said.append(lambda: bench.holders.answers.update({CONSENT: answer("Revoked", at, RevokedBy=BY)}))
    await bench.revoker.carry_out(tracking_id)
    bench.advance(minutes=1)
    assert await bench.status() == ("Revoked", False)
    assert [await _then(bench, began + timedelta(minutes=n)) for n in range(7)] == [
        ("Authorized", True, False, None),
        ("Authorized", False, False, RevocationState.PENDING),
        ("Authorized", False, False, RevocationState.REFUSED),
        ("Authorized", True, False, None),
        ("Authorized", False, False, RevocationState.PENDING),
        ("Revoked", False, False, RevocationState.ENDED),
        ("Revoked", False, False, RevocationState.ENDED),
    ]
