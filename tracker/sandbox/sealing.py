"""Make the tokens of one event: claims, signature, encryption, and the faults in each of them.

Spec: webhook template v2.1 (`AEWebhookEventSigned`) for the claims; the digest's §3.3 for both headers. `jti` is not in
the template, but the prose speaks of a replay check on it, so events have one.
"""

from typing import Any
from uuid import uuid4

from tracker.sandbox import jose
from tracker.sandbox.clients import Client
from tracker.sandbox.faults import EventFault
from tracker.sandbox.keyring import Keyring
from tracker.sandbox.message import Message

EVENT_LIFETIME_SECONDS = 3600
_LONG_AGO_SECONDS = 2 * EVENT_LIFETIME_SECONDS


def claims_of(message: Message, fault: EventFault, *, issuer: str, client_id: str, now: int) -> dict[str, Any]:
    """Write the claims that will be signed.

    Args:
        message: what the event says.
        fault: what goes wrong.
        issuer: the hub's issuer.
        client_id: whom it is for.
        now: seconds since the epoch.
    """
    body = {"Meta": message.body["Meta"]} if fault.omit_data else message.body
    issued = now - _LONG_AGO_SECONDS if fault.lapsed else now
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": ["somebody-else" if fault.wrong_audience else client_id],
        "iat": issued,
        "nbf": issued + (EVENT_LIFETIME_SECONDS if fault.not_yet_valid else 0),
        "exp": issued + (_LONG_AGO_SECONDS if fault.not_yet_valid else EVENT_LIFETIME_SECONDS),
        "jti": str(uuid4()),
        "message": body,
    }
    claims |= fault.claims
    return {name: value for name, value in claims.items() if value is not None}


def seal(claims: dict[str, Any], fault: EventFault, client: Client, keyring: Keyring) -> tuple[str, str]:
    """Sign and encrypt one copy; gives the compact JWS and the compact JWE around it."""
    key = keyring.stranger if fault.wrong_key else keyring.current
    kid = f"unknown-{uuid4()}" if fault.unknown_signing_kid else keyring.current.kid
    signed = jose.sign(claims, key, kid=kid)
    encryption_kid = f"unknown-{uuid4()}" if fault.unknown_encryption_kid else client.encryption_kid
    key_of_client = client.encryption_keys[client.encryption_kid]
    return signed, jose.encrypt(signed.encode("ascii"), key_of_client, encryption_kid)
