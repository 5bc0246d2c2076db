"""Events arrive as JWE around JWS, in order, again when refused, and as wrongly as wanted."""

import asyncio
import base64
import json
from collections import deque
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError

from tracker.sandbox import (
    EventFault,
    Hub,
    HubOptions,
    Outcome,
    Terms,
    account_opening_message,
    fx_quote_message,
    insurance_quote_message,
    running_hub,
)


def header(token):
    first = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))


@pytest.fixture
def consent_id(tpp, hub):
    return hub.stage("account-access", "c-1").consent_id


async def test_event_is_signed_and_encrypted_as_prescribed(tpp, hub, consent_id):
    hub.authorize(consent_id)
    await hub.settle()

    (received,) = tpp.webhook.received
    assert received.headers["Content-Type"] == "application/jwe"
    UUID(received.headers["x-fapi-interaction-id"])
    assert header(received.body) == {
        "alg": "RSA-OAEP-256",
        "enc": "A256GCM",
        "kid": "tpp-client-001-enc",
        "cty": "JWT",
    }
    assert received.body.count(".") == 4
    assert header(tpp.decrypted(received.body)) == {"alg": "PS256", "kid": "demobank-sig2-1"}


async def test_claims_and_message_tell_the_move(tpp, hub, consent_id, clock):
    clock.advance(minutes=2)
    hub.move(consent_id, "Revoked", revoked_by="LFI.InitiatedByUser")
    await hub.settle()

    claims = tpp.opened(tpp.webhook.received[0].body)
    now = hub.clock.epoch()
    UUID(claims.pop("jti"))
    assert claims == {
        "iss": hub.issuer,
        "aud": ["tpp-client-001"],
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "message": {
            "Meta": {
                "EventDateTime": "2026-03-02T10:17:00+04:00",
                "EventResource": "/account-access-consents/c-1",
                "EventType": "Resource.Updated",
                "ConsentId": "c-1",
            },
            "Data": {
                "ConsentId": "c-1",
                "Status": "Revoked",
                "RevokedBy": "LFI.InitiatedByUser",
                "CreationDateTime": "2026-03-02T10:15:00+04:00",
                "StatusUpdateDateTime": "2026-03-02T10:17:00+04:00",
                "ExpirationDateTime": "2026-08-29T10:15:00+04:00",
                "Permissions": ["ReadAccountsBasic", "ReadBalances"],
                "OpenFinanceBilling": {"UserType": "Retail", "Purpose": "AccountAggregation"},
            },
        },
    }


async def test_payment_events_nest_two_dates_but_answers_do_not(tpp, hub):
    hub.stage("payment", "c-1")
    hub.authorize("c-1")
    await hub.settle()

    data = tpp.opened(tpp.webhook.received[0].body)["message"]["Data"]
    assert data["CreationDateTime"] == {"CreationDateTime": "2026-03-02T10:15:00+04:00"}
    assert data["StatusUpdateDateTime"] == {"StatusUpdateDateTime": "2026-03-02T10:15:00+04:00"}
    _, body = await tpp.get("payment", "c-1")
    assert tpp.verified(body.decode())["message"]["Data"]["CreationDateTime"] == "2026-03-02T10:15:00+04:00"


async def test_hub_can_write_microseconds(registration, options):
    async with running_hub(Hub("demobank", replace(options, microseconds=True))) as hub:
        hub.register_client(**registration)
        consent = hub.stage("account-access")
        event = hub.authorize(consent.consent_id)
        await hub.settle()

    assert event.message.body["Data"]["StatusUpdateDateTime"] == "2026-03-02T10:15:00.700000+04:00"


async def test_events_of_a_consent_arrive_in_order(tpp, hub, consent_id):
    hub.authorize(consent_id)
    hub.suspend(consent_id)
    hub.restore(consent_id)
    hub.revoke(consent_id)
    await hub.settle()

    assert tpp.statuses() == ["Authorized", "Suspended", "Authorized", "Revoked"]


async def test_event_waits_for_the_answer_to_the_one_before(tpp, hub, consent_id):
    gate = asyncio.Event()
    tpp.webhook.gates.append(gate)
    hub.authorize(consent_id)
    await tpp.webhook.knocked.wait()
    hub.suspend(consent_id)
    hub.stage("account-access", "c-2")
    other = hub.reject("c-2")
    while other.outcome is Outcome.PENDING:
        await asyncio.sleep(0)

    assert tpp.statuses() == ["Authorized", "Rejected"]
    gate.set()
    await hub.settle()
    assert tpp.statuses() == ["Authorized", "Rejected", "Suspended"]


async def test_creation_is_told_when_wanted(tpp, hub):
    hub.stage("insurance", "c-1", send=True)
    await hub.settle()

    message = tpp.opened(tpp.webhook.received[0].body)["message"]
    assert (message["Meta"]["EventType"], message["Data"]["Status"]) == ("Resource.Created", "AwaitingAuthorization")


async def test_dropped_event_is_never_sent(tpp, hub, consent_id):
    event = hub.authorize(consent_id, fault=EventFault(drop=True))
    await hub.settle()

    assert (event.outcome, tpp.webhook.received) == (Outcome.DROPPED, [])
    assert await tpp.status("account-access", consent_id) == "Authorized"


async def test_move_without_event_sends_nothing(tpp, hub, consent_id):
    assert hub.move(consent_id, "Authorized", send=False) is None
    hub.stage("account-access", "c-2", terms=Terms(webhook_active=False))
    assert hub.authorize("c-2") is None
    await hub.settle()

    assert tpp.webhook.received == []


async def test_copies_say_the_same_in_other_bytes(tpp, hub, consent_id):
    event = hub.authorize(consent_id, fault=EventFault(copies=3))
    await hub.settle()

    bodies = [item.body for item in tpp.webhook.received]
    assert len(set(bodies)) == len(set(event.signed)) == 3
    assert [tpp.opened(body) for body in bodies] == [event.claims] * 3
    assert [attempt.copy for attempt in event.attempts] == [1, 2, 3]


async def test_held_event_goes_after_the_next_of_its_consent(tpp, hub, consent_id):
    held = hub.authorize(consent_id, fault=EventFault(hold=True))
    hub.stage("account-access", "c-2")
    hub.authorize("c-2")
    await hub.settle()
    assert held.outcome is Outcome.HELD

    hub.suspend(consent_id)
    await hub.settle()
    assert tpp.statuses() == ["Authorized", "Suspended", "Authorized"]
    assert [tpp.opened(item.body)["message"]["Meta"]["ConsentId"] for item in tpp.webhook.received] == [
        "c-2",
        "c-1",
        "c-1",
    ]
    assert held.outcome is Outcome.DELIVERED


async def test_held_event_goes_when_released(tpp, hub, consent_id):
    held = hub.authorize(consent_id, fault=EventFault(hold=True))

    assert hub.release("c-2") == []
    assert hub.release(consent_id) == [held]
    await hub.settle()
    assert tpp.statuses() == ["Authorized"]
    assert hub.release() == []


async def test_delayed_event_is_overtaken(tpp, hub, consent_id, sleep):
    delayed = hub.authorize(consent_id, fault=EventFault(delay_seconds=5))
    later = hub.suspend(consent_id)
    while later.outcome is Outcome.PENDING:
        await asyncio.sleep(0)
    assert (sleep.asked, delayed.outcome) == ([5], Outcome.PENDING)
    sleep.wake.set()
    await hub.settle()

    assert tpp.statuses() == ["Suspended", "Authorized"]


async def test_event_under_wrong_key_does_not_verify(tpp, hub, consent_id):
    hub.authorize(consent_id, fault=EventFault(wrong_key=True))
    await hub.settle()

    signed = tpp.decrypted(tpp.webhook.received[0].body)
    assert header(signed)["kid"] == "demobank-sig2-1"
    with pytest.raises(BadSignatureError):
        tpp.verified(signed)


async def test_unknown_kids_are_told_but_the_keys_are_right(tpp, hub, consent_id):
    hub.authorize(consent_id, fault=EventFault(unknown_signing_kid=True))
    hub.suspend(consent_id, fault=EventFault(unknown_encryption_kid=True))
    await hub.settle()

    signed = tpp.decrypted(tpp.webhook.received[0].body)
    assert header(signed)["kid"].startswith("unknown-")
    assert jws.deserialize_compact(signed, tpp.keys().keys[0], algorithms=["PS256"])
    assert header(tpp.webhook.received[1].body)["kid"].startswith("unknown-")


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (EventFault(lapsed=True), lambda claims, now: claims["iat"] < claims["exp"] < now - 60),
        (EventFault(not_yet_valid=True), lambda claims, now: now + 60 < claims["nbf"] < claims["exp"]),
        (EventFault(wrong_audience=True), lambda claims, now: claims["aud"] == ["somebody-else"]),
        (
            EventFault(claims={"aud": None, "iss": "x"}),
            lambda claims, now: "aud" not in claims and claims["iss"] == "x",
        ),
        (EventFault(omit_data=True), lambda claims, now: set(claims["message"]) == {"Meta"}),
    ],
)
async def test_wrong_claims_are_sent_as_wanted(tpp, hub, consent_id, fault, check):
    hub.authorize(consent_id, fault=fault)
    await hub.settle()

    assert check(tpp.opened(tpp.webhook.received[0].body), hub.clock.epoch())


async def test_planned_fault_hits_the_next_event_it_fits(tpp, hub, consent_id):
    hub.stage("account-access", "c-2")
    hub.faults.plan_event(EventFault(drop=True), "c-2")
    hub.faults.plan_event(EventFault(copies=2))

    outcomes = [hub.authorize(consent_id), hub.authorize("c-2"), hub.suspend("c-2")]
    await hub.settle()

    assert [(event.outcome, len(event.attempts)) for event in outcomes] == [
        (Outcome.DELIVERED, 2),
        (Outcome.DROPPED, 0),
        (Outcome.DELIVERED, 1),
    ]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 301])
async def test_refused_event_is_sent_again_unchanged(registration, webhook, options, status):
    async def no_wait(seconds):
        waits.append(seconds)

    waits = []
    patient = replace(options, retry_delays_seconds=(0.2, 1.0, 3.0), sleep=no_wait)
    async with running_hub(Hub("demobank", patient)) as hub:
        hub.register_client(**registration)
        consent = hub.stage("account-access")
        webhook.answers = deque([status, status, 202])
        event = hub.authorize(consent.consent_id)
        await hub.settle()
        assert (event.outcome, waits) == (Outcome.DELIVERED, [0.2, 1.0])
        assert [attempt.status for attempt in event.attempts] == [status, status, 202]
        assert len({item.body for item in webhook.received}) == 1
        assert len({item.headers["x-fapi-interaction-id"] for item in webhook.received}) == 1

        webhook.answers = deque([status] * 4)
        event = hub.suspend(consent.consent_id)
        await hub.settle()
        assert (event.outcome, len(event.attempts)) == (Outcome.FAILED, 4)


async def test_later_event_does_not_wait_for_repetitions(registration, webhook, options, sleep):
    async with running_hub(Hub("demobank", replace(options, retry_delays_seconds=(9,)))) as hub:
        hub.register_client(**registration)
        consent = hub.stage("account-access")
        webhook.answers = deque([503])
        first = hub.authorize(consent.consent_id)
        second = hub.suspend(consent.consent_id)
        while second.outcome is Outcome.PENDING:
            await asyncio.sleep(0)
        assert (first.outcome, second.outcome, sleep.asked) == (Outcome.PENDING, Outcome.DELIVERED, [9])
        sleep.wake.set()
        await hub.settle()
        assert first.outcome is Outcome.DELIVERED


async def test_unreachable_webhook_is_recorded(hub, tpp):
    hub.stage("account-access", "c-1", terms=Terms(webhook_url="http://127.0.0.1:1/"))
    event = hub.authorize("c-1")
    await hub.settle()

    (attempt,) = event.attempts
    assert (event.outcome, attempt.status) == (Outcome.FAILED, None)
    assert attempt.error.startswith("ClientConnector")


async def test_redirects_are_not_followed(hub, tpp, consent_id):
    tpp.webhook.answers = deque([307])
    event = hub.authorize(consent_id)
    await hub.settle()

    assert [attempt.status for attempt in event.attempts] == [307]


async def test_rotation_signs_with_the_new_key(tpp, hub, consent_id):
    hub.keyring.rotate()
    hub.authorize(consent_id)
    await hub.settle()

    signed = tpp.decrypted(tpp.webhook.received[0].body)
    assert header(signed)["kid"] == "demobank-sig2-2"
    assert tpp.verified(signed)


async def test_change_beside_the_status_is_told(tpp, hub):
    hub.stage("payment", "c-1")
    consumption = {"CumulativeNumberOfPayments": 1, "CumulativeValueOfPayments": {"Amount": "25.00", "Currency": "AED"}}
    hub.update("c-1", {"PaymentConsumption": consumption})
    hub.notify("c-1")
    await hub.settle()

    for item in tpp.webhook.received:
        assert tpp.opened(item.body)["message"]["Data"]["PaymentConsumption"] == consumption


async def test_other_families_are_sent_with_their_own_ids(tpp, hub):
    hub.stage("payment", "c-1")
    quote, fx_quote = str(uuid4()), str(uuid4())
    hub.notify_payment("c-1", "PMT-1", "Rejected")
    hub.send(insurance_quote_message(hub.clock, quote))
    hub.send(fx_quote_message(hub.clock, fx_quote))
    hub.send(account_opening_message(hub.clock, "ACC-1"))
    await hub.settle()

    messages = [tpp.opened(item.body)["message"] for item in tpp.webhook.received]
    found = {
        tuple(sorted(set(message["Meta"]) - {"EventDateTime", "EventResource", "EventType"})) for message in messages
    }
    assert found == {("ConsentId",), ("QuoteId",), ("FxQuoteId",), ("AccountId",)}
    assert {event.message.family for event in hub.recorder.events} == {
        "payment",
        "insurance-quote",
        "fx-quote",
        "account-opening",
    }
    (payment,) = hub.recorder.events_about("c-1")
    assert payment.message.body["Data"]["PaymentId"] == "PMT-1"


async def test_closing_gives_up_what_is_on_its_way(registration, webhook, sleep, options):
    async with running_hub(Hub("demobank", options)) as hub:
        hub.register_client(**registration)
        consent = hub.stage("account-access")
        event = hub.authorize(consent.consent_id, fault=EventFault(delay_seconds=60))
        while not sleep.asked:
            await asyncio.sleep(0)

    assert (event.outcome, webhook.received) == (Outcome.PENDING, [])


async def test_default_options_use_real_time():
    hub = Hub("x", HubOptions())

    assert abs(hub.clock.now().timestamp() - hub.clock.epoch()) < 2
    assert hub.clock.now().utcoffset() == timedelta(0)
