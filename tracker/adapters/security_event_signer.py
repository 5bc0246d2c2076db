"""Signing Security Event Tokens with the key of notifications.

Spec: RFC 7515 §7.1 (compact), RFC 8037 §3.1 (EdDSA), RFC 8417 §2.3 (`typ`).
"""

import json

from tracker.adapters.notification_keys import NotificationKeys
from tracker.journal.private import base64url
from tracker.ports import EventSigner


def event_signer(keys: NotificationKeys | None) -> EventSigner | None:
    """Make what signs with the first of the keys; None where there is none."""
    if keys is None:
        return None
    header = {"alg": "EdDSA", "kid": keys.kid, "typ": "secevent+jwt"}
    protected = base64url(json.dumps(header, separators=(",", ":")).encode())
    private_key = keys.private_key

    def sign(claims: bytes) -> str:
        signed = f"{protected}.{base64url(claims)}"
        return f"{signed}.{base64url(private_key.sign(signed.encode()))}"

    return sign
