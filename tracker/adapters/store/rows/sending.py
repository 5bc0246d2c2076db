"""The column that says how a subscriber wants to be told. What is usual is not written."""

from typing import Any

from tracker.domain.sending import AS_USUAL, HMAC, ClientCredentials, Sending, StaticHeader


def sending_value(sending: Sending) -> dict[str, Any] | None:
    """How the column has it; None: as usual."""
    if sending == AS_USUAL:
        return None
    credentials = sending.credentials
    return {
        "signatures": list(sending.signatures),
        "headers": [[header.name, header.value] for header in sending.headers],
        "oauth": None
        if credentials is None
        else {
            "token_url": credentials.token_url,
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
            "scope": credentials.scope,
        },
        "certificate": sending.certificate,
    }


def to_sending(value: dict[str, Any] | None) -> Sending:
    """What the column says."""
    if value is None:
        return AS_USUAL
    oauth = value.get("oauth")
    return Sending(
        signatures=tuple(value.get("signatures", [HMAC])),
        headers=tuple(StaticHeader(name, text) for name, text in value.get("headers", [])),
        credentials=None if oauth is None else ClientCredentials(**oauth),
        certificate=value.get("certificate"),
    )
