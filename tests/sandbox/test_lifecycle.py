"""The hub's state machine, its time limits and how it misses them."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tracker.sandbox import (
    ConsentExistsError,
    EventFault,
    ExpiryPolicy,
    Hub,
    IllegalMoveError,
    Outcome,
    SandboxError,
    Terms,
    UnknownClientError,
    UnknownConsentError,
    UnusableInputError,
    running_hub,
)
from tracker.sandbox.clock import utc_now

KINDS = ("account-access", "payment", "insurance")
STATUSES = ("AwaitingAuthorization", "Authorized", "Suspended", "Rejected", "Consumed", "Expired", "Revoked")

LEGAL = {
    ("AwaitingAuthorization", "Authorized"),
    ("AwaitingAuthorization", "Rejected"),
    ("AwaitingAuthorization", "Revoked"),
    ("AwaitingAuthorization", "Expired"),
    ("Authorized", "Suspended"),
    ("Authorized", "Consumed"),
    ("Authorized", "Revoked"),
    ("Suspended", "Authorized"),
    ("Suspended", "Revoked"),
}
"""Before the expiry; from the instant of expiry on, Authorized and Suspended can also become Expired."""

WAYS = {
    "AwaitingAuthorization": (),
    "Authorized": ("Authorized",),
    "Suspended": ("Authorized", "Suspended"),
    "Rejected": ("Rejected",),
    "Consumed": ("Authorized", "Consumed"),
    "Expired": ("Expired",),
    "Revoked": ("Revoked",),
}


def brought_to(hub, kind, status, **terms):
    consent = hub.stage(kind, terms=Terms(**terms))
    for step in WAYS[status]:
        hub.move(consent.consent_id, step, send=False)
    return consent


@pytest.mark.parametrize("after", STATUSES)
@pytest.mark.parametrize(
    ("kind", "before"),
    [(kind, before) for kind in KINDS for before in STATUSES if kind == "payment" or before != "Consumed"],
)
async def test_only_legal_moves_are_made(tpp, hub, kind, before, after):
    consent = brought_to(hub, kind, before)
    legal = (before, after) in LEGAL and (kind == "payment" or after != "Consumed")

    if legal:
        hub.move(consent.consent_id, after, send=False)
        assert consent.status == after
    else:
        with pytest.raises(IllegalMoveError, match=f"is {before};|not before"):
            hub.move(consent.consent_id, after, send=False)
        assert consent.status == before


async def test_illegal_move_is_made_when_forced(tpp, hub):
    consent = brought_to(hub, "account-access", "Revoked")

    event = hub.move(consent.consent_id, "Frozen", force=True)
    await hub.settle()

    assert tpp.statuses() == ["Frozen"]
    assert event.outcome is Outcome.DELIVERED
    assert await tpp.status("account-access", consent.consent_id) == "Frozen"
    assert [change.status for change in consent.history] == ["AwaitingAuthorization", "Revoked", "Frozen"]


async def test_revoker_is_told_and_checked(tpp, hub):
    for revoked_by in ("LFI", "TPP", "LFI.InitiatedByUser", "TPP.InitiatedByUser", None):
        consent = hub.stage("account-access")
        hub.revoke(consent.consent_id, revoked_by)
        response, _ = await tpp.get("account-access", consent.consent_id)
        assert (await response.json())["Data"].get("RevokedBy") == revoked_by
    consent = hub.stage("account-access")
    with pytest.raises(UnusableInputError, match="none of"):
        hub.revoke(consent.consent_id, "Somebody")
    with pytest.raises(UnusableInputError, match="only a revoked"):
        hub.move(consent.consent_id, "Rejected", revoked_by="LFI")


async def test_shorthands_move_and_tell(tpp, hub, clock):
    hub.stage("payment", "c-1", terms=Terms(expiration=timedelta(days=1)))
    hub.stage("account-access", "c-2", terms=Terms(expiration=timedelta(hours=1), expiry=ExpiryPolicy(None)))
    hub.authorize("c-1")
    hub.suspend("c-1")
    hub.restore("c-1")
    hub.consume("c-1")
    clock.advance(hours=2)
    hub.expire("c-2")
    hub.stage("insurance", "c-3")
    hub.reject("c-3")
    await hub.settle()

    assert sorted(tpp.statuses()) == sorted(
        ["Authorized", "Suspended", "Authorized", "Consumed", "Expired", "Rejected"]
    )


async def test_moves_are_dated_by_the_clock_in_whole_seconds(tpp, hub, clock):
    consent = hub.stage("account-access")
    clock.advance(seconds=1.4)
    hub.authorize(consent.consent_id)

    assert consent.creation_date_time == datetime.fromisoformat("2026-03-02T10:15:00+04:00")
    assert consent.status_update_date_time == datetime.fromisoformat("2026-03-02T10:15:02+04:00")


async def test_move_can_be_backdated_but_not_before_the_last(tpp, hub, clock):
    consent = hub.stage("account-access")
    clock.advance(hours=1)
    hub.move(consent.consent_id, "Authorized", at=clock.now - timedelta(minutes=30))
    assert hub.clock.text(consent.status_update_date_time) == "2026-03-02T10:45:00+04:00"

    with pytest.raises(IllegalMoveError, match="has been Authorized since"):
        hub.move(consent.consent_id, "Suspended", at=clock.now - timedelta(minutes=31))
    with pytest.raises(UnusableInputError, match="no offset"):
        hub.move(consent.consent_id, "Suspended", at=datetime(2026, 3, 2, 12))  # noqa: DTZ001


async def test_staging_refuses_what_a_hub_would_refuse(tpp, hub, clock):
    hub.stage("account-access", "c-1")

    with pytest.raises(ConsentExistsError):
        hub.stage("insurance", "c-1")
    for consent_id in ("", "x" * 129):
        with pytest.raises(UnusableInputError, match="1 to 128"):
            hub.consents.stage("account-access", consent_id, hub.clients.require(None), Terms())
    for expiration in (clock.now, clock.now - timedelta(days=1), timedelta(days=367)):
        with pytest.raises(UnusableInputError, match="within a year"):
            hub.stage("account-access", terms=Terms(expiration=expiration))
    with pytest.raises(UnusableInputError, match="only payment"):
        hub.stage("insurance", terms=Terms(authorization_expiration=timedelta(hours=1)))
    with pytest.raises(UnusableInputError, match="itself writes Status"):
        hub.stage("insurance", terms=Terms(data={"Status": "Authorized"}))
    with pytest.raises(UnusableInputError, match="itself writes ConsentId"):
        hub.update("c-1", {"ConsentId": "c-2"})
    with pytest.raises(ValueError, match="savings"):
        hub.stage("savings")


async def test_unknown_names_are_told(tpp, other_tpp, hub):
    with pytest.raises(UnknownConsentError, match="'c-9'"):
        hub.authorize("c-9")
    with pytest.raises(UnknownClientError, match="2 are registered"):
        hub.stage("account-access")
    with pytest.raises(UnknownClientError, match="'somebody'"):
        hub.stage("account-access", client_id="somebody")


async def test_terms_are_copied(tpp, hub):
    data = {"AccountType": ["Retail"]}
    consent = hub.stage("account-access", terms=Terms(data=data))
    data["AccountType"].append("SME")

    assert consent.data["AccountType"] == ["Retail"]


async def test_hub_without_address_moves_nothing(options):
    hub = Hub("demobank", options)
    with pytest.raises(SandboxError, match="start it first"):
        _ = hub.issuer


async def test_punctual_flip_when_read(tpp, hub, clock):
    consent = hub.stage("account-access", "c-1", terms=Terms(expiration=timedelta(hours=1)))
    hub.move("c-1", "Authorized", send=False)

    clock.advance(hours=1, seconds=-0.8)
    assert await tpp.status("account-access", "c-1") == "Authorized"
    clock.advance(seconds=0.1)
    assert await tpp.status("account-access", "c-1") == "Expired"
    await hub.settle()

    assert consent.status_update_date_time == consent.expiration_date_time
    assert tpp.statuses() == ["Expired"]


@pytest.mark.parametrize("status", ["AwaitingAuthorization", "Authorized", "Suspended"])
async def test_punctual_flip_by_timer(tpp, hub, clock, status):
    consent = brought_to(hub, "insurance", status, expiration=timedelta(hours=1))
    other = brought_to(hub, "insurance", "Revoked", expiration=timedelta(hours=1))

    clock.advance(minutes=59)
    assert hub.tick() == []
    clock.advance(minutes=1)
    assert hub.tick() == [consent]
    assert hub.tick() == []
    await hub.settle()

    assert (consent.status, other.status, tpp.statuses()) == ("Expired", "Revoked", ["Expired"])


async def test_late_flip_keeps_telling_the_old_status(tpp, hub, clock):
    policy = ExpiryPolicy(late_seconds=90, send_event=False)
    consent = hub.stage("account-access", "c-1", terms=Terms(expiration=timedelta(hours=1), expiry=policy))
    hub.move("c-1", "Authorized", send=False)

    clock.advance(hours=1, seconds=89)
    hub.tick()
    assert await tpp.status("account-access", "c-1") == "Authorized"
    hub.notify("c-1")
    with pytest.raises(IllegalMoveError, match="expired at"):
        hub.suspend("c-1")
    clock.advance(seconds=1)
    assert hub.tick() == [consent]
    assert await tpp.status("account-access", "c-1") == "Expired"
    await hub.settle()

    assert consent.status_update_date_time - consent.expiration_date_time == timedelta(seconds=90)
    assert tpp.statuses() == ["Authorized"]


async def test_hub_that_never_flips_can_be_moved_by_hand(tpp, hub, clock):
    hub.consents.set_expiry(ExpiryPolicy(late_seconds=None))
    hub.stage("account-access", "c-1", terms=Terms(expiration=timedelta(hours=1)))
    hub.move("c-1", "Authorized", send=False)

    with pytest.raises(IllegalMoveError, match="not before"):
        hub.expire("c-1")
    clock.advance(days=1)
    assert hub.tick() == []
    assert await tpp.status("account-access", "c-1") == "Authorized"
    hub.expire("c-1")
    assert await tpp.status("account-access", "c-1") == "Expired"


async def test_changed_policy_holds_for_staged_consents(tpp, hub, clock):
    hub.stage("account-access", "c-1", terms=Terms(expiration=timedelta(hours=1)))
    hub.stage("account-access", "c-2", terms=Terms(expiration=timedelta(hours=1), expiry=ExpiryPolicy()))
    hub.consents.set_expiry(ExpiryPolicy(late_seconds=600))

    clock.advance(hours=1)
    assert [consent.consent_id for consent in hub.tick()] == ["c-2"]
    clock.advance(minutes=10)
    assert [consent.consent_id for consent in hub.tick()] == ["c-1"]


async def test_lapsed_authorization_window_rejects(tpp, hub, clock):
    terms = Terms(expiration=timedelta(days=1), authorization_expiration=timedelta(hours=1))
    hub.stage("payment", "c-1", terms=terms)
    hub.stage("payment", "c-2", terms=terms)
    hub.move("c-2", "Authorized", send=False)

    clock.advance(hours=1)
    hub.tick()
    assert await tpp.status("payment", "c-1") == "Rejected"
    assert await tpp.status("payment", "c-2") == "Authorized"
    clock.advance(days=1)
    assert [consent.consent_id for consent in hub.tick()] == ["c-2"]


async def test_planned_fault_can_lose_the_expiry_event(tpp, hub, clock):
    hub.stage("account-access", "c-1", terms=Terms(expiration=timedelta(hours=1)))
    hub.faults.plan_event(EventFault(drop=True), "c-1")
    clock.advance(hours=1)
    hub.tick()
    await hub.settle()

    assert tpp.webhook.received == []
    (event,) = hub.recorder.events_about("c-1")
    assert (event.outcome, event.message.body["Data"]["Status"]) == (Outcome.DROPPED, "Expired")


async def test_running_hub_flips_by_itself(options, webhook, registration):
    async with running_hub(Hub("demobank", replace(options, now=utc_now, microseconds=True))) as hub:
        hub.register_client(**registration)
        consent = hub.stage("account-access", terms=Terms(expiration=timedelta(milliseconds=1)))
        await webhook.knocked.wait()

    assert consent.status == "Expired"
