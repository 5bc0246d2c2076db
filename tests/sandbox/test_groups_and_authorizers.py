"""A whole chain revoked at once; payments that several people must authorize."""

import pytest

from tracker.sandbox import Decision, IllegalMoveError, Terms, UnknownConsentError, UnusableInputError


async def test_a_group_is_revoked_root_and_all_each_with_its_event(tpp, hub):
    hub.stage("account-access", "root")
    for name in ("second", "third", "ended"):
        hub.stage("account-access", name, terms=Terms(base_consent_id="root"))
    hub.stage("account-access", "other")
    hub.authorize("second")
    hub.reject("ended")
    await hub.settle()
    ended = hub.revoke_group("root", "LFI")
    assert sorted(consent.consent_id for consent in ended) == ["root", "second", "third"]
    assert {consent.revoked_by for consent in ended} == {"LFI"}
    await hub.settle()
    assert tpp.statuses()[2:] == ["Revoked"] * 3
    assert (hub.consent("other").status, hub.consent("ended").status) == ("AwaitingAuthorization", "Rejected")
    assert hub.revoke_group("root") == []
    with pytest.raises(UnknownConsentError):
        hub.revoke_group("nobody")


async def test_a_payment_waits_until_the_last_authorizer_has_approved(tpp, hub, clock):
    hub.stage("payment", "c-1", terms=Terms(authorizers=2))
    assert hub.decide("c-1", "A1", Decision.APPROVED) is None
    _, body = await tpp.get("payment", "c-1")
    said = tpp.verified(body.decode())["message"]
    assert said["Data"]["Status"] == "AwaitingAuthorization"
    people = said["Meta"]["MultipleAuthorizers"]
    assert people["TotalRequired"] == 2
    assert [one["AuthorizationStatus"] for one in people["Authorizations"]] == ["Approved", "Pending"]
    assert people["Authorizations"][0]["AuthorizationDate"] == "2026-03-02T10:15:00+04:00"
    clock.advance(seconds=5)
    assert hub.decide("c-1", "A2", Decision.APPROVED) is not None
    assert await tpp.status("payment", "c-1") == "Authorized"
    await hub.settle()
    assert tpp.statuses() == ["Authorized"]
    with pytest.raises(IllegalMoveError):
        hub.decide("c-1", "A2", Decision.APPROVED)


async def test_the_first_refusal_rejects_it(tpp, hub):
    hub.stage("payment", "c-1", terms=Terms(authorizers=3))
    hub.decide("c-1", "A2", Decision.REJECTED)
    assert await tpp.status("payment", "c-1") == "Rejected"


async def test_nobody_decides_twice_and_only_authorizers_do(tpp, hub):
    hub.stage("payment", "c-1", terms=Terms(authorizers=2))
    hub.stage("payment", "c-2")
    hub.decide("c-1", "A1", Decision.APPROVED)
    with pytest.raises(IllegalMoveError):
        hub.decide("c-1", "A1", Decision.REJECTED)
    for consent_id, who, what in (("c-1", "A9", "Approved"), ("c-1", "A2", "Pending"), ("c-2", "A1", "Approved")):
        with pytest.raises(UnusableInputError):
            hub.decide(consent_id, who, Decision(what))


def test_several_are_two_or_more_and_of_payments_alone(tpp, hub):
    for kind, count in (("payment", 1), ("account-access", 2)):
        with pytest.raises(UnusableInputError):
            hub.stage(kind, "c-1", terms=Terms(authorizers=count))
