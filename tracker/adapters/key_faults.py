"""What a key file holds instead of what it should, and what to do: in continuation of its name, no part of a key in it."""

from pathlib import Path
from typing import Any

from tracker.adapters.pem_keys import pem_labels


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
        made = path.with_suffix(".jwks.json")
        command = f"tracker keys make {kind} --from {path} --kid KID --out {made}"
        return f"is PEM and not a JWK Set; write it as one, under the id that the directory gave it: `{command}`"
    if labels:
        return f"holds {labels[0].lower()} in PEM; put our private key there, as JWK"
    return f"is not JSON; put the private key there as JWK, or make a new one with `tracker keys make {kind}`"
