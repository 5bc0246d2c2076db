"""The compact serialisation that JWS and JWE share: strict base64url parts and a JSON header.

Spec: RFC 7515 §2 (base64url without padding) and §4 (duplicate header names are refused).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NoReturn


class MalformedTokenError(Exception):
    """Not a token in compact serialisation."""


def encode(raw: bytes) -> str:
    """Write base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Read base64url without padding.

    Raises:
        MalformedTokenError: padding, foreign letters, or bits that no encoder writes.
    """
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error) as error:
        raise MalformedTokenError("a part is not base64url") from error
    if encode(raw) != text:
        raise MalformedTokenError("a part is not canonical base64url")
    return raw


def encode_json(value: Mapping[str, Any]) -> str:
    """Write a JSON object as one part."""
    return encode(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8"))


def decode_json(part: str) -> dict[str, Any]:
    """Read one part that must hold a JSON object.

    Raises:
        MalformedTokenError: not base64url, not JSON, not an object, or a name twice.
    """
    try:
        value = json.loads(decode(part), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedTokenError("a part is not JSON") from error
    if not isinstance(value, dict):
        raise MalformedTokenError("a part is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise MalformedTokenError("a name appears twice")
    return names


def _refuse(name: str) -> NoReturn:
    raise MalformedTokenError(f"{name} is not a JSON number")
