"""The compact form that JWS and JWE share: parts of strict base64url, the first of which is a JSON header.

    BASE64URL(header).BASE64URL(payload).BASE64URL(signature)                                                  JWS
    BASE64URL(header).BASE64URL(encrypted key).BASE64URL(iv).BASE64URL(ciphertext).BASE64URL(tag)              JWE

Nothing here decrypts or verifies; it says what a token claims to be, in microseconds, so that what cannot be opened is
refused before it costs anything. Every value has one spelling: padding, blanks, foreign letters and spare bits that are
not zero are refused, since libraries skip over them and a token could be changed without its signature noticing.

Spec: RFC 7515 §2, §4, §7.1; RFC 7516 §4, §7.1; RFC 4648 §3.5. `zip` (RFC 7516 §4.1.3), `crit` (RFC 7515 §4.1.11) and
`b64` (RFC 7797) are refused: no profile here needs them, and each has been a hole in some library.
"""

import binascii
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeGuard

from tracker.domain import strict_json
from tracker.domain.errors import MalformedEventError, OversizedEventError, UndecryptableEventError
from tracker.profiles.profile import Push

JWS_PARTS: Final = 3
JWE_PARTS: Final = 5

MAX_HEADER_BYTES: Final = 2048
"""Decoded. Ours name an algorithm and a key; a certificate chain in `x5c`, which we never read, would be larger."""

MAX_KID_CHARACTERS: Final = 256

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_PADDING: Final = (b"", b"===", b"==", b"=")

_LAST_LETTERS: Final = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
"""What a part may end in when it is 2 or 3 longer than a multiple of 4: the letters whose spare bits are zero."""

_REFUSED_MEMBERS: Final = ("zip", "crit", "b64")


class Compact(NamedTuple):
    """A token taken apart.

    Attributes:
        header: What it says about itself; `alg` is a string, `kid` one of printable ASCII.
        pieces: Its parts, not decoded.
        token: The whole of it.
    """

    header: Mapping[str, Any]
    pieces: list[bytes]
    token: bytes


def split(token: bytes, parts: int) -> list[bytes]:
    """Take a token apart, without decoding.

    Args:
        token: Without blanks around it.
        parts: How many there must be: 3 for JWS, 5 for JWE.

    Returns:
        The parts; all but the first may be empty.

    Raises:
        MalformedEventError: `not_compact_jws` or `not_compact_jwe`.
    """
    pieces = token.split(b".", parts)
    if (
        len(pieces) != parts
        or not pieces[0]
        or token.translate(None, _ALPHABET) != b"." * (parts - 1)
        or not _have_one_spelling(pieces)
    ):
        raise MalformedEventError("not_compact_jwe" if parts == JWE_PARTS else "not_compact_jws")
    return pieces


def _have_one_spelling(pieces: list[bytes]) -> bool:
    for piece in pieces:
        surplus = len(piece) % 4
        if surplus and (surplus not in _LAST_LETTERS or piece[-1] not in _LAST_LETTERS[surplus]):
            return False
    return True


def decoded(piece: bytes) -> bytes:
    """Decode a part that `split` gave."""
    return binascii.a2b_base64(piece.translate(_TO_STANDARD) + _PADDING[len(piece) % 4])


def take_apart(token: bytes, parts: int) -> Compact:
    """Take a token apart and read its header, as `protected_header` does."""
    pieces = split(token, parts)
    return Compact(_header(pieces[0], MAX_HEADER_BYTES), pieces, token)


def protected_header(token: bytes, parts: int, max_bytes: int = MAX_HEADER_BYTES) -> Mapping[str, Any]:
    """Read what a token says about itself. None of it is true until the token has been verified or decrypted.

    Args:
        token: Without blanks around it.
        parts: 3 for JWS, 5 for JWE.
        max_bytes: How long the header may be, decoded.

    Returns:
        The header; `alg` is a string, `kid` one of printable ASCII.

    Raises:
        MalformedEventError: `not_compact_jws` or `not_compact_jwe`, `header_too_large`, `header_not_json`,
            `header_not_object`, `zip_not_allowed`, `crit_not_allowed`, `b64_not_allowed`, `alg_missing`, `kid_missing`.
    """
    return _header(split(token, parts)[0], max_bytes)


@lru_cache(maxsize=128)  # a holder's events begin with the same few
def _header(piece: bytes, max_bytes: int) -> Mapping[str, Any]:
    if len(piece) * 3 // 4 > max_bytes:
        raise MalformedEventError("header_too_large")
    header = _object(decoded(piece), "header")
    for name in _REFUSED_MEMBERS:
        if name in header:
            raise MalformedEventError(f"{name}_not_allowed")
    if not isinstance(header.get("alg"), str):
        raise MalformedEventError("alg_missing")
    if not is_key_id(header.get("kid")):
        raise MalformedEventError("kid_missing")
    return MappingProxyType(header)


def is_key_id(value: object) -> TypeGuard[str]:
    """Whether a value can be a key id: a string of 1 to 256 printable ASCII characters."""
    return isinstance(value, str) and 0 < len(value) <= MAX_KID_CHARACTERS and value.isascii() and value.isprintable()


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = strict_json.loads(data)
    except strict_json.NotStrictJsonError as error:
        raise MalformedEventError(f"{what}_not_json") from error
    if not isinstance(value, dict):
        raise MalformedEventError(f"{what}_not_object")
    return value


def check_event_header(token: bytes, push: Push, knows_kid: Callable[[str], bool]) -> str:
    """Decide whether an event may be kept for opening, from its size, form and header alone.

    Args:
        token: The body, blanks around it taken off.
        push: What the ecosystem allows.
        knows_kid: Whether a key id is one of our encryption keys.

    Returns:
        The key id of the key that it is encrypted for.

    Raises:
        OversizedEventError: `too_large`.
        MalformedEventError: As `protected_header`.
        UndecryptableEventError: `alg_not_allowed`, `enc_not_allowed`, `kid_unknown`.
    """
    kid: str = open_event(token, push, knows_kid).header["kid"]
    return kid


def open_event(token: bytes, push: Push, knows_kid: Callable[[str], bool]) -> Compact:
    """Take an event apart that may be opened; what may not is refused as `check_event_header` says."""
    if len(token) > push.max_body_bytes:
        raise OversizedEventError("too_large")
    taken = take_apart(token, JWE_PARTS)
    header = taken.header
    kid: str = header["kid"]
    if header["alg"] not in push.jwe_algs:
        raise UndecryptableEventError("alg_not_allowed")
    if not isinstance(header.get("enc"), str) or header["enc"] not in push.jwe_encs:
        raise UndecryptableEventError("enc_not_allowed")
    if not knows_kid(kid):
        raise UndecryptableEventError("kid_unknown", f"it is encrypted for {kid!r}")
    return taken


def unverified_claims(jws: bytes) -> tuple[str, Mapping[str, Any]]:
    """Read what a signed token claims, to find out whose keys to verify it with. Good for nothing else.

    Args:
        jws: A compact JWS without blanks around it.

    Returns:
        The key id that it names, and its claims.

    Raises:
        MalformedEventError: As `protected_header`; `claims_not_json`, `claims_not_object`.
    """
    signed = take_apart(jws, JWS_PARTS)
    return signed.header["kid"], read_claims(decoded(signed.pieces[1]))


def read_claims(payload: bytes) -> Mapping[str, Any]:
    """Read the payload of a token, decoded, as claims.

    Raises:
        MalformedEventError: `claims_not_json`, `claims_not_object`.
    """
    return _object(payload, "claims")
