"""The messages that the tests are built from are valid by the official descriptions, and the profile's facts are theirs.

The descriptions lie beside the project, not in it; without them these tests are skipped.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests.profiles import uae_payloads as uae
from tracker.domain.consent import OPEN, TERMINAL
from tracker.profiles.uae_v2_1 import UAE_V2_1

SPECS = Path(__file__).parents[3] / "shared" / "specs" / "uae-open-finance"
pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason="the official descriptions are not beside the project")

FILES = {
    "account-access": "uae-account-information-openapi.yaml",
    "payment": "uae-bank-initiation-openapi.yaml",
    "insurance": "uae-insurance-openapi.yaml",
    "event": "uae-webhook-template-openapi.yaml",
}
PAYMENT_LINKS = {"Self": "https://rs1.demobank.example/open-finance/one", "Related": []}


@cache
def description(name: str) -> Any:
    return yaml.load((SPECS / FILES[name]).read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def problems(name: str, schema: str, message: Any) -> list[str]:
    """What is wrong with a message; OpenAPI 3.0's schemas are near enough to JSON Schema draft 4."""
    registry: Registry[Any] = Registry().with_resource("urn:it", DRAFT4.create_resource(description(name)))
    validator = Draft4Validator({"$ref": f"urn:it#/components/schemas/{schema}"}, registry=registry)
    return [error.message for error in validator.iter_errors(message)]


@pytest.mark.parametrize(
    ("schema", "claims"),
    [
        ("AEWebhookConsentedEventProperties", uae.event(uae.sharing(Status="Revoked", RevokedBy="TPP"))),
        ("AEWebhookConsentedEventProperties", uae.event(uae.pushed_payment(), ConsentId=uae.PAYMENT_ID)),
        ("AEWebhookConsentedEventProperties", uae.event(uae.insurance(), ConsentId=uae.INSURANCE_ID)),
        (
            "AEWebhookConsentedEventProperties",
            uae.claims({"Meta": uae.meta(EventType="Resource.Deleted", ConsentId="c")}),
        ),
        ("AEWebhookPaymentInitiationEventProperties", uae.event(uae.payment(), ConsentId=uae.PAYMENT_ID)),
        ("AEWebhookFxQuoteEventProperties", uae.event(uae.FX_QUOTE, FxQuoteId="q")),
        ("AEWebhookInsuranceEventProperties", uae.event(uae.INSURANCE_QUOTE, QuoteId="q")),
        ("AEWebhookAccountOpeningEventProperties", uae.event(uae.ACCOUNT_OPENING, AccountId="a")),
    ],
)
def test_event_is_valid(schema: str, claims: dict[str, Any]) -> None:
    assert problems("event", "AEWebhookEventSigned", claims) == []
    assert problems("event", schema, claims["message"]) == []


@pytest.mark.parametrize(
    ("kind", "schema", "message"),
    [
        # the signed form of this one allows no member at all: two halves that exclude each other's members
        ("account-access", "AEConsentStatus.AEBankDataSharingConsentPropertiesV21", uae.answer(uae.sharing())),
        ("payment", "AEPaymentConsentResponseSigned", uae.answer(uae.single_payment(), Links=PAYMENT_LINKS)),
        ("payment", "AEPaymentConsentResponseSigned", uae.answer(uae.standing_payments(), Links=PAYMENT_LINKS)),
        ("insurance", "AEReadInsuranceConsent1Signed", uae.answer(uae.insurance())),
    ],
)
def test_answer_is_valid(kind: str, schema: str, message: dict[str, Any]) -> None:
    assert problems(kind, schema, uae.claims(message) if schema.endswith("Signed") else message) == []


def test_a_wrong_message_is_found_wrong() -> None:
    assert problems("event", "AEWebhookConsentedEventProperties", {"Meta": {}}) != []
    assert problems("insurance", "AEReadInsuranceConsent1", uae.answer(uae.insurance(Status="Paused"))) != []


@pytest.mark.parametrize("kind", UAE_V2_1.kinds)
def test_kind_has_the_path_and_the_media_types_of_the_description(kind: str) -> None:
    facts, described = UAE_V2_1.kinds[kind], description(kind)
    base = described["servers"][0]["url"]
    path = facts.path.format(api_version="v2.1").removeprefix(base)
    one = described["paths"][f"{path}/{{ConsentId}}"]["get"]
    success = one["responses"]["200"]
    if "$ref" in success:
        success = described["components"]["responses"][success["$ref"].rsplit("/", 1)[-1]]
    offered = {medium.split(";")[0] for medium in success["content"]}
    assert offered == {part.split(";")[0].strip() for part in facts.accept.split(",")}
    assert facts.must_be_signed == (offered == {"application/jwt"})
    assert set(facts.scope.split()) == {scope for need in one["security"] for scope in next(iter(need.values()))}


def test_every_status_of_the_description_is_known() -> None:
    words = description("event")["components"]["schemas"]["AEConsentStatus.AEConsentStatusCodes"]["enum"]
    assert set(words) == {status.value for status in OPEN | TERMINAL}
