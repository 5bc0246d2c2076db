"""Our public keys over the wire. Spec: RFC 7517 §5, RFC 8037 §2, Standard Webhooks 1.0 (`whpk_…`)."""

from typing import Literal

from pydantic import Field

from tracker.web.api.shapes.fields import Out


class NotificationKeyOut(Out):
    """One of the keys, as JWK."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str = Field(description="The key; 32 bytes in base64url.")
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]
    whpk: str = Field(description="The key as Standard Webhooks writes it: `whpk_` and base64.")


class NotificationKeysOut(Out):
    """A JWK Set of our public keys for notifications; the one that signs now is first."""

    keys: tuple[NotificationKeyOut, ...]
