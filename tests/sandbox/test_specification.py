"""Everything that the hub says is judged by the OpenAPI files of the standard.

They are OpenAPI 3.0, whose schemas are close to JSON Schema draft 4; the files use neither `nullable` nor the boolean
`exclusiveMinimum`, so a draft 4 validator reads them right. Two of their schemas cannot be met by anything, because
`additionalProperties: false` beside `allOf` forbids what the other branch demands: `AEReadConsentResponseSigned` and
`OAuthBadRequestErrorResponse`. There the branches are asked one by one.
"""

from copy import deepcopy
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from jsonschema import Draft4Validator, FormatChecker, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tracker.sandbox import (
    ApiFault,
    EventFault,
    Terms,
    account_opening_message,
    fx_quote_message,
    insurance_quote_message,
    multi_payment,
)
from tracker.sandbox.kinds import RESOURCES, SCOPES
from tracker.sandbox.message import consent_message
from tracker.sandbox.sealing import claims_of

SPECS = Path(__file__).resolve().parents[2].parent / "shared" / "specs" / "uae-open-finance"

pytestmark = pytest.mark.skipif(
    not SPECS.is_dir(), reason="the OpenAPI files are not beside the project (../shared/specs/uae-open-finance)"
)

WAYS = {
    "AwaitingAuthorization": (),
    "Authorized": ("Authorized",),
    "Suspended": ("Authorized", "Suspended"),
    "Rejected": ("Rejected",),
    "Consumed": ("Authorized", "Consumed"),
    "Expired": ("Expired",),
    "Revoked": ("Revoked",),
}
KINDS = ("account-access", "payment", "insurance")
STAGES = [(kind, status) for kind in KINDS for status in WAYS if kind == "payment" or status != "Consumed"]

ANSWERS = {
    "account-access": ("account-information", "AEConsentStatus.AEBankDataSharingConsentPropertiesV21", "Jwt"),
    "payment": (
        "bank-initiation",
        "AEBankServiceInitiationConsentStatusV21.AEBankServiceInitiationConsentProperties",
        "AEPaymentConsentResponseSigned",
    ),
    "insurance": ("insurance", "AEReadInsuranceConsent1", "AEReadInsuranceConsent1Signed"),
}
EVENT_DATA = {"account-access": 0, "payment": 1, "insurance": 2}
"""Which branch of the event's `Data` is whose."""


def closed(schema):
    """Forbid unknown members everywhere: the webhook template forgets to."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for inner in schema.values():
            closed(inner)
    elif isinstance(schema, list):
        for inner in schema:
            closed(inner)
    return schema


@cache
def specification(name):
    with (SPECS / f"uae-{name}-openapi.yaml").open(encoding="utf-8") as file:
        document = yaml.load(file, Loader=yaml.CSafeLoader)
    return closed(deepcopy(document)) if name == "webhook-template" else document


def validate(value, name, pointer):
    registry = Registry().with_resource(f"urn:{name}", DRAFT4.create_resource(specification(name)))
    schema = {"$ref": f"urn:{name}#/components/schemas/{pointer}"}
    Draft4Validator(schema, registry=registry, format_checker=FormatChecker()).validate(value)


def test_validator_sees_mistakes():
    """The judge itself: formats, closed objects and references are checked, not only looked at."""
    good = {"Errors": [{"Code": "GenericError", "Message": "x"}]}
    validate(good, "account-information", "AEError403Response")
    for wrong in ({}, {"Errors": [{"Code": "Generic Error", "Message": "x"}]}, good | {"More": 1}):
        with pytest.raises(ValidationError):
            validate(wrong, "account-information", "AEError403Response")
    for wrong, pointer in (
        ("2026-03-02T10:15:00", "AECreationDateTime/properties/CreationDateTime"),
        ("not-a-uuid", "uuid"),
    ):
        with pytest.raises(ValidationError):
            validate(wrong, "webhook-template", pointer)
    with pytest.raises(ValidationError):
        validate({"CreationDateTime": "2026-03-02T10:15:00Z", "More": 1}, "webhook-template", "AECreationDateTime")


def terms_for(kind, *, rich):
    """A consent with every optional member that the hub can be asked for, or with none."""
    if not rich:
        return Terms()
    base = str(uuid4())
    if kind == "payment":
        return Terms(
            base_consent_id=base,
            authorization_expiration=timedelta(days=3),
            data={
                "IsSingleAuthorization": False,
                "ControlParameters": multi_payment("2026-04-01"),
                "DebtorReference": "Rent",
                "PaymentConsumption": {
                    "CumulativeNumberOfPayments": 0,
                    "CumulativeValueOfPayments": {"Amount": "0.00", "Currency": "AED"},
                },
            },
            meta={
                "MultipleAuthorizers": {
                    "TotalRequired": 2,
                    "Authorizations": [
                        {"AuthorizerId": "A1", "AuthorizerType": "Approver", "AuthorizationStatus": "Pending"}
                    ],
                }
            },
        )
    behalf = {"TradingName": "Tap", "LegalName": "Tap LLC", "IdentifierType": "Other", "Identifier": "1"}
    return Terms(base_consent_id=base, data={"OnBehalfOf": behalf}, webhook_url="https://hooks.test/x")


def brought_to(hub, kind, status, *, rich=False):
    consent = hub.stage(kind, terms=terms_for(kind, rich=rich))
    for step in WAYS[status]:
        revoked_by = "LFI.InitiatedByUser" if step == "Revoked" else None
        hub.move(consent.consent_id, step, revoked_by=revoked_by, send=False)
    return consent.consent_id


@pytest.mark.parametrize("rich", [False, True])
@pytest.mark.parametrize(("kind", "status"), STAGES)
async def test_answers_validate(tpp, hub, kind, status, rich):
    consent_id = brought_to(hub, kind, status, rich=rich)
    name, plain, signed = ANSWERS[kind]

    response, body = await tpp.get(kind, consent_id, accept="application/jwt")
    claims = tpp.verified(body.decode())
    assert claims["message"]["Data"]["Status"] == status
    validate(claims, name, signed)
    validate(claims["message"], name, plain)
    assert set(claims) == {"iss", "aud", "iat", "nbf", "exp", "message"}
    if kind != "payment":
        response, _ = await tpp.get(kind, consent_id, accept="application/json")
        assert await response.json() == claims["message"]


@pytest.mark.parametrize("rich", [False, True])
@pytest.mark.parametrize(("kind", "status"), STAGES)
def test_event_claims_validate(kind, status, rich, tpp, hub):
    consent_id = brought_to(hub, kind, status, rich=rich)
    message = consent_message(hub.consent(consent_id), hub.clock)
    claims = claims_of(message, EventFault(), issuer=hub.issuer, client_id="tpp", now=hub.clock.epoch())

    validate(claims["message"]["Data"], "webhook-template", data_pointer(kind))
    validate(claims["message"], "webhook-template", "AEWebhookConsentedEventProperties")
    del claims["jti"]  # wanted by the prose, unknown to the template
    validate(claims, "webhook-template", "AEWebhookEventSigned")


def data_pointer(kind):
    return f"AEWebhookConsentedEventProperties/properties/Data/anyOf/{EVENT_DATA[kind]}"


@pytest.mark.parametrize("kind", KINDS)
async def test_events_validate_as_they_arrive(tpp, hub, kind):
    consent = hub.stage(kind, send=True)
    hub.authorize(consent.consent_id)
    hub.revoke(consent.consent_id, fault=EventFault(omit_data=True))
    await hub.settle()

    created, updated, bare = (tpp.opened(item.body)["message"] for item in tpp.webhook.received)
    for message in (created, updated):
        validate(message["Data"], "webhook-template", data_pointer(kind))
    for message in (created, updated, bare):
        validate(message, "webhook-template", "AEWebhookConsentedEventProperties")


PAYMENT_STATUSES = (
    "Pending",
    "AcceptedSettlementCompleted",
    "AcceptedCreditSettlementCompleted",
    "AcceptedWithoutPosting",
    "Rejected",
)
QUOTE_STATUSES = (
    "ApplicationPending",
    "ApplicationApproved",
    "PaymentRequired",
    "PolicyIssued",
    "Completed",
    "Expired",
    "Rejected",
    "CustomerCancelled",
    "LFICancelled",
)
FX_STATUSES = (
    "Accepted",
    "AccountOpened",
    "Actioned",
    "Available",
    "Cancelled",
    "Completed",
    "Expired",
    "Funded",
    "Rejected",
)
OPENING_STATUSES = ("Pending", "AwaitingUserInput", "AwaitingLFIProcesses", "Rejected", "Completed")


@pytest.mark.parametrize("control_parameters", [None, multi_payment("2026-04-01"), {}])
@pytest.mark.parametrize("status", PAYMENT_STATUSES)
async def test_payment_events_validate(tpp, hub, status, control_parameters):
    data = None if control_parameters is None else {"ControlParameters": control_parameters}
    hub.stage("payment", "c-1", terms=Terms(data=data))
    event = hub.notify_payment("c-1", "PMT-000481", status)

    validate(event.claims["message"], "webhook-template", "AEWebhookPaymentInitiationEventProperties")


@pytest.mark.parametrize("status", QUOTE_STATUSES)
def test_insurance_quote_events_validate(hub, status):
    body = insurance_quote_message(hub.clock, str(uuid4()), status).body

    validate(body, "webhook-template", "AEWebhookInsuranceEventProperties")


@pytest.mark.parametrize("status", FX_STATUSES)
def test_fx_quote_events_validate(hub, status):
    body = fx_quote_message(hub.clock, str(uuid4()), status).body

    validate(body, "webhook-template", "AEWebhookFxQuoteEventProperties")


@pytest.mark.parametrize("status", OPENING_STATUSES)
def test_account_opening_events_validate(hub, status):
    body = account_opening_message(hub.clock, "ACC-1", status).body

    validate(body, "webhook-template", "AEWebhookAccountOpeningEventProperties")


@pytest.mark.parametrize(
    ("kind", "plain", "signed"),
    [
        ("account-access", "AEError{}Response", "AEError{}ResponseSigned"),
        ("payment", "AEError{}Response", "AEError{}ResponseSigned"),
        ("insurance", "AEError{}ResponseBody", "AEError{}ResponseBodySigned"),
    ],
)
@pytest.mark.parametrize("status", [400, 403, 500])
async def test_errors_validate(tpp, hub, kind, plain, signed, status):
    name = ANSWERS[kind][0]
    hub.faults.break_api(ApiFault(endpoint="consent", status=status))

    response, body = await tpp.get(kind, "c-1", accept="application/jwt")
    assert response.status == status
    validate(tpp.verified(body.decode()), name, signed.format(status))
    if kind != "payment":
        response, _ = await tpp.get(kind, "c-1", accept="application/json")
        validate(await response.json(), name, plain.format(status))


async def test_token_answers_validate(tpp):
    status, body = await tpp.post_token()
    assert status == 200
    validate(body, "authorization-endpoints", "AEClientCredentialsGrantTokenResponseProperties")

    status, body = await tpp.post_token({"scope": "everything"})
    assert status == 400
    validate(body, "authorization-endpoints", "OAuthErrorResponse")


@pytest.mark.parametrize("kind", KINDS)
async def test_paths_and_scopes_are_those_of_the_specification(tpp, hub, kind):
    resource = RESOURCES[kind]
    document = specification(ANSWERS[kind][0])
    operation = document["paths"][f"/{resource.collection}/{{ConsentId}}"]["get"]
    (security,) = operation["security"]

    assert document["servers"][0]["url"] == resource.family
    assert resource.scopes == set(*security.values()) <= SCOPES
