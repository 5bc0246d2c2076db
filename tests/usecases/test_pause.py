"""Pausing and resuming: ours alone, on what is in use, until the consent ends."""

import pytest

from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event
from tests.usecases.test_ask import answer
from tracker.domain.consent import TrackingId
from tracker.domain.errors import (
    ConsentApiUnavailableError,
    ConsentNotFoundError,
    NotPausableError,
    RevocationPendingError,
)

SINGLE = {"ControlParameters": {"ConsentSchedule": {"SinglePayment": {"Type": "SingleInstantPayment"}}}}
MANY = {"ControlParameters": {"ConsentSchedule": {"MultiPayment": {"PeriodicSchedule": {}}}}}


async def _known(
    bench: Bench, status: str = "Authorized", *, kind: str = "account-access", **facts: object
) -> TrackingId:
    await bench.register(kind=kind)
    await bench.deliver(event(data(status, **facts)))
    return (await bench.consent()).tracking_id


async def _last(bench: Bench) -> tuple[str, str | None, bool]:
    entry = (await bench.entries())[-1]
    return entry.type, entry.leaf["data"]["channel"], entry.leaf["data"]["usable"]


async def test_a_paused_consent_is_not_usable_until_it_is_resumed(bench: Bench) -> None:
    tracking_id = await _known(bench)
    await bench.pausing.pause(tracking_id)
    assert await bench.status() == ("Authorized", False)
    assert await _last(bench) == ("consent.paused", "operator", False)
    await bench.pausing.resume(tracking_id)
    assert await bench.status() == ("Authorized", True)
    assert await _last(bench) == ("consent.resumed", "operator", True)


async def test_doing_it_twice_is_doing_it_once(bench: Bench) -> None:
    tracking_id = await _known(bench)
    for _ in range(3):
        await bench.pausing.pause(tracking_id)
    version = (await bench.consent()).version
    await bench.pausing.pause(tracking_id)
    assert (await bench.consent()).version == version
    for _ in range(3):
        await bench.pausing.resume(tracking_id)
    assert [kind for kind, *_ in await bench.told()][2:] == ["paused", "resumed"]


async def test_it_lasts_through_a_suspension(bench: Bench) -> None:
    tracking_id = await _known(bench)
    await bench.pausing.pause(tracking_id)
    await bench.deliver(event(data("Suspended", "2026-03-02T15:14:00+04:00")))
    await bench.deliver(event(data("Authorized", "2026-03-02T15:15:00+04:00")))
    assert await bench.status() == ("Authorized", False)
    assert (await bench.told())[-1] == ("status_changed", "Suspended", "Authorized", False)
    await bench.deliver(event(data("Suspended", "2026-03-02T15:16:00+04:00")))
    await bench.pausing.resume(tracking_id)  # also while it is suspended
    await bench.deliver(event(data("Authorized", "2026-03-02T15:17:00+04:00")))
    assert await bench.status() == ("Authorized", True)


@pytest.mark.parametrize("status", ["Expired", "Revoked"])
async def test_it_ends_with_the_consent(bench: Bench, status: str) -> None:
    tracking_id = await _known(bench)
    await bench.pausing.pause(tracking_id)
    await bench.deliver(event(data(status, "2026-03-02T15:14:00+04:00")))
    assert not (await bench.consent()).overlay.paused
    entries = len(await bench.entries())
    await bench.pausing.resume(tracking_id)  # there is nothing to resume, and that is what was wanted
    assert len(await bench.entries()) == entries


@pytest.mark.parametrize("status", ["AwaitingAuthorization", "Suspended", "Rejected", "Expired", "Revoked"])
async def test_only_what_is_authorized_can_be_paused(bench: Bench, status: str) -> None:
    tracking_id = await _known(bench, status)
    with pytest.raises(NotPausableError, match=status):
        await bench.pausing.pause(tracking_id)
    assert not (await bench.consent()).overlay.paused


async def test_what_nobody_has_heard_of_or_the_clock_has_ended_cannot_be_paused(bench: Bench) -> None:
    await bench.register()
    tracking_id = (await bench.consent()).tracking_id
    with pytest.raises(NotPausableError, match="NotStaged"):
        await bench.pausing.pause(tracking_id)
    await bench.deliver(event(data(ExpirationDateTime="2026-03-02T15:30:00+04:00")))
    bench.advance(minutes=20)
    with pytest.raises(NotPausableError, match="Expired"):
        await bench.pausing.pause(tracking_id)
    with pytest.raises(ConsentNotFoundError):
        await bench.pausing.pause(TrackingId("0198f1c2-0000-7000-8000-000000000000"))


@pytest.mark.parametrize(("terms", "may"), [(SINGLE, False), (MANY, True), ({}, True)])
async def test_a_single_payment_cannot_be_paused(bench: Bench, terms: dict[str, object], may: bool) -> None:
    tracking_id = await _known(bench, kind="payment", **terms)
    if may:
        await bench.pausing.pause(tracking_id)
        assert await bench.status() == ("Authorized", False)
        return
    with pytest.raises(NotPausableError, match="single payment"):
        await bench.pausing.pause(tracking_id)


async def test_what_is_being_revoked_can_be_neither_paused_nor_resumed(bench: Bench) -> None:
    tracking_id = await _known(bench)
    bench.holders.answers[CONSENT] = answer()
    await bench.pausing.pause(tracking_id)
    await bench.revoker.request(tracking_id, "TPP")
    await bench.pausing.pause(tracking_id)  # it is
    with pytest.raises(RevocationPendingError):
        await bench.pausing.resume(tracking_id)
    bench.holders.said.append(ConsentApiUnavailableError())
    await bench.revoker.withdraw(tracking_id)
    seen = await bench.consulting.usable(DEMOBANK, CONSENT, permission=None, max_age_seconds=None)
    assert seen.reason == "paused"  # the pause is as it was
    await bench.pausing.resume(tracking_id)
    assert await bench.status() == ("Authorized", True)


async def test_a_subscriber_who_applies_to_and_usable_stands_where_we_stand(bench: Bench) -> None:
    tracking_id = await _known(bench)
    bench.holders.answers[CONSENT] = answer()
    for deed in (
        bench.pausing.pause,
        bench.pausing.resume,
        lambda one: bench.revoker.request(one, "TPP"),
        bench.revoker.withdraw,
        bench.pausing.pause,
        lambda one: bench.revoker.request(one, "TPP"),
        bench.revoker.withdraw,
        bench.pausing.resume,
    ):
        await deed(tracking_id)
        _, _, to, usable = (await bench.told())[-1]
        assert (to, usable) == await bench.status()
