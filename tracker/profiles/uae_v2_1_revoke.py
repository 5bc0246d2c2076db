"""UAE Open Finance: what we send to have a consent revoked, and which consents a pause has a meaning for.

Spec: account information v2.1-errata2 `AEPatchConsent`, bank initiation v2.1-errata2 `AEPatchPaymentConsentSigned`,
insurance v2.1-errata1 `AEUpdateConsent1`: `Status` is `Revoked` and nothing else. Payments take `application/jwt` alone; the
others take `application/json` too, which is sent to them, because their answers say what came of it and the connection
vouches for us.
Conflict: two of the files let a third party say `LFI` or `LFI.InitiatedByUser` as well; those would not be the truth.
"""

from collections.abc import Mapping
from typing import Any, Final

from tracker.profiles.profile import RevokeCall

REVOKED_BY_US: Final = "TPP"
REVOKERS: Final = frozenset({REVOKED_BY_US, "TPP.InitiatedByUser"})
"""By our own decision, and by the customer's, told to us. Spec: `AERevokedByPatchConsent`."""


def revoke_call(revoked_by: str, *, must_be_signed: bool) -> RevokeCall:
    """Make the PATCH that revokes."""
    body = {"Data": {"Status": "Revoked", "RevokedBy": revoked_by}}
    return RevokeCall(
        method="PATCH",
        media_type="application/jwt" if must_be_signed else "application/json",
        content={"message": body} if must_be_signed else body,
        must_be_signed=must_be_signed,
    )


def may_be_paused(terms: Mapping[str, Any] | None) -> bool:
    """Whether a consent is for more than one single payment: that one is made, or it is not.

    Spec: TPP standards v2.1, consent management interface: pause and resume, single payments left out.
    """
    control = (terms or {}).get("ControlParameters")
    schedule = control.get("ConsentSchedule") if isinstance(control, Mapping) else None
    return not (isinstance(schedule, Mapping) and schedule.get("SinglePayment") is not None)
