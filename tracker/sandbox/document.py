"""A consent as the standard writes it: the `Data` object, and the resource around it.

Spec: OpenAPI v2.1 `AEBankDataSharingConsentPropertiesV21`, `AEBankServiceInitiationConsentProperties`,
`AEReadInsuranceConsent1`; Meta is required for insurance only, Links.Related for payments only.
"""

from copy import deepcopy
from typing import Any
from urllib.parse import quote

from tracker.sandbox.clock import HubClock
from tracker.sandbox.consent import Consent
from tracker.sandbox.kinds import RESOURCES, Kind


def data_of(consent: Consent, clock: HubClock) -> dict[str, Any]:
    """Write `Data` with every date-time as a string."""
    data: dict[str, Any] = {"ConsentId": consent.consent_id}
    if consent.base_consent_id is not None:
        data["BaseConsentId"] = consent.base_consent_id
    data |= {
        "Status": consent.status,
        "CreationDateTime": clock.text(consent.creation_date_time),
        "StatusUpdateDateTime": clock.text(consent.status_update_date_time),
        "ExpirationDateTime": clock.text(consent.expiration_date_time),
    }
    if consent.authorization_expiration_date_time is not None:
        data["AuthorizationExpirationDateTime"] = clock.text(consent.authorization_expiration_date_time)
    if consent.revoked_by is not None:
        data["RevokedBy"] = consent.revoked_by
    return data | deepcopy(consent.data)


def resource_of(consent: Consent, clock: HubClock, *, base_url: str, webhook_url: str) -> dict[str, Any]:
    """Write the body of GET one consent.

    Args:
        consent: what to write.
        clock: how instants are written.
        base_url: the hub's origin, without a slash at the end.
        webhook_url: where its events go.
    """
    webhook: dict[str, Any] = {"Url": webhook_url, "IsActive": consent.webhook_active}
    if consent.kind is Kind.INSURANCE and not webhook_url.startswith("https://"):
        # The insurance file alone demands https here; Url is optional, and on loopback there may be none to tell.
        del webhook["Url"]
    path = f"{RESOURCES[consent.kind].path}/{quote(consent.consent_id, safe='')}"
    resource: dict[str, Any] = {
        "Data": data_of(consent, clock),
        "Subscription": {"Webhook": webhook},
        "Links": {"Self": base_url + path},
    }
    if consent.kind is Kind.PAYMENT:
        resource["Links"]["Related"] = []
    if consent.meta is not None or consent.kind is Kind.INSURANCE:
        resource["Meta"] = deepcopy(consent.meta or {})
    return resource
