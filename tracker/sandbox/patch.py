"""Read what a third party sends to change a consent: its media type, its signature, its form.

A signed body holds when, in this order: it is a compact JWS (`JWS.Malformed`); `alg` is PS256 and `kid` one of the client's
signing keys (`JWS.InvalidHeader`); the signature verifies (`JWS.InvalidSignature`); `iss` is the client, `aud`, if any, names
the hub, `exp` lies ahead and `nbf` does not, and `message` is an object (`JWS.InvalidClaim`).

Spec: OpenAPI v2.1 `AEPatchConsent`, `AEPatchPaymentConsentSigned`, `AEUpdateConsent1` and the media types beside them.
Conflict: two of the files let a third party say that the holder revoked; the hub takes what the files take.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tracker.sandbox.clients import Client
from tracker.sandbox.compact import MalformedTokenError, decode_json
from tracker.sandbox.consent import REVOKERS
from tracker.sandbox.jose import is_signed_by
from tracker.sandbox.kinds import JSON, JWT, Kind

LEEWAY_SECONDS = 60

_PARTS = 3
_THEIR_OWN_REVOKERS = frozenset({"TPP", "TPP.InitiatedByUser"})


class RefusedPatchError(Exception):
    """The hub does not take the body.

    Attributes:
        code: the standard's code for why.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class RevocationPolicy:
    """What the hub does with consents that cannot be revoked.

    Attributes:
        no_op: answer 204 and do nothing, as hubs did until 6 Jul 2026; otherwise 400.
        suspended: whether a suspended consent can be revoked; the standard's texts disagree.
    """

    no_op: bool = False
    suspended: bool = True


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Data(_Strict):
    status: Literal["Revoked"] = Field(alias="Status")
    revoked_by: str | None = Field(None, alias="RevokedBy")


class _Webhook(_Strict):
    url: str | None = Field(None, alias="Url")
    is_active: bool | None = Field(None, alias="IsActive")


class _Subscription(_Strict):
    webhook: _Webhook = Field(alias="Webhook")


class Patch(_Strict):
    """What is to be changed: the status, to Revoked, or where events go."""

    data: _Data | None = Field(None, alias="Data")
    subscription: _Subscription | None = Field(None, alias="Subscription")


def media_types_of(kind: Kind) -> frozenset[str]:
    """List the media types that a body may have."""
    return frozenset({JWT}) if kind is Kind.PAYMENT else frozenset({JSON, JWT})


def read_patch(body: bytes, media_type: str, kind: Kind, client: Client, *, issuer: str, now: float) -> Patch:
    """Read a body.

    Args:
        body: as it came.
        media_type: its content type, which is one of those that the kind takes.
        kind: of the consent.
        client: who sends it.
        issuer: what `aud` must name.
        now: seconds since the epoch.

    Raises:
        RefusedPatchError: it is not signed as it must be, or not of the form.
    """
    try:
        text = body.decode()
        content = _message(text, client, issuer=issuer, now=now) if media_type == JWT else None
        patch = Patch.model_validate_json(body) if content is None else Patch.model_validate(content)
    except (UnicodeDecodeError, ValidationError) as error:
        raise RefusedPatchError("Body.InvalidFormat") from error
    if patch.data is None and (patch.subscription is None or kind is Kind.INSURANCE):
        raise RefusedPatchError("Body.InvalidFormat")
    revokers = _THEIR_OWN_REVOKERS if kind is Kind.PAYMENT else REVOKERS
    if patch.data is not None and patch.data.revoked_by not in {None, *revokers}:
        raise RefusedPatchError("Body.InvalidFormat")
    return patch


def _message(token: str, client: Client, *, issuer: str, now: float) -> Mapping[str, Any]:
    parts = token.strip().split(".")
    if len(parts) != _PARTS:
        raise RefusedPatchError("JWS.Malformed")
    try:
        header, claims = decode_json(parts[0]), decode_json(parts[1])
    except MalformedTokenError as error:
        raise RefusedPatchError("JWS.Malformed") from error
    kid = header.get("kid")
    key = client.signing_keys.get(kid) if isinstance(kid, str) else None
    if header.get("alg") != "PS256" or key is None:
        raise RefusedPatchError("JWS.InvalidHeader")
    try:
        is_signed = is_signed_by(token.strip(), key)
    except MalformedTokenError as error:
        raise RefusedPatchError("JWS.Malformed") from error
    if not is_signed:
        raise RefusedPatchError("JWS.InvalidSignature")
    message = claims.get("message")
    if not _are_meant(claims, client, issuer=issuer, now=now) or not isinstance(message, dict):
        raise RefusedPatchError("JWS.InvalidClaim")
    return message


def _are_meant(claims: Mapping[str, Any], client: Client, *, issuer: str, now: float) -> bool:
    expiry, begin = claims.get("exp"), claims.get("nbf")
    audience = claims.get("aud", [issuer])
    return (
        claims.get("iss") == client.client_id
        and isinstance(audience, list)
        and issuer in audience
        and _is_number(expiry)
        and expiry + LEEWAY_SECONDS > now
        and _is_number(begin)
        and begin - LEEWAY_SECONDS <= now
    )


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
