"""Bodies of the control API. Unknown members are refused, so that a typo never plays a hub without fault."""

from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from tracker.sandbox.authorizers import Decision
from tracker.sandbox.consent import ExpiryPolicy
from tracker.sandbox.consents import DEFAULT_VALIDITY, Terms
from tracker.sandbox.faults import ApiFault, EventFault
from tracker.sandbox.kinds import Kind
from tracker.sandbox.outage import Mode
from tracker.sandbox.patch import RevocationPolicy


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClientBody(_Body):
    """Register a third party."""

    client_id: str
    webhook_url: str
    signing_jwks: dict[str, Any]
    encryption_jwks: dict[str, Any]
    encryption_kid: str | None = None


class ExpiryBody(_Body):
    """Say what happens when a time limit passes; `late_seconds` null never flips."""

    late_seconds: float | None = Field(default=0.0, ge=0)
    send_event: bool = True

    def policy(self) -> ExpiryPolicy:
        """Give the policy."""
        return ExpiryPolicy(self.late_seconds, self.send_event)


class StageBody(_Body):
    """Stage a consent. Limits are instants, or seconds after the creation; the instant wins."""

    kind: Kind
    consent_id: str | None = None
    client_id: str | None = None
    base_consent_id: str | None = None
    creation_date_time: AwareDatetime | None = None
    expiration_date_time: AwareDatetime | None = None
    expires_in_seconds: float | None = Field(default=None, gt=0)
    authorization_expiration_date_time: AwareDatetime | None = None
    authorization_expires_in_seconds: float | None = Field(default=None, gt=0)
    data: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    authorizers: int | None = None
    webhook_url: str | None = None
    webhook_active: bool = True
    expiry: ExpiryBody | None = None
    send: bool = False

    def terms(self) -> Terms:
        """Give what is asked for."""
        return Terms(
            base_consent_id=self.base_consent_id,
            creation=self.creation_date_time,
            expiration=_limit(self.expiration_date_time, self.expires_in_seconds) or DEFAULT_VALIDITY,
            authorization_expiration=_limit(
                self.authorization_expiration_date_time, self.authorization_expires_in_seconds
            ),
            data=self.data,
            meta=self.meta,
            authorizers=self.authorizers,
            webhook_url=self.webhook_url,
            webhook_active=self.webhook_active,
            expiry=self.expiry.policy() if self.expiry else None,
        )


class MoveBody(_Body):
    """Give a consent another status."""

    status: str = Field(min_length=1)
    revoked_by: str | None = None
    at: AwareDatetime | None = None
    send: bool = True
    force: bool = False
    fault: EventFault | None = None


class UpdateBody(_Body):
    """Change members of `Data` other than the status."""

    data: dict[str, Any]
    send: bool = True
    fault: EventFault | None = None


class EventBody(_Body):
    """Send an event beside the moves: a consent's present state, or one of another family.

    `subject` is the id of the consent, quote or account; a payment event needs `payment_id` too.
    """

    family: Literal["consent", "payment", "insurance-quote", "fx-quote", "account-opening"] = "consent"
    subject: str = Field(min_length=1)
    payment_id: str = Field(default="PMT-000001", min_length=1, max_length=40)
    status: str | None = None
    client_id: str | None = None
    fault: EventFault | None = None


class ReleaseBody(_Body):
    """Let held events go: those about one subject, or all."""

    subject: str | None = None


class EventFaultBody(_Body):
    """Plan a fault for the next event, about one subject or any."""

    fault: EventFault
    subject: str | None = None


class ApiFaultBody(_Body):
    """Let answers go wrong from now on."""

    fault: ApiFault


class OutageBody(_Body):
    """Be away; without `seconds` until told otherwise. While connections are refused nobody can tell: say how long."""

    mode: Mode
    seconds: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _comes_back(self) -> Self:
        if self.mode is Mode.REFUSE and self.seconds is None:
            raise ValueError("a hub that refuses connections needs seconds, or it could not be told to come back")
        return self


class RevocationBody(_Body):
    """Say what happens with consents that cannot be revoked."""

    no_op: bool = False
    suspended: bool = True

    def policy(self) -> RevocationPolicy:
        """Give the policy."""
        return RevocationPolicy(no_op=self.no_op, suspended=self.suspended)


class GroupRevokeBody(_Body):
    """Revoke a whole chain."""

    revoked_by: str | None = "LFI.InitiatedByUser"


class DecisionBody(_Body):
    """Say what one of several authorizers has decided."""

    authorizer_id: str
    status: Decision
    send: bool = True


class TokenBody(_Body):
    """Kill access tokens: those of one client, or all; and say how long the next ones live."""

    client_id: str | None = None
    lifetime_seconds: int | None = Field(default=None, gt=0)


class RotateBody(_Body):
    """Make a new signing key."""

    keep_old: bool = True


def _limit(instant: datetime | None, seconds: float | None) -> datetime | timedelta | None:
    return instant if instant is not None or seconds is None else timedelta(seconds=seconds)
