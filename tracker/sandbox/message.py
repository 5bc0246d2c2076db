"""The `message` of every event that the hub sends: `Meta`, and mostly `Data`.

Spec: OpenAPI `uae-webhook-template` v2.1, `AEWebhookEventTypes` and what it refers to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracker.sandbox.clock import HubClock
from tracker.sandbox.consent import Consent
from tracker.sandbox.document import data_of
from tracker.sandbox.errors import UnusableInputError
from tracker.sandbox.kinds import RESOURCES, Kind

UPDATED = "Resource.Updated"
CREATED = "Resource.Created"

_NEGATIVE_QUOTE_STATUSES = frozenset({"Expired", "Rejected", "CustomerCancelled", "LFICancelled"})


@dataclass(frozen=True, slots=True)
class Message:
    """What one event says.

    Attributes:
        family: `consent`, `payment`, `insurance-quote`, `fx-quote` or `account-opening`.
        subject: id of the consent, quote or account that it is about.
        body: the `message` claim.
    """

    family: str
    subject: str
    body: dict[str, Any]


def consent_message(consent: Consent, clock: HubClock, event_type: str = UPDATED) -> Message:
    """Tell a consent's present state.

    Conflict: the webhook template models two date-times of payment consents as objects that hold the date-time under its
    own name again, while the resource itself has plain strings. Events follow the template.
    """
    data = data_of(consent, clock)
    if consent.kind is Kind.PAYMENT:
        for name in ("CreationDateTime", "StatusUpdateDateTime"):
            data[name] = {name: data[name]}
    resource = f"/{RESOURCES[consent.kind].collection}/{consent.consent_id}"
    meta = _meta(clock, resource, "ConsentId", consent.consent_id, event_type)
    return Message("consent", consent.consent_id, {"Meta": meta, "Data": data})


def payment_message(
    consent: Consent, clock: HubClock, payment_id: str, status: str = "AcceptedSettlementCompleted"
) -> Message:
    """Tell the state of a payment made under a consent.

    Args:
        consent: a payment consent; the amount comes from its schedule when it has one.
        clock: how instants are written.
        payment_id: at most 40 characters.
        status: a payment status, such as `Pending`, `AcceptedCreditSettlementCompleted` or `Rejected`.

    Raises:
        UnusableInputError: the consent is not for payments.
    """
    if consent.kind is not Kind.PAYMENT:
        raise UnusableInputError(f"{consent.consent_id} is no payment consent")
    now = clock.text(clock.now())
    data: dict[str, Any] = {
        "PaymentId": payment_id,
        "ConsentId": consent.consent_id,
        "PaymentTransactionId": f"TX-{payment_id}",
        "Status": status,
        "StatusUpdateDateTime": now,
        "CreationDateTime": now,
        "Instruction": {"Amount": _amount(consent.data)},
        "PaymentPurposeCode": consent.data.get("PaymentPurposeCode", "ACM"),
        "OpenFinanceBilling": {"Type": "PushP2P"},
    }
    if status == "Rejected":
        data["RejectReasonCode"] = [{"Code": "AANI.AM04", "Message": "Insufficient funds"}]
    meta = _meta(clock, f"/payments/{payment_id}", "ConsentId", consent.consent_id)
    return Message("payment", consent.consent_id, {"Meta": meta, "Data": data})


def insurance_quote_message(clock: HubClock, quote_id: str, status: str = "PolicyIssued") -> Message:
    """Tell the state of a motor insurance quote; the id is a UUID."""
    data: dict[str, Any] = {"QuoteStatus": status}
    if status in _NEGATIVE_QUOTE_STATUSES:
        data["Reason"] = "The quote was not taken up"
    if status == "Completed":
        premium = {"Amount": "1200.00", "Currency": "AED"}
        data |= {
            "PolicyTerm": "P1Y",
            "Premium": {
                "OneYearPremiumExcludingVAT": premium,
                "VATAmount": {"Amount": "60.00", "Currency": "AED"},
                "TotalOneYearPremium": {"Amount": "1260.00", "Currency": "AED"},
            },
            "CustomerPaidInFull": True,
            "PolicyCountrySubDivision": "Dubai",
        }
    meta = _meta(clock, f"/motor-insurance-quotes/{quote_id}", "QuoteId", quote_id)
    return Message("insurance-quote", quote_id, {"Meta": meta, "Data": data})


def fx_quote_message(clock: HubClock, quote_id: str, status: str = "Accepted") -> Message:
    """Tell the state of a foreign exchange quote; the id is a UUID."""
    data = {
        "FxQuoteId": quote_id,
        "QuoteStatus": status,
        "Trade": {
            "BuyAmount": {"Amount": "1000.00", "Currency": "EUR"},
            "SellAmount": {"Amount": "4270.00", "Currency": "AED"},
        },
    }
    return Message(
        "fx-quote", quote_id, {"Meta": _meta(clock, f"/fx-quotes/{quote_id}", "FxQuoteId", quote_id), "Data": data}
    )


def account_opening_message(clock: HubClock, account_id: str, status: str = "AwaitingUserInput") -> Message:
    """Tell how far the opening of an account is; the id has at most 40 characters."""
    data = {
        "AccountId": account_id,
        "OpeningStatus": status,
        "OpeningStatusUpdateDateTime": clock.text(clock.now()),
    }
    meta = _meta(clock, f"/accounts/{account_id}", "AccountId", account_id)
    return Message("account-opening", account_id, {"Meta": meta, "Data": data})


def _meta(clock: HubClock, resource: str, id_name: str, subject: str, event_type: str = UPDATED) -> dict[str, str]:
    return {
        "EventDateTime": clock.text(clock.now()),
        "EventResource": resource,
        "EventType": event_type,
        id_name: subject,
    }


def _amount(data: Mapping[str, Any]) -> dict[str, str]:
    schedule = data.get("ControlParameters", {}).get("ConsentSchedule", {})
    single = schedule.get("SinglePayment", {})
    periodic = schedule.get("MultiPayment", {}).get("PeriodicSchedule", {})
    amount: dict[str, str] = single.get("Amount") or periodic.get("Amount") or {"Amount": "10.00", "Currency": "AED"}
    return amount
