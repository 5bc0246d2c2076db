"""What a key file holds instead of what it should, and what to do: in continuation of its name, no part of a key in it."""

from pathlib import Path
from typing import Any, Final

from tracker.adapters.pem_keys import pem_labels

_SEQUENCE: Final = b"\x30\x82"
"""How DER begins that is as long as an RSA key."""


def no_set(document: Any, kind: str) -> str:
    """Say it of a file that is JSON and no JWK Set."""
    if isinstance(document, dict) and "kty" in document:
        return 'is not a JWK Set but one JWK; put {"keys": [ before it and ]} after it'
    if isinstance(document, list) and document:
        return 'is not a JWK Set but a list; put {"keys": before it and } after it'
    return (
        f'is not a JWK Set with a list "keys"; put the private keys there, or make one with `tracker keys make {kind}`'
    )


def no_json(data: bytes, path: Path, kind: str) -> str:
    """Say it of a file that is not JSON."""
    labels = pem_labels(data)
    if kind != "checkpoint" and any(label.endswith("PRIVATE KEY") for label in labels):
        command = _take_over(path, kind, path)
        return (
            f"is PEM and not a JWK Set; write it as one, under the id that the directory has, and name that: {command}"
        )
    if labels:
        return f"is PEM ({labels[0]}) and not our private key as JWK; put that there"
    if kind != "checkpoint" and data.startswith(_SEQUENCE):
        return (
            "is DER or PKCS#12 and not a JWK Set; write its private key as PEM with `openssl pkey -inform DER` or "
            f"`openssl pkcs12 -nocerts -nodes`, and that as a JWK Set: {_take_over(path, kind, None)}"
        )
    return f"is not JSON; put the private key there as JWK, or make a new one with `tracker keys make {kind}`"


def _take_over(path: Path, kind: str, source: Path | None) -> str:
    made = path.with_name(path.name.partition(".")[0] + ".jwks.json")
    return f"`tracker keys make {kind} --from {source or 'PEM'} --kid KID --out {made if path != made else 'FILE'}`"
