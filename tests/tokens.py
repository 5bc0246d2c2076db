"""Tokens as a hub makes them, and as somebody makes them who is wrong or means harm. Never by jwcrypto.

The good ones: `jws(claims)`, `jwe(plaintext)`, `event(claims)`. The bad ones stand in three tables, by what is wrong with
them, in the order in which a body is looked at: `REFUSED_AT_GATE` (bodies), `REFUSED_AT_DECRYPTION` (bodies that pass
the gate), `REFUSED_AT_VERIFICATION` (inner tokens; wrap them with `jwe`). Each says which error and reason is due.

Keys are made once a process, by name: `rsa_key("ours")` is the one that events are encrypted for, `rsa_key("hub")` the
one that the hub signs with.
"""

import base64
import hashlib
import hmac
import json
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwe as joserfc_jwe
from joserfc.jwk import OctKey, RSAKey

from tracker.domain.errors import (
    MalformedEventError,
    OversizedEventError,
    RejectedEventError,
    UndecryptableEventError,
    UntrustedEventError,
)
from tracker.profiles.profile import Push

CLIENT_ID = "tpp-client-001"
ISSUER = "https://auth1.demobank.apihub.openfinance.ae"
OUR_KID = "tpp-enc-2026-a"
HUB_KID = "hub-sig2-demobank-1"
JWKS_URI = "https://keystore.example/org/application.jwks"

PUSH = Push(
    jwe_algs=frozenset({"RSA-OAEP-256"}),
    jwe_encs=frozenset({"A256GCM"}),
    jws_algs=frozenset({"PS256"}),
    max_body_bytes=64 * 1024,
    accepted_status=202,
)

ABSENT = object()
"""Given as a header parameter: leave it out."""


# ---------------------------------------------------------------------------------------------- keys


@cache
def rsa_key(name: str, bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(exponent, bits)


@cache
def ec_key(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@cache
def ed_key(name: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


KEYS_BY_ALGORITHM: dict[str, Callable[[str], Any]] = {
    "PS256": rsa_key,
    "PS384": rsa_key,
    "PS512": rsa_key,
    "ES256": ec_key,
    "ES384": lambda name: ec_key(name, ec.SECP384R1),
    "EdDSA": ed_key,
}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def uint(number: int, size: int | None = None) -> str:
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}


def public_jwk(key: Any, **members: Any) -> dict[str, Any]:
    """The public half of a private key as a JWK, with further members."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": uint(numbers.n), "e": uint(numbers.e), **members}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point, size = public.public_numbers(), (public.curve.key_size + 7) // 8
        return {
            "kty": "EC",
            "crv": _CURVES[public.curve.name],
            "x": uint(point.x, size),
            "y": uint(point.y, size),
            **members,
        }
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw()), **members}


def private_jwk(key: rsa.RSAPrivateKey, **members: Any) -> dict[str, Any]:
    numbers = key.private_numbers()
    names = {"d": numbers.d, "p": numbers.p, "q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
    return public_jwk(key) | {name: uint(value) for name, value in names.items()} | members


def jwk_set(*members: Any) -> bytes:
    return json.dumps({"keys": members}).encode()


def hub_jwks() -> bytes:
    """What the hub publishes."""
    return jwk_set(public_jwk(rsa_key("hub"), kid=HUB_KID, use="sig", alg="PS256"))


def our_private_jwks() -> bytes:
    """What stands in our encryption key file."""
    return jwk_set(private_jwk(rsa_key("ours"), kid=OUR_KID, use="enc", alg="RSA-OAEP-256"))


# ---------------------------------------------------------------------------------------------- signing


def claims(**changes: Any) -> dict[str, Any]:
    """An event's claims, valid in March 2026; `ABSENT` leaves one out."""
    whole = {
        "iss": ISSUER, "aud": [CLIENT_ID], "iat": 1772450000, "nbf": 1772450000, "exp": 1772453600,
        "jti": "e7d9a6b4-19c2-4c56-8f1e-7c70b3f0d511",
        "message": {"Meta": {"EventType": "Resource.Updated", "ConsentId": "c-1"}, "Data": {"Status": "Authorized"}},
    }  # fmt: skip
    return _changed(whole, changes)


def _changed(whole: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**whole, **changes}.items() if value is not ABSENT}


def _pss(digest: hashes.HashAlgorithm, salt: int | None = None) -> Callable[[Any, bytes], bytes]:
    mask = padding.PSS(padding.MGF1(digest), digest.digest_size if salt is None else salt)
    return lambda key, data: key.sign(data, mask, digest)


def _ecdsa(size: int, digest: hashes.HashAlgorithm) -> Callable[[Any, bytes], bytes]:
    def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


SIGNERS: dict[str, Callable[[Any, bytes], bytes]] = {
    "PS256": _pss(hashes.SHA256()),
    "PS384": _pss(hashes.SHA384()),
    "PS512": _pss(hashes.SHA512()),
    "RS256": lambda key, data: key.sign(data, padding.PKCS1v15(), hashes.SHA256()),
    "ES256": _ecdsa(32, hashes.SHA256()),
    "ES384": _ecdsa(48, hashes.SHA384()),
    "EdDSA": lambda key, data: key.sign(data),
    "HS256": lambda key, data: hmac.new(key, data, hashlib.sha256).digest(),
    "none": lambda key, data: b"",
}


def jws(
    payload: Mapping[str, Any] | bytes | None = None,
    key: Any = None,
    *,
    signer: Callable[[Any, bytes], bytes] | None = None,
    raw_header: bytes | None = None,
    **header: Any,
) -> bytes:
    """A compact JWS; PS256 by the hub unless something else is said. `signer` signs otherwise than the header says."""
    said = _changed({"alg": "PS256", "kid": HUB_KID}, header)
    body = payload if isinstance(payload, bytes) else json.dumps(claims() if payload is None else payload).encode()
    signing_input = f"{b64(raw_header or json.dumps(said).encode())}.{b64(body)}".encode()
    sign = signer or SIGNERS[said["alg"]]
    return signing_input + b"." + b64(sign(key or rsa_key("hub"), signing_input)).encode()


# ---------------------------------------------------------------------------------------------- encrypting


_OAEP_256 = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
_WRAPPING = {"RSA-OAEP-256": _OAEP_256, "RSA-OAEP": _OAEP, "RSA1_5": padding.PKCS1v15()}


def jwe(
    plaintext: bytes | None = None,
    key: Any = None,
    *,
    content_key: bytes | None = None,
    raw_header: bytes | None = None,
    **header: Any,
) -> bytes:
    """A compact JWE around an inner token, for our key unless another is given; the header may lie about it."""
    said = _changed({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": OUR_KID, "cty": "JWT"}, header)
    protected = b64(raw_header or json.dumps(said).encode())
    secret, iv = content_key or os.urandom(32), os.urandom(12)
    sealed = AESGCM(secret).encrypt(iv, jws() if plaintext is None else plaintext, protected.encode())
    wrapping = _WRAPPING.get(str(said.get("alg")), _OAEP_256)
    wrapped = (key or rsa_key("ours")).public_key().encrypt(secret, wrapping)
    return ".".join([protected, *(b64(part) for part in (wrapped, iv, sealed[:-16], sealed[-16:]))]).encode()


def event(payload: Mapping[str, Any] | None = None, **header: Any) -> bytes:
    """A whole event: the claims, signed by the hub, encrypted for us."""
    return jwe(jws(payload), **header)


def deflated(data: bytes) -> bytes:
    """As `zip: DEF` wants it: raw DEFLATE (RFC 7516 section 4.1.3)."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _by_joserfc(header: dict[str, Any], key: Any) -> bytes:
    names = [header["alg"], header["enc"]]
    return joserfc_jwe.encrypt_compact({**header, "kid": OUR_KID}, jws(), key, algorithms=names).encode()


def _our_joserfc_key() -> RSAKey:
    return RSAKey.import_key(public_jwk(rsa_key("ours")))


def _json_jwe(*, flattened: bool) -> bytes:
    kind = joserfc_jwe.FlattenedJSONEncryption if flattened else joserfc_jwe.GeneralJSONEncryption
    whole = kind({"alg": "RSA-OAEP-256", "enc": "A256GCM"}, jws())
    whole.add_recipient({"kid": OUR_KID}, _our_joserfc_key())
    return json.dumps(joserfc_jwe.encrypt_json(whole, None, algorithms=["RSA-OAEP-256", "A256GCM"])).encode()


# ---------------------------------------------------------------------------------------------- spoiling


def with_part(token: bytes, position: int, change: Callable[[bytes], bytes]) -> bytes:
    """A token with one of its parts changed, as text."""
    parts = token.split(b".")
    parts[position] = change(parts[position])
    return b".".join(parts)


def with_flipped_bit(token: bytes, position: int) -> bytes:
    """A token with one bit of one part changed, still well-formed."""

    def flip(part: bytes) -> bytes:
        data = bytearray(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
        data[len(data) // 2] ^= 1
        return b64(bytes(data)).encode()

    return with_part(token, position, flip)


def with_spare_bits(token: bytes, position: int) -> bytes:
    """The same token to whoever decodes without care: one part spelled with spare bits that are not zero."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    def respell(part: bytes) -> bytes:
        assert len(part) % 4, "a part without spare bits has no second spelling"
        return part[:-1] + alphabet[alphabet.index(part[-1]) + 1 :][:1]

    return with_part(token, position, respell)


@dataclass(frozen=True)
class Bad:
    """How to make a bad token, and what it must be refused with."""

    make: Callable[[], bytes]
    error: type[RejectedEventError]
    reason: str


def _form(make: Callable[[], bytes], reason: str) -> Bad:
    return Bad(make, MalformedEventError, reason)


def _closed(make: Callable[[], bytes], reason: str = "decryption_failed") -> Bad:
    return Bad(make, UndecryptableEventError, reason)


def _untrusted(make: Callable[[], bytes], reason: str) -> Bad:
    return Bad(make, UntrustedEventError, reason)


def _padded_to(size: int) -> bytes:
    token = event()
    return token + b"A" * (size - len(token))


_OUR_HEADER = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": OUR_KID}


REFUSED_AT_GATE: dict[str, Bad] = {
    # form
    "empty": _form(lambda: b"", "not_compact_jwe"),
    "not a JWE": _form(lambda: b"hello", "not_compact_jwe"),
    "not ASCII": _form("ééé.b.c.d.e".encode, "not_compact_jwe"),
    "only dots": _form(lambda: b"....", "not_compact_jwe"),
    "a JWS": _form(jws, "not_compact_jwe"),
    "four parts": _form(lambda: event().rpartition(b".")[0], "not_compact_jwe"),
    "six parts": _form(lambda: event() + b".AAAA", "not_compact_jwe"),
    "JSON serialisation, general": _form(lambda: _json_jwe(flattened=False), "not_compact_jwe"),
    "JSON serialisation, flattened": _form(lambda: _json_jwe(flattened=True), "not_compact_jwe"),
    "64 KiB + 1": Bad(lambda: _padded_to(64 * 1024 + 1), OversizedEventError, "too_large"),
    "stray ! in the header": _form(lambda: with_part(event(), 0, lambda p: p[:4] + b"!" + p[4:]), "not_compact_jwe"),
    "stray ! in the ciphertext": _form(
        lambda: with_part(event(), 3, lambda p: p[:4] + b"!" + p[4:]), "not_compact_jwe"
    ),
    "padding": _form(lambda: with_part(event(), 4, lambda p: p + b"=="), "not_compact_jwe"),
    "blank inside": _form(lambda: with_part(event(), 3, lambda p: p[:8] + b" " + p[8:]), "not_compact_jwe"),
    "line feed inside": _form(lambda: with_part(event(), 3, lambda p: p[:8] + b"\n" + p[8:]), "not_compact_jwe"),
    "standard base64": _form(lambda: with_part(event(), 3, lambda p: b"+/" + p[2:]), "not_compact_jwe"),
    "spare bits in the encrypted key": _form(lambda: with_spare_bits(event(), 1), "not_compact_jwe"),
    "impossible length of a part": _form(lambda: with_part(event(), 2, lambda p: p + b"A"), "not_compact_jwe"),
    # header
    "header of 3 KB": _form(lambda: jwe(x5t="a" * 3000), "header_too_large"),
    "header not JSON": _form(lambda: jwe(raw_header=b"{alg"), "header_not_json"),
    "header not UTF-8": _form(lambda: jwe(raw_header=b'{"alg":"\xff"}'), "header_not_json"),
    "header in UTF-16": _form(lambda: jwe(raw_header=json.dumps(_OUR_HEADER).encode("utf-16")), "header_not_json"),
    "header with a name twice": _form(
        lambda: jwe(raw_header=json.dumps(_OUR_HEADER).encode()[:-1] + b', "alg": "dir"}'), "header_not_json"
    ),
    "header nested deep": _form(lambda: jwe(raw_header=b"[" * 2000), "header_not_json"),
    "header a number": _form(lambda: jwe(raw_header=b"1"), "header_not_object"),
    "header a list": _form(lambda: jwe(raw_header=b"[]"), "header_not_object"),
    "header null": _form(lambda: jwe(raw_header=b"null"), "header_not_object"),
    "kid missing": _form(lambda: jwe(kid=ABSENT), "kid_missing"),
    "kid empty": _form(lambda: jwe(kid=""), "kid_missing"),
    "kid a list": _form(lambda: jwe(kid=[OUR_KID]), "kid_missing"),
    "kid an object": _form(lambda: jwe(kid={"kid": OUR_KID}), "kid_missing"),
    "kid with a line feed": _form(lambda: jwe(kid=OUR_KID + "\nforged log line"), "kid_missing"),
    "kid of 257 letters": _form(lambda: jwe(kid="k" * 257), "kid_missing"),
    "kid unknown": _closed(lambda: jwe(kid="tpp-enc-1999"), "kid_unknown"),
    "kid in other case": _closed(lambda: jwe(kid=OUR_KID.upper()), "kid_unknown"),
    "alg missing": _form(lambda: jwe(alg=ABSENT), "alg_missing"),
    "alg a list": _form(lambda: jwe(alg=["RSA-OAEP-256"]), "alg_missing"),
    "alg none": _closed(lambda: jwe(alg="none"), "alg_not_allowed"),
    "alg RSA1_5": _closed(lambda: jwe(alg="RSA1_5"), "alg_not_allowed"),
    "alg RSA-OAEP": _closed(lambda: jwe(alg="RSA-OAEP"), "alg_not_allowed"),
    "alg in other case": _closed(lambda: jwe(alg="rsa-oaep-256"), "alg_not_allowed"),
    "alg dir": _closed(
        lambda: _by_joserfc({"alg": "dir", "enc": "A256GCM"}, OctKey.import_key(b"k" * 32)), "alg_not_allowed"
    ),
    "alg A256KW": _closed(
        lambda: _by_joserfc({"alg": "A256KW", "enc": "A256GCM"}, OctKey.import_key(b"k" * 32)), "alg_not_allowed"
    ),
    "alg PBES2": _closed(
        lambda: _by_joserfc(
            {"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 1000}, OctKey.import_key(b"a long password")
        ),
        "alg_not_allowed",
    ),
    "p2c bomb": _closed(lambda: jwe(alg="PBES2-HS512+A256KW", p2c=2**31 - 1, p2s=b64(b"salt" * 4)), "alg_not_allowed"),
    "enc A128CBC-HS256": _closed(
        lambda: _by_joserfc({"alg": "RSA-OAEP-256", "enc": "A128CBC-HS256"}, _our_joserfc_key()), "enc_not_allowed"
    ),
    "enc A128GCM": _closed(lambda: jwe(enc="A128GCM", content_key=b"k" * 16), "enc_not_allowed"),
    "enc missing": _closed(lambda: jwe(enc=ABSENT), "enc_not_allowed"),
    "enc a list": _closed(lambda: jwe(enc=["A256GCM"]), "enc_not_allowed"),
    "enc an alg": _closed(lambda: jwe(enc="RSA-OAEP-256"), "enc_not_allowed"),
    "zip": _form(lambda: jwe(deflated(jws()), zip="DEF"), "zip_not_allowed"),
    "zip bomb": _form(lambda: jwe(deflated(b"a" * 10_000_000), zip="DEF"), "zip_not_allowed"),
    "crit": _form(lambda: jwe(crit=["exp"], exp=1), "crit_not_allowed"),
    "crit empty": _form(lambda: jwe(crit=[]), "crit_not_allowed"),
    "b64": _form(lambda: jwe(b64=False), "b64_not_allowed"),
}
"""Bodies that are answered with a refusal; nothing is decrypted for them."""

REFUSED_AT_DECRYPTION: dict[str, Bad] = {
    "tag changed": _closed(lambda: with_flipped_bit(event(), 4)),
    "tag of 12 bytes": _closed(lambda: with_part(event(), 4, lambda p: p[:16])),
    "tag empty": _closed(lambda: with_part(event(), 4, lambda p: b"")),
    "ciphertext changed": _closed(lambda: with_flipped_bit(event(), 3)),
    "ciphertext empty": _closed(lambda: with_part(event(), 3, lambda p: b"")),
    "iv changed": _closed(lambda: with_flipped_bit(event(), 2)),
    "iv empty": _closed(lambda: with_part(event(), 2, lambda p: b"")),
    "encrypted key changed": _closed(lambda: with_flipped_bit(event(), 1)),
    "encrypted key empty": _closed(lambda: with_part(event(), 1, lambda p: b"")),
    "encrypted key of another event": _closed(lambda: with_part(event(), 1, lambda p: event().split(b".")[1])),
    "header of another event": _closed(lambda: with_part(event(), 0, lambda p: event(typ="JWE").split(b".")[0])),
    "for another's key under our kid": _closed(lambda: jwe(key=rsa_key("stranger"))),
    "content key of 16 bytes": _closed(lambda: jwe(content_key=b"k" * 16)),
    "wrapped as RSA-OAEP": _closed(lambda: jwe(raw_header=json.dumps(_OUR_HEADER).encode(), alg="RSA-OAEP")),
    "nothing inside": _closed(lambda: jwe(b"")),
}
"""Bodies that the gate lets in and nobody can open."""


def _public_pem() -> bytes:
    return (
        rsa_key("hub")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _by_the_public_key_as(secret: bytes) -> bytes:
    return jws(key=secret, alg="HS256")


def _with_attackers_key(**header: Any) -> bytes:
    return jws(key=rsa_key("stranger"), **header)


def _certificate_like() -> str:
    return base64.b64encode(b"\x30\x82" + b"a" * 200).decode()


REFUSED_AT_VERIFICATION: dict[str, Bad] = {
    # form
    "empty": _form(lambda: b"", "not_compact_jws"),
    "not a JWS": _form(lambda: b"hello", "not_compact_jws"),
    "a JWE": _form(event, "not_compact_jws"),
    "two parts": _form(lambda: jws().rpartition(b".")[0], "not_compact_jws"),
    "JSON serialisation": _form(
        lambda: json.dumps(dict(zip(("protected", "payload", "signature"), jws().decode().split(".")))).encode(),
        "not_compact_jws",
    ),
    "stray ! in the payload": _form(lambda: with_part(jws(), 1, lambda p: p[:4] + b"!" + p[4:]), "not_compact_jws"),
    "stray ! in the signature": _form(lambda: with_part(jws(), 2, lambda p: p + b"!"), "not_compact_jws"),
    "padding": _form(lambda: with_part(jws(), 2, lambda p: p + b"=="), "not_compact_jws"),
    "spare bits in the signature": _form(lambda: with_spare_bits(jws(), 2), "not_compact_jws"),
    "header of 3 KB": _form(lambda: jws(x5c=["a" * 3000]), "header_too_large"),
    "header not JSON": _form(lambda: jws(raw_header=b"{"), "header_not_json"),
    "header with alg twice": _form(
        lambda: jws(raw_header=b'{"alg":"none","kid":"%b","alg":"PS256"}' % HUB_KID.encode()), "header_not_json"
    ),
    "header a number": _form(lambda: jws(raw_header=b"1"), "header_not_object"),
    "kid missing": _form(lambda: jws(kid=ABSENT), "kid_missing"),
    "alg missing": _form(lambda: jws(alg=ABSENT, signer=SIGNERS["PS256"]), "alg_missing"),
    "b64 false": _form(lambda: jws(b64=False, crit=["b64"]), "crit_not_allowed"),
    "b64 false, not critical": _form(lambda: jws(b64=False), "b64_not_allowed"),
    "crit": _form(lambda: jws(crit=["exp"], exp=1), "crit_not_allowed"),
    # trust
    "unsigned": _untrusted(lambda: jws(alg="none"), "alg_not_allowed"),
    "unsigned, spelled otherwise": _untrusted(lambda: jws(alg="nOnE", signer=SIGNERS["none"]), "alg_not_allowed"),
    "HS256 by the public key as PEM": _untrusted(lambda: _by_the_public_key_as(_public_pem()), "alg_not_allowed"),
    "HS256 by the public key as PEM, trimmed": _untrusted(
        lambda: _by_the_public_key_as(_public_pem().strip()), "alg_not_allowed"
    ),
    "HS256 by the public key as JWK": _untrusted(
        lambda: _by_the_public_key_as(json.dumps(public_jwk(rsa_key("hub"))).encode()), "alg_not_allowed"
    ),
    "HS256 by the modulus": _untrusted(
        lambda: _by_the_public_key_as(public_jwk(rsa_key("hub"))["n"].encode()), "alg_not_allowed"
    ),
    "RS256": _untrusted(lambda: jws(alg="RS256"), "alg_not_allowed"),
    "PS384": _untrusted(lambda: jws(alg="PS384"), "alg_not_allowed"),
    "ES256": _untrusted(lambda: jws(key=ec_key("hub"), alg="ES256"), "alg_not_allowed"),
    "RS256 called PS256": _untrusted(lambda: jws(signer=SIGNERS["RS256"]), "signature_invalid"),
    "PS256 without salt": _untrusted(lambda: jws(signer=_pss(hashes.SHA256(), 0)), "signature_invalid"),
    "PS256 with a salt of 20": _untrusted(lambda: jws(signer=_pss(hashes.SHA256(), 20)), "signature_invalid"),
    "another provider's key": _untrusted(lambda: jws(key=rsa_key("other hub")), "signature_invalid"),
    "another provider's kid": _untrusted(lambda: jws(kid="hub-sig2-otherbank-1"), "kid_mismatch"),
    "a key of its own in jwk": _untrusted(
        lambda: _with_attackers_key(jwk=public_jwk(rsa_key("stranger"))), "signature_invalid"
    ),
    "a key of its own in jku": _untrusted(
        lambda: _with_attackers_key(jku="https://attacker.example/jwks"), "signature_invalid"
    ),
    "a key of its own in x5c": _untrusted(lambda: _with_attackers_key(x5c=[_certificate_like()]), "signature_invalid"),
    "signature missing": _untrusted(lambda: with_part(jws(), 2, lambda p: b""), "signature_invalid"),
    "signature changed": _untrusted(lambda: with_flipped_bit(jws(), 2), "signature_invalid"),
    "signature of another token": _untrusted(
        lambda: with_part(jws(), 2, lambda p: jws(claims(jti="x")).split(b".")[2]), "signature_invalid"
    ),
    "payload changed": _untrusted(
        lambda: with_part(jws(), 1, lambda p: b64(json.dumps(claims(aud=["me"])).encode()).encode()),
        "signature_invalid",
    ),
    "header changed": _untrusted(
        lambda: with_part(jws(), 0, lambda p: jws(typ="JWT").split(b".")[0]), "signature_invalid"
    ),
    # signed by the right key, and yet
    "claims a list": _form(lambda: jws(b"[]"), "claims_not_object"),
    "claims a number": _form(lambda: jws(b"1"), "claims_not_object"),
    "claims a text": _form(lambda: jws(b'"claims"'), "claims_not_object"),
    "claims empty": _form(lambda: jws(b""), "claims_not_json"),
    "claims not JSON": _form(lambda: jws(b"iss=me"), "claims_not_json"),
    "claims not UTF-8": _form(lambda: jws(b'{"iss":"\xe9"}'), "claims_not_json"),
    "claims with a name twice": _form(lambda: jws(b'{"iss":"a","iss":"b"}'), "claims_not_json"),
    "claims with NaN": _form(lambda: jws(b'{"exp":NaN}'), "claims_not_json"),
    "claims with an endless exp": _form(lambda: jws(b'{"exp":1e400}'), "claims_not_json"),
    "claims with a lone surrogate": _form(lambda: jws(b'{"iss":"\\ud800"}'), "claims_not_json"),
    "claims nested deep": _form(lambda: jws(b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"), "claims_not_json"),
    "claims with a number of 4,000 digits": _form(lambda: jws(b'{"exp":' + b"9" * 4000 + b"}"), "claims_not_json"),
}
"""Inner tokens that the hub's key, `HUB_KID`, does not vouch for as claims, with PS256 allowed."""
