"""Registration, and what the back office reads."""

import asyncio
from datetime import timedelta

import pytest

from tests.usecases.bench import CONSENT, DEMOBANK, NOW, OTHERBANK, UAE, Bench, data, event, message
from tracker.domain.errors import ConsentConflictError, ConsentNotFoundError, InvalidRequestError, ProviderNotFoundError
from tracker.ports import ConsentQuery
from tracker.usecases.consult import UsableReason
from tracker.usecases.register import Registration


async def test_a_consent_is_registered_once(bench: Bench) -> None:
    first, is_new = await bench.registrar.register(
        Registration(provider=DEMOBANK, kind="account-access", consent_id=CONSENT, user_ref="u", permissions=("A",))
    )
    again, is_new_again = await bench.registrar.register(
        Registration(provider=DEMOBANK, kind="account-access", consent_id=CONSENT)
    )
    assert (is_new, is_new_again) == (True, False)
    assert first.tracking_id == again.tracking_id
    (entry,) = await bench.entries()
    assert entry.type == "consent.registered"
    assert entry.private == {"user_ref": "u"}
    assert "u" not in entry.leaf_bytes.decode().split('"')


async def test_many_registrations_of_one_consent_at_once_race_to_one(bench: Bench) -> None:
    results = await asyncio.gather(
        *(
            bench.registrar.register(Registration(provider=DEMOBANK, kind="payment", consent_id=CONSENT))
            for _ in range(20)
        )
    )
    assert sum(is_new for _, is_new in results) == 1
    assert len({consent.tracking_id for consent, _ in results}) == 1
    assert len(await bench.entries()) == 1


@pytest.mark.parametrize("facts", [{"kind": "payment"}, {"user_ref": "another"}, {"base_consent_id": "another"}])
async def test_what_is_registered_as_something_else_is_a_conflict(bench: Bench, facts: dict[str, str]) -> None:
    await bench.register(user_ref="u", base_consent_id="root")
    with pytest.raises(ConsentConflictError):
        await bench.register(**facts)


async def test_what_cannot_be_is_refused(bench: Bench) -> None:
    with pytest.raises(ProviderNotFoundError):
        await bench.register(provider="nobody")
    with pytest.raises(InvalidRequestError):
        await bench.register(kind="mortgage")
    for wrong in ("", ".", "..", "a b", "a\x00b", "é", "x" * 129):
        with pytest.raises(InvalidRequestError):
            await bench.register(wrong)
    for right in ("a/b", "urn:x:1", "../../par", "a?b#c", "x" * 128):
        await bench.register(right)
        assert (await bench.consulting.get(DEMOBANK, right)).consent.consent_id == right


async def test_a_past_expiry_is_taken_and_asked_about(bench: Bench) -> None:
    consent = await bench.register(expiration_date_time=NOW - timedelta(days=1))
    assert await bench.status() == ("NotStaged", False)
    assert await bench.store.next_ask_at(consent.tracking_id) == NOW


async def test_registration_and_its_event_race_in_every_order(bench: Bench) -> None:
    """Neither misses the other, whichever commits first."""
    for n in range(30):
        consent_id = f"race-{n}"
        body = event(None, message={"Meta": {"EventDateTime": "2026-03-02T15:13:20+04:00", "EventType": "Resource.Updated",
            "EventResource": "/x", "ConsentId": consent_id}, "Data": data(ConsentId=consent_id)})  # fmt: skip
        await bench.receiver.receive(UAE, body, "x")
        deeds = [bench.register(consent_id), bench.opening.run_once()]
        await asyncio.gather(*(deeds if n % 2 else reversed(deeds)))
        assert await bench.status(consent_id) == ("Authorized", True)
    assert bench.rows("SELECT count(*) FROM report WHERE tracking_id IS NULL") == [(0,)]


async def test_usable_gives_the_first_reason_that_applies(bench: Bench) -> None:
    async def reason(consent_id: str = CONSENT, **asked: object) -> tuple[bool, str]:
        wanted = {"permission": None, "max_age_seconds": None, **asked}
        found = await bench.consulting.usable(DEMOBANK, consent_id, **wanted)  # type: ignore[arg-type]
        return found.usable, found.reason.value

    assert await reason() == (False, UsableReason.UNKNOWN_CONSENT)
    assert await reason("\x00") == (False, UsableReason.UNKNOWN_CONSENT)
    await bench.register()
    assert await reason() == (False, UsableReason.NOT_STAGED)
    await bench.deliver(event(data("AwaitingAuthorization")))
    assert await reason() == (False, UsableReason.AWAITING_AUTHORIZATION)
    expiry = (NOW + timedelta(hours=1)).isoformat()
    await bench.register("short")
    for status, expected in (("Authorized", "ok"), ("Suspended", "suspended"), ("Authorized", "ok")):
        bench.advance(seconds=60)
        await bench.deliver(event(data(status, bench.clock.now().isoformat())))
        assert await reason() == (expected == "ok", expected)
    assert await reason(permission="ReadBalances") == (True, "ok")
    assert await reason(permission="ReadStatements") == (False, "permission_missing")
    bench.advance(seconds=61)
    assert await reason(max_age_seconds=60.0) == (False, "knowledge_too_old")
    assert await reason(max_age_seconds=3600.0) == (True, "ok")
    assert await reason(permission="ReadStatements", max_age_seconds=60.0) == (False, "permission_missing")
    short = data(ConsentId="short", ExpirationDateTime=expiry)
    await bench.deliver(event(None, message=message(short, ConsentId="short")))
    assert await reason("short") == (True, "ok")
    bench.advance(hours=1)
    assert await reason("short") == (False, "expired_unconfirmed")
    late = bench.clock.now().isoformat()
    await bench.deliver(event(data("Authorized", late, ExpirationDateTime="2027-01-01T00:00:00Z"), exp=1772490000))
    assert await reason() == (False, "in_doubt")
    await bench.deliver(event(data("Revoked", late), exp=1772490000))
    assert await reason() == (False, "revoked")


async def test_the_past_is_told_as_we_know_it_today(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data("Authorized", "2026-03-02T15:00:00+04:00")))
    await bench.deliver(event(data("Revoked", "2026-03-02T15:10:00+04:00")))
    seen = await bench.consulting.get(DEMOBANK, CONSENT)
    for minute, expected in ((-1, "NotStaged"), (0, "Authorized"), (9, "Authorized"), (10, "Revoked")):
        at = NOW - timedelta(minutes=20) + timedelta(minutes=minute)
        then = await bench.consulting.as_of(seen, at)
        assert then.effective_status.value == expected, minute


async def test_search(bench: Bench) -> None:
    for n in range(5):
        await bench.register(f"c{n}", user_ref=f"u{n % 2}")
    await bench.register(provider=OTHERBANK)
    await bench.deliver(event(data(), key="other hub", kid="other-sig2", iss="https://auth1.otherbank.example"))

    async def found(**query: object) -> list[str]:
        return [seen.consent.consent_id for seen in await bench.consulting.search(ConsentQuery(**query))]  # type: ignore[arg-type]

    assert await found() == ["c0", "c1", "c2", "c3", "c4", CONSENT]
    assert await found(user_ref="u1") == ["c1", "c3"]
    assert await found(provider=OTHERBANK) == [CONSENT]
    assert await found(status="Authorized") == [CONSENT]
    assert await found(kind="payment") == []
    after = (await bench.consent("c1")).tracking_id
    assert await found(after=after, limit=2) == ["c2", "c3"]
    from tracker.domain.consent import Status

    assert await found(effective_status=Status.AUTHORIZED) == [CONSENT]
    bench.advance(days=400)
    assert await found(effective_status=Status.AUTHORIZED) == []
    assert await found(effective_status=Status.EXPIRED) == [CONSENT]
    with pytest.raises(ConsentNotFoundError):
        await bench.consulting.get(DEMOBANK, CONSENT)
