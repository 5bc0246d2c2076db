"""Synthetic messages of UAE Open Finance, valid against its schemas until a test changes them."""

from typing import Any

SHARING_ID = "7f0a52ce-90c1-4d7b-b8a4-1e62d3c4f501"
PAYMENT_ID = "0c6be1a7-34d8-4a51-9f6d-8b7e20a9d402"
INSURANCE_ID = "d2b94f60-6e1f-4c3a-8d55-73fa10c6e803"


def claims(message: Any) -> dict[str, Any]:
    """The claims of a signed message."""
    return {
        "iss": "https://auth1.demobank.example",
        "aud": ["tpp-client-001"],
        "iat": 1775030400,
        "nbf": 1775030400,
        "exp": 1775034000,
        "message": message,
    }


def meta(**members: Any) -> dict[str, Any]:
    """The metadata of an event; without further members it names a data sharing consent."""
    return {
        "EventDateTime": "2026-04-01T12:00:05+04:00",
        "EventResource": f"/account-access-consents/{SHARING_ID}",
        "EventType": "Resource.Updated",
        **(members or {"ConsentId": SHARING_ID}),
    }


def event(data: Any, **members: Any) -> dict[str, Any]:
    """The claims of an event with data."""
    return claims({"Meta": meta(**members), "Data": data})


def sharing(**changes: Any) -> dict[str, Any]:
    """A bank data sharing consent."""
    return {
        "ConsentId": SHARING_ID,
        "CreationDateTime": "2026-04-01T11:50:00+04:00",
        "Status": "Authorized",
        "StatusUpdateDateTime": "2026-04-01T12:00:04+04:00",
        "Permissions": ["ReadAccountsBasic", "ReadTransactionsDetail"],
        "ExpirationDateTime": "2026-10-01T00:00:00+04:00",
        "OpenFinanceBilling": {"UserType": "SME", "Purpose": "BudgetingAnalysis"},
        **changes,
    }


def single_payment(**changes: Any) -> dict[str, Any]:
    """A payment consent of one payment, with the date-times as texts."""
    return {
        "ConsentId": PAYMENT_ID,
        "CreationDateTime": "2026-04-01T11:50:00+04:00",
        "Status": "Authorized",
        "StatusUpdateDateTime": "2026-04-01T12:00:04+04:00",
        "ExpirationDateTime": "2026-10-01T00:00:00+04:00",
        "PaymentPurposeCode": "ACM",
        "ControlParameters": {
            "ConsentSchedule": {
                "SinglePayment": {"Type": "SingleInstantPayment", "Amount": {"Amount": "74.50", "Currency": "AED"}}
            }
        },
        **changes,
    }


def pushed_payment(**changes: Any) -> dict[str, Any]:
    """A payment consent as events have it: two of its date-times are objects."""
    return single_payment(
        CreationDateTime={"CreationDateTime": "2026-04-01T11:50:00+04:00"},
        StatusUpdateDateTime={"StatusUpdateDateTime": "2026-04-01T12:00:04+04:00"},
        **changes,
    )


def standing_payments(**changes: Any) -> dict[str, Any]:
    """A payment consent of many payments that two people must authorize."""
    return single_payment(
        Status="AwaitingAuthorization",
        IsSingleAuthorization=False,
        AuthorizationExpirationDateTime="2026-04-04T10:00:00+04:00",
        Permissions=["ReadAccountsBasic", "ReadRefundAccount"],
        ControlParameters={
            "ConsentSchedule": {
                "MultiPayment": {
                    "MaximumCumulativeNumberOfPayments": 6,
                    "PeriodicSchedule": {
                        "Type": "FixedOnDemand",
                        "PeriodType": "Month",
                        "PeriodStartDate": "2026-05-01",
                        "Amount": {"Amount": "310.00", "Currency": "AED"},
                        "Controls": {"MaximumCumulativeNumberOfPaymentsPerPeriod": 1},
                    },
                }
            }
        },
        **changes,
    )


def insurance(**changes: Any) -> dict[str, Any]:
    """An insurance data sharing consent."""
    return {
        "ConsentId": INSURANCE_ID,
        "CreationDateTime": "2026-04-01T11:50:00+04:00",
        "Status": "Suspended",
        "StatusUpdateDateTime": "2026-04-01T12:00:04+04:00",
        "Permissions": [
            {"InsuranceType": "Motor", "Permissions": ["ReadInsurancePolicies", "ReadCustomerClaims"]},
            {"InsuranceType": "Travel", "Permissions": ["ReadInsurancePolicies"]},
        ],
        "ExpirationDateTime": "2026-10-01T00:00:00+04:00",
        "OpenFinanceBilling": {"Purpose": "ClaimHistory"},
        **changes,
    }


def payment(**changes: Any) -> dict[str, Any]:
    """A payment under a consent; its status is none of the consent's, whatever it is spelt like."""
    return {
        "PaymentId": "PAY-2026-0007",
        "ConsentId": PAYMENT_ID,
        "Status": "Rejected",
        "StatusUpdateDateTime": "2026-04-01T12:00:04+04:00",
        "CreationDateTime": "2026-04-01T12:00:01+04:00",
        "RejectReasonCode": [{"Code": "FTS.AM02", "Message": "Over the limit of the day"}],
        "Instruction": {"Amount": {"Amount": "74.50", "Currency": "AED"}},
        "PaymentPurposeCode": "ACM",
        "OpenFinanceBilling": {"Type": "PushP2P"},
        **changes,
    }


FX_QUOTE = {"FxQuoteId": "5e0d6bb2-0a57-4d0e-9d4c-9f7b31c2aa04", "QuoteStatus": "Expired"}
INSURANCE_QUOTE = {"QuoteStatus": "Rejected"}
ACCOUNT_OPENING = {
    "AccountId": "ACC-881",
    "OpeningStatus": "Rejected",
    "OpeningStatusUpdateDateTime": "2026-04-01T12:00:04+04:00",
}


def answer(data: Any, **members: Any) -> dict[str, Any]:
    """The body of an answer about one consent."""
    return {
        "Data": data,
        "Subscription": {"Webhook": {"Url": "https://hooks.example/events", "IsActive": True}},
        "Links": {"Self": "https://rs1.demobank.example/open-finance/one"},
        "Meta": {},
        **members,
    }
