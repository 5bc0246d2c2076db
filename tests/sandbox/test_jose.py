"""The sandbox's own JOSE against another library, and against noise."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe, jws
from joserfc.jwk import RSAKey

from tracker.sandbox import jose
from tracker.sandbox.compact import MalformedTokenError, decode, decode_json, encode, encode_json
from tracker.sandbox.jwk import SigningKey, public_keys


@pytest.fixture(scope="module")
def key():
    return SigningKey("k-1")


def test_other_library_verifies_what_was_signed(key):
    token = jose.sign({"text": "é", "n": 1}, key)

    opened = jws.deserialize_compact(token, RSAKey.import_key(key.public_jwk()), algorithms=["PS256"])
    assert json.loads(opened.payload) == {"text": "é", "n": 1}
    assert opened.headers() == {"alg": "PS256", "kid": "k-1"}


def test_signature_of_other_library_verifies(key):
    other = RSAKey.generate_key(2048, {"kid": "k-2"})
    (public,) = public_keys({"keys": [other.as_dict(private=False)]}, "sig").values()
    token = jws.serialize_compact({"alg": "PS256"}, b"{}", other, algorithms=["PS256"])

    assert jose.is_signed_by(token, public)
    assert not jose.is_signed_by(token, key.private.public_key())
    assert not jose.is_signed_by(jws.serialize_compact({"alg": "RS256"}, b"{}", other, algorithms=["RS256"]), public)


def test_other_library_decrypts_what_was_encrypted():
    other = RSAKey.generate_key(2048, {"kid": "k-2"})
    (public,) = public_keys({"keys": [other.as_dict(private=False)]}, "enc").values()
    tokens = [jose.encrypt(b"plain", public, "k-2") for _ in range(2)]

    assert tokens[0] != tokens[1]
    for token in tokens:
        opened = jwe.decrypt_compact(token, other, algorithms=["RSA-OAEP-256", "A256GCM"])
        assert opened.plaintext == b"plain"
        assert opened.headers() == {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "k-2", "cty": "JWT"}


@given(st.binary(max_size=64))
def test_base64url_comes_back(raw):
    assert decode(encode(raw)) == raw


@given(st.text(max_size=24))
def test_base64url_reads_only_what_it_writes(text):
    try:
        raw = decode(text)
    except MalformedTokenError:
        return
    assert encode(raw) == text


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.none(), max_size=4))
def test_json_part_comes_back(value):
    try:
        part = encode_json(value)
    except UnicodeEncodeError:
        return
    assert decode_json(part) == value


@given(st.binary(max_size=64))
def test_noise_raises_the_one_error(raw):
    with suppress(MalformedTokenError):
        assert isinstance(decode_json(encode(raw)), dict)


@pytest.mark.parametrize(
    "text",
    ["[1]", "1", "null", '"x"', "", "{", '{"a":1,"a":2}', '{"a":NaN}', "[" * 100_000, '{"a":' + "1" * 5000 + "}"],
)
def test_part_that_is_no_object_is_refused(text):
    with pytest.raises(MalformedTokenError):
        decode_json(encode(text.encode()))
