"""An entry says `usable` as of when it is recorded, though nobody has let the clock speak since the expiry."""

from datetime import datetime, timedelta

from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event, message
from tests.usecases.chain import renew
from tests.usecases.test_ask import answer

EXPIRY = datetime.fromisoformat("2026-03-02T11:25:00+00:00")
SOON = EXPIRY.isoformat()


async def _authorized(bench: Bench, **facts: str) -> None:
    await bench.register(**facts)
    await bench.deliver(event(data(ExpirationDateTime=SOON)))
    assert await bench.status() == ("Authorized", True)


async def _last(bench: Bench, kind: str) -> None:
    """The last entry is of this kind, nothing since the expiry says usable, and the expiry is told before it."""
    entries = await bench.entries()
    assert entries[-1].type == kind
    since = [(entry.type, entry.data["usable"]) for entry in entries if entry.recorded_at >= EXPIRY]
    assert [kind for kind, _ in since][:2] == ["consent.expiry_inferred", "consent.status_changed"]
    assert not any(usable for _, usable in since)


async def test_of_a_payment(bench: Bench) -> None:
    await _authorized(bench, kind="payment")
    bench.clock.set(EXPIRY)
    at = "2026-03-02T15:13:25+04:00"
    paid = {"PaymentId": "PMT-1", "ConsentId": CONSENT, "Status": "Pending", "StatusUpdateDateTime": at}
    await bench.deliver(event(None, message=message(paid)))
    await _last(bench, "payment.status_changed")


async def test_of_a_missed_move(bench: Bench) -> None:
    await bench.register()
    bench.advance(seconds=1)
    at = bench.clock.now().isoformat()
    bench.holders.answers[CONSENT] = answer("Authorized", at, ExpirationDateTime=SOON)
    await bench.asker.run_once(DEMOBANK)
    await bench.watch.run_once()
    bench.clock.set(EXPIRY + timedelta(seconds=2))
    await bench.watch.run_once()
    await _last(bench, "consent.drift_found")


async def test_of_a_notice(bench: Bench) -> None:
    """A step towards the attestation comes due while nothing looked after expiries."""
    await _authorized(bench)
    bench.clock.set(EXPIRY + timedelta(days=43))
    await bench.notices.run_once()
    await _last(bench, "consent.expiring")


async def test_of_a_notice_in_a_chain(bench: Bench) -> None:
    await _authorized(bench)
    await renew(bench)
    bench.clock.set(EXPIRY + timedelta(days=43))
    await bench.notices.run_once()
    ours = [entry for entry in await bench.entries() if entry.data["consent_id"] == CONSENT]
    assert [entry.data["usable"] for entry in ours if entry.recorded_at >= EXPIRY] == [False, False, False]
    assert ours[-1].type == "consent.expiring"
