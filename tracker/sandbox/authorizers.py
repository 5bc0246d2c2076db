"""Payment consents that several people must authorize: who has, who has not, and what follows.

Spec: OpenAPI v2.1, bank initiation, `AEMetaMultiAuthorization`. While anybody is missing the status stays
AwaitingAuthorization; the first refusal rejects the consent, and the last approval authorizes it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from tracker.sandbox.clock import HubClock
from tracker.sandbox.consent import Consent, Status
from tracker.sandbox.errors import IllegalMoveError, UnusableInputError


class Decision(StrEnum):
    """What an authorizer has decided; the words of the standard."""

    PENDING = "Pending"
    APPROVED = "Approved"
    REJECTED = "Rejected"


def several(total: int) -> dict[str, Any]:
    """Make the `Meta` of a consent that so many people must authorize, called A1, A2 and so on.

    Raises:
        UnusableInputError: fewer than two are not several.
    """
    if total < 2:  # noqa: PLR2004
        raise UnusableInputError("several authorizers are two or more")
    waiting = [
        {"AuthorizerId": f"A{number}", "AuthorizerType": "Approver", "AuthorizationStatus": Decision.PENDING.value}
        for number in range(1, total + 1)
    ]
    return {"MultipleAuthorizers": {"TotalRequired": total, "Authorizations": waiting}}


def decide(consent: Consent, authorizer_id: str, decision: Decision, at: datetime, clock: HubClock) -> Status | None:
    """Write down what one of them has decided; gives the status that the consent moves to, if it does.

    Raises:
        UnusableInputError: the consent has no such authorizer, or it decides nothing.
        IllegalMoveError: the consent waits for nobody, or not for this one any more.
    """
    people: dict[str, Any] = (consent.meta or {}).get("MultipleAuthorizers", {})
    found = [one for one in people.get("Authorizations", []) if one["AuthorizerId"] == authorizer_id]
    if not found or decision is Decision.PENDING:
        raise UnusableInputError(
            f"consent {consent.consent_id} has no authorizer {authorizer_id!r} who could decide so"
        )
    if consent.status != Status.AWAITING_AUTHORIZATION or found[0]["AuthorizationStatus"] != Decision.PENDING:
        raise IllegalMoveError(f"consent {consent.consent_id} does not wait for {authorizer_id} any more")
    found[0] |= {"AuthorizationStatus": decision.value, "AuthorizationDate": clock.text(clock.cut(at))}
    if decision is Decision.REJECTED:
        return Status.REJECTED
    approved = sum(one["AuthorizationStatus"] == Decision.APPROVED for one in people["Authorizations"])
    return Status.AUTHORIZED if approved >= people["TotalRequired"] else None
