"""Which keys of a holder's JWK Set are taken, in which form, and which are left out."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from tests.tokens import (
    HUB_KID,
    JWKS_URI,
    KEYS_BY_ALGORITHM,
    b64,
    ec_key,
    ed_key,
    hub_jwks,
    jwk_set,
    private_jwk,
    public_jwk,
    rsa_key,
)
from tracker.adapters.jose import verification_keys
from tracker.domain.errors import KeysUnavailableError

GOOD = {"kid": HUB_KID, "use": "sig", "alg": "PS256"}


def test_keys_of_a_set_are_taken_in_canonical_form():
    bare = public_jwk(rsa_key("hub"))
    modulus_as_java_writes_it = b64(b"\0" + base64.urlsafe_b64decode(bare["n"] + "==")) + "="
    spelled = {**bare, **GOOD, "n": modulus_as_java_writes_it, "x5c": ["MII"], "nbf": 1}
    (key,) = verification_keys(jwk_set(spelled), JWKS_URI).values()
    assert key.jwk == bare | GOOD
    assert (key.kid, key.jwks_uri) == (HUB_KID, JWKS_URI)
    assert key.jwk_thumbprint == RSAKey.import_key(bare).thumbprint()


@pytest.mark.parametrize("algorithm", KEYS_BY_ALGORITHM)
def test_keys_of_every_type_are_taken(algorithm):
    key = KEYS_BY_ALGORITHM[algorithm]("any")
    jwks = jwk_set(public_jwk(key, kid=HUB_KID, alg=algorithm, use="sig", key_ops=["verify"]))
    assert verification_keys(jwks, JWKS_URI)[HUB_KID].jwk == public_jwk(key, kid=HUB_KID, alg=algorithm, use="sig")


LEFT_OUT = {
    "not an object": lambda: "key",
    "kid missing": lambda: public_jwk(rsa_key("hub")),
    "kid a list": lambda: public_jwk(rsa_key("hub"), kid=[HUB_KID]),
    "kid with control characters": lambda: public_jwk(rsa_key("hub"), kid="a\x1b[0m"),
    "kty missing": lambda: {"kid": HUB_KID, "n": "AQAB", "e": "AQAB"},
    "kty a list": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID) | {"kty": ["RSA"]},
    "kty symmetric": lambda: {"kty": "oct", "kid": HUB_KID, "k": "AAAA"},
    "kty unknown": lambda: {"kty": "AKP", "kid": HUB_KID, "pub": "AAAA", "alg": "ML-DSA-44"},
    "for encryption": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, use="enc"),
    "use null": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, use=None),
    "key_ops for encryption": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, key_ops=["encrypt"]),
    "key_ops a text": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, key_ops="verify"),
    "private": lambda: private_jwk(rsa_key("hub"), kid=HUB_KID),
    "private in part": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, qi="AAAA"),
    "RSA of 1024 bits": lambda: public_jwk(rsa_key("small", 1024), kid=HUB_KID),
    "RSA of 32,000 bits": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID) | {"n": "_" * 5334},
    "RSA of 8193 bits": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID) | {"n": b64(b"\1" + b"\xff" * 1024)},
    "exponent 1": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID) | {"e": "AQ"},
    "exponent 3": lambda: public_jwk(rsa_key("cubic", exponent=3), kid=HUB_KID),
    "exponent even": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID) | {"e": "AQAC"},
    "exponent huge": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID) | {"e": "_" * 340},
    "modulus missing": lambda: {"kty": "RSA", "kid": HUB_KID, "e": "AQAB"},
    "modulus empty": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID) | {"n": ""},
    "modulus a number": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID) | {"n": 5},
    "modulus not base64url": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID) | {"n": "é"},
    "alg symmetric": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, alg="HS256"),
    "alg of another type": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, alg="ES256"),
    "alg RS256": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, alg="RS256"),
    "alg for encryption": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, alg="RSA-OAEP-256"),
    "alg a list": lambda: public_jwk(rsa_key("hub"), kid=HUB_KID, alg=["PS256"]),
    "alg of another curve": lambda: public_jwk(ec_key("any"), kid=HUB_KID, alg="ES384"),
    "curve P-521": lambda: public_jwk(ec_key("any", ec.SECP521R1), kid=HUB_KID),
    "curve secp256k1": lambda: public_jwk(ec_key("any", ec.SECP256K1), kid=HUB_KID),
    "curve unknown": lambda: public_jwk(ec_key("any"), kid=HUB_KID) | {"crv": "P-999"},
    "point off its curve": lambda: public_jwk(ec_key("any"), kid=HUB_KID) | {"y": "AQ"},
    "X25519": lambda: public_jwk(ed_key("any"), kid=HUB_KID) | {"crv": "X25519"},
    "Ed25519 of 31 bytes": lambda: public_jwk(ed_key("any"), kid=HUB_KID) | {"x": "A" * 42},
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_key_is_left_out_and_the_others_serve(name):
    beside = public_jwk(rsa_key("hub"), kid="beside")
    found = verification_keys(jwk_set(LEFT_OUT[name](), beside), JWKS_URI)
    assert [*found] == ["beside"]


def test_first_key_of_an_id_counts():
    unfit, first, second = (
        public_jwk(rsa_key("hub"), kid="a", use="enc"),
        public_jwk(rsa_key("hub"), kid="a"),
        public_jwk(ec_key("any"), kid="a"),
    )
    found = verification_keys(jwk_set(unfit, first, second), JWKS_URI)
    assert [key.jwk["kty"] for key in found.values()] == ["RSA"]


def test_fifty_keys_are_taken():
    found = verification_keys(jwk_set(*(public_jwk(ed_key("any"), kid=f"k{n}") for n in range(60))), JWKS_URI)
    assert [*found] == [f"k{n}" for n in range(50)]


NO_SET = {
    "empty": b"",
    "HTML": b"<html>",
    "a list": b"[]",
    "no keys": b"{}",
    "keys an object": b'{"keys": {}}',
    "keys null": b'{"keys": null}',
    "keys twice": b'{"keys": [], "keys": []}',
    "not UTF-8": b"\xff",
    "nested deep": b"[" * 9999,
    "larger than 256 KiB": b'{"keys": ["' + b"a" * 262_144 + b'"]}',
}


@pytest.mark.parametrize("body", NO_SET.values(), ids=NO_SET)
def test_what_is_no_set_is_an_error(body):
    with pytest.raises(KeysUnavailableError, match=JWKS_URI):
        verification_keys(body, JWKS_URI)


def test_empty_set_has_no_keys():
    assert verification_keys(b'{"keys": []}', JWKS_URI) == {}
    assert [*verification_keys(hub_jwks(), JWKS_URI)] == [HUB_KID]


JSON_VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=50)
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text())
)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["kty", "kid", "use", "alg", "key_ops", "n", "e", "crv", "x", "y", "x5c"]),
            JSON_VALUES
            | st.sampled_from(["RSA", "EC", "OKP", "sig", "PS256", "P-256", "Ed25519", "AQAB", "A" * 43, "_" * 342]),
        )
        | JSON_VALUES,
        max_size=5,
    )
)
def test_any_set_is_read(members):
    for kid, key in verification_keys(jwk_set(*members), JWKS_URI).items():
        assert key.kid == key.jwk["kid"] == kid
