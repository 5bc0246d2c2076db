"""The three kinds of consent: where they live, what they need, what a plausible one holds.

Spec: OpenAPI files `account-information`, `bank-initiation` and `insurance`, v2.1: `servers`, paths, `security`, content.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

JSON = "application/json"
JWT = "application/jwt"

SCOPES = frozenset({"openid", "accounts", "payments", "insurance", "fx", "account-opening"})
"""Every scope that the token endpoint knows."""


class Kind(StrEnum):
    """Kinds of consent, by the names that our interface gives them."""

    ACCOUNT_ACCESS = "account-access"
    PAYMENT = "payment"
    INSURANCE = "insurance"


@dataclass(frozen=True, slots=True)
class Resource:
    """How the consents of one kind are served.

    Attributes:
        family: path of the API family below the hub's origin.
        collection: path segment of the consents.
        scopes: all of them must be in the access token.
        media_types: what can be asked for, the hub's preference first.
        has_consumed: whether the entitlement can be used up.
        data: members of `Data` that a consent of the kind has when the one who stages it gives none.
    """

    family: str
    collection: str
    scopes: frozenset[str]
    media_types: tuple[str, ...]
    has_consumed: bool
    data: Callable[[], dict[str, Any]]

    @property
    def path(self) -> str:
        """Path of the collection below the hub's origin."""
        return f"{self.family}/{self.collection}"


def single_payment(amount: str = "25.00", currency: str = "AED") -> dict[str, Any]:
    """Write the `ControlParameters` of one instant payment."""
    amount_object = {"Amount": amount, "Currency": currency}
    return {"ConsentSchedule": {"SinglePayment": {"Type": "SingleInstantPayment", "Amount": amount_object}}}


def multi_payment(start: str, *, number: int = 12, amount: str = "150.00", currency: str = "AED") -> dict[str, Any]:
    """Write the `ControlParameters` of payments on demand, one of a fixed amount a month.

    Args:
        start: first day of the first period, `YYYY-MM-DD`.
        number: how many payments in all.
        amount: of each payment, two decimals.
        currency: ISO 4217.
    """
    schedule = {
        "Type": "FixedOnDemand",
        "PeriodType": "Month",
        "PeriodStartDate": start,
        "Amount": {"Amount": amount, "Currency": currency},
        "Controls": {"MaximumCumulativeNumberOfPaymentsPerPeriod": 1},
    }
    return {
        "ConsentSchedule": {
            "MultiPayment": {"MaximumCumulativeNumberOfPayments": number, "PeriodicSchedule": schedule},
        }
    }


def _account_access_data() -> dict[str, Any]:
    return {
        "Permissions": ["ReadAccountsBasic", "ReadBalances"],
        "OpenFinanceBilling": {"UserType": "Retail", "Purpose": "AccountAggregation"},
    }


def _payment_data() -> dict[str, Any]:
    return {
        "IsSingleAuthorization": True,
        "Permissions": ["ReadAccountsBasic", "ReadRefundAccount"],
        "ControlParameters": single_payment(),
        "PaymentPurposeCode": "ACM",
    }


def _insurance_data() -> dict[str, Any]:
    return {
        "Permissions": [{"InsuranceType": "Motor", "Permissions": ["ReadInsurancePolicies"]}],
        "OpenFinanceBilling": {"Purpose": "AccountAggregation"},
    }


RESOURCES = {
    Kind.ACCOUNT_ACCESS: Resource(
        family="/open-finance/account-information/v2.1",
        collection="account-access-consents",
        scopes=frozenset({"openid", "accounts"}),
        media_types=(JSON, JWT),
        has_consumed=False,
        data=_account_access_data,
    ),
    Kind.PAYMENT: Resource(
        family="/open-finance/payment/v2.1",
        collection="payment-consents",
        scopes=frozenset({"openid", "payments"}),
        media_types=(JWT,),
        has_consumed=True,
        data=_payment_data,
    ),
    Kind.INSURANCE: Resource(
        family="/open-finance/insurance/v2.1",
        collection="insurance-consents",
        scopes=frozenset({"insurance"}),
        media_types=(JSON, JWT),
        has_consumed=False,
        data=_insurance_data,
    ),
}
"""Conflict: a guide asks for `accounts` alone; the OpenAPI `security` wants `openid` too, and that is what is required."""
