"""Where the opener decides otherwise than the published vectors want, each vector by its number, and why.

All of them are refusals of something valid: we speak fewer dialects than the standards allow. Nothing that ought to be
refused is accepted. A vector that is not listed here must come out as its authors say.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """Vectors that are valid, and refused.

    Attributes:
        file: Which file they are from.
        numbers: Their `tcId`s there.
        verdict: How they are refused.
        why: Why that is right for us.
    """

    file: str
    numbers: tuple[int, ...]
    verdict: str
    why: str


_HMAC = "HMAC: a shared secret proves nothing to a third party, and invites a public key to be taken for one (RFC 8725 §2.1)"
_RSA_PKCS1 = "RSASSA-PKCS1-v1_5: FAPI asks for PS256 or ES256; a key that declares RS… verifies nothing else either"
_P521 = "the key declares ES521, which no standard has (RFC 7518 §3.4 says ES512); P-521 is not among our curves either"
_RSA15 = "RSA1_5: its padding tells who can ask often enough the plaintext (RFC 8725 §3.2)"
_SYMMETRIC = "AES key wrap, AES-GCM key wrap, `dir`: a key shared with the sender; ours are private keys, by RSA-OAEP"
_ECDH = "ECDH-ES: no profile uses it, so no code of ours has to stand invalid curve points"
_PS256_KEY = (
    "the key declares PS256 and the token says PS384: a key serves the algorithm that it declares (RFC 7517 §4.4)"
)

DEVIATIONS = (
    Deviation("json_web_signature_test", (1, 348, 352), "key_refused", _HMAC),
    Deviation("json_web_signature_test", (357, 358, 359, 372, 373, 376, 377), "key_refused", _HMAC),
    Deviation("json_web_signature_test", (33, 259, 260, 261, 262, 263), "key_refused", _RSA_PKCS1),
    Deviation("json_web_signature_test", (264, 265, 266, 267), "key_refused", _RSA_PKCS1),
    Deviation("json_web_signature_test", (268, 269, 270, 271), "key_refused", _RSA_PKCS1),
    Deviation("json_web_signature_test", (345, 349), "key_refused", _RSA_PKCS1),
    Deviation("json_web_signature_test", (347, 351), "key_refused", _P521),
    Deviation("json_web_signature_test", (346, 350), "key_unfit", _PS256_KEY),
    Deviation("json_web_encryption_test", (1, 23, 28, 29, 30, 31, 32), "key_refused", _SYMMETRIC),
    Deviation("json_web_encryption_test", (69, 70, 71, 72, 73, 74, 75), "key_refused", _SYMMETRIC),
    Deviation("json_web_encryption_test", (132, 133, 134), "key_refused", _SYMMETRIC),
    Deviation(
        "json_web_encryption_test", (135,), "key_refused", f"{_SYMMETRIC}; and it is compressed, which is refused too"
    ),
    Deviation("json_web_encryption_test", (33, 34, 35, 52, 53, 54, 55, 56, 57, 58, 59), "key_refused", _ECDH),
    Deviation("json_web_encryption_test", (60, 61, 62, 66, 67, 68, 76, 77, 78, 79, 80, 81), "key_refused", _ECDH),
    Deviation("json_web_encryption_test", (130, 131), "key_refused", _ECDH),
    Deviation("json_web_encryption_test", (100, 101, 102, 103, 104, 105, 112, 128), "key_refused", _RSA15),
    Deviation("json_web_crypto_test", (1, 48), "key_refused", _HMAC),
    Deviation("json_web_crypto_test", (33,), "key_refused", _RSA_PKCS1),
    Deviation("json_web_crypto_test", (50,), "key_refused", _SYMMETRIC),
    Deviation("json_web_crypto_test", (67,), "key_refused", _ECDH),
    Deviation("json_web_key_test", (2, 13, 14, 15), "key_refused", _HMAC),
    Deviation("json_web_key_test", (5,), "key_refused", _RSA_PKCS1),
)

ONLY_THE_DECLARATION_REFUSES = {
    ("json_web_signature_test", 338): "PS256 by a key for PS512; the signature itself is good",
    ("json_web_signature_test", 340): "PS384 by a key for PS512; likewise",
    ("json_web_key_test", 19): "ES256 by a key on P-256 that declares ES521; likewise",
    ("json_web_key_test", 20): "ES256 by a key on P-256 that declares ES224; likewise",
}
"""Invalid only by the `alg` of their key: were it not declared, they would be accepted, as they should."""
