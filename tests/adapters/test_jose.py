"""Opening events and verifying signatures. Every token here is made by another library than the one that opens it."""

import base64
import binascii
import dataclasses
import json
import threading
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwe as joserfc_jwe
from joserfc import jws as joserfc_jws
from joserfc.jwk import RSAKey
from jwcrypto import jwa, jwe
from jwcrypto.jwk import JWK

from tests.tokens import (
    CLIENT_ID,
    HUB_KID,
    JWKS_URI,
    KEYS_BY_ALGORITHM,
    OUR_KID,
    PUSH,
    REFUSED_AT_DECRYPTION,
    REFUSED_AT_GATE,
    REFUSED_AT_VERIFICATION,
    claims,
    deflated,
    ec_key,
    event,
    jwk_set,
    private_jwk,
    public_jwk,
    rsa_key,
    with_part,
)
from tests.tokens import (
    jwe as seal,
)
from tests.tokens import (
    jws as sign,
)
from tracker.adapters.jose import DecryptionKey, JwcryptoEventCrypto, SigningKey, sign_ps256, verification_keys
from tracker.adapters.locked_jwcrypto import refusing
from tracker.domain.errors import (
    ConfigurationError,
    MalformedEventError,
    OversizedEventError,
    RejectedEventError,
    UndecryptableEventError,
    UntrustedEventError,
)
from tracker.ports import EventCrypto

PS256 = frozenset({"PS256"})


def decryption_key(name="ours", kid=OUR_KID):
    return DecryptionKey(kid, JWK(**private_jwk(rsa_key(name), kid=kid)))


@pytest.fixture(scope="module")
def crypto() -> EventCrypto:
    retired = decryption_key("retired", "tpp-enc-2025-b")
    return JwcryptoEventCrypto({OUR_KID: (CLIENT_ID, decryption_key()), retired.kid: ("tpp-client-002", retired)})


def published(key, **members):
    """A key as the hub's JWK Set gives it."""
    (found,) = verification_keys(jwk_set(public_jwk(key, **({"kid": HUB_KID} | members))), JWKS_URI).values()
    return found


@pytest.fixture(scope="module")
def hub_key():
    return published(rsa_key("hub"))


# ---------------------------------------------------------------------------------------------- opening


def test_event_is_opened_and_believed(crypto, hub_key):
    opened = crypto.decrypt(event(), PUSH)
    assert (opened.client_id, opened.kid) == (CLIENT_ID, OUR_KID)
    assert crypto.verify(opened.plaintext, hub_key, PS256) == claims()


def test_event_made_by_another_library_is_opened_and_believed(crypto, hub_key):
    inner = joserfc_jws.serialize_compact(
        {"alg": "PS256", "kid": HUB_KID},
        json.dumps(claims()),
        RSAKey.import_key(private_jwk(rsa_key("hub"))),
        ["PS256"],
    )
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": OUR_KID, "cty": "JWT"}
    outer = joserfc_jwe.encrypt_compact(
        header, inner, RSAKey.import_key(public_jwk(rsa_key("ours"))), ["RSA-OAEP-256", "A256GCM"]
    )
    assert crypto.verify(crypto.decrypt(outer.encode(), PUSH).plaintext, hub_key, PS256) == claims()


def test_retired_key_names_its_own_client(crypto):
    opened = crypto.decrypt(seal(key=rsa_key("retired"), kid="tpp-enc-2025-b"), PUSH)
    assert (opened.client_id, opened.kid) == ("tpp-client-002", "tpp-enc-2025-b")


def test_keys_are_known_by_their_exact_id(crypto):
    assert crypto.knows_key(OUR_KID)
    assert not crypto.knows_key(OUR_KID.upper())
    assert not crypto.knows_key("")


@pytest.mark.parametrize("name", REFUSED_AT_GATE)
def test_decryption_refuses_what_the_gate_would_have(name, crypto):
    bad = REFUSED_AT_GATE[name]
    with pytest.raises(RejectedEventError) as caught:
        crypto.decrypt(bad.make(), PUSH)
    assert (type(caught.value), caught.value.reason) == (bad.error, bad.reason)


@pytest.mark.parametrize("name", REFUSED_AT_DECRYPTION)
def test_decryption_refuses(name, crypto):
    bad = REFUSED_AT_DECRYPTION[name]
    with pytest.raises(RejectedEventError) as caught:
        crypto.decrypt(bad.make(), PUSH)
    assert (type(caught.value), caught.value.reason) == (bad.error, bad.reason)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("alg", "enc"),
    [
        ("dir", "A256GCM"),
        ("RSA1_5", "A256GCM"),
        ("PBES2-HS256+A128KW", "A256GCM"),
        ("A256KW", "A256GCM"),
        ("ECDH-ES", "A256GCM"),
    ],
)
def test_profile_cannot_allow_what_is_in_no_table_of_ours(crypto, alg, enc):
    careless = dataclasses.replace(PUSH, jwe_algs=frozenset({alg}), jwe_encs=frozenset({enc}))
    with pytest.raises(UndecryptableEventError, match="alg_not_allowed"):
        crypto.decrypt(seal(alg=alg, enc=enc, p2c=1, p2s="AAAA"), careless)


def test_profile_that_allows_nothing_opens_nothing(crypto):
    closed = dataclasses.replace(PUSH, jwe_algs=frozenset(), jwe_encs=frozenset())
    with pytest.raises(UndecryptableEventError, match="alg_not_allowed"):
        crypto.decrypt(event(), closed)


def test_other_profile_may_allow_rsa_oaep_and_cbc(crypto):
    allowed = dataclasses.replace(PUSH, jwe_algs=frozenset({"RSA-OAEP"}), jwe_encs=frozenset({"A128CBC-HS256"}))
    header = {"alg": "RSA-OAEP", "enc": "A128CBC-HS256", "kid": OUR_KID}
    token = joserfc_jwe.encrypt_compact(
        header, b"inner", RSAKey.import_key(public_jwk(rsa_key("ours"))), ["RSA-OAEP", "A128CBC-HS256"]
    )
    assert crypto.decrypt(token.encode(), allowed).plaintext == b"inner"


def test_body_larger_than_the_profile_allows_is_not_decrypted(crypto):
    with pytest.raises(OversizedEventError):
        crypto.decrypt(event(), dataclasses.replace(PUSH, max_body_bytes=500))


# ---------------------------------------------------------------------------------------------- the library, locked down


def test_library_is_limited_whatever_way_leads_into_it():
    key, bomb = JWK(**private_jwk(rsa_key("ours"))), seal(deflated(b"a" * 1_000_000), zip="DEF").decode()
    token = jwe.JWE(algs=["RSA-OAEP-256", "A256GCM"])
    token.deserialize(bomb)
    with pytest.raises(jwe.InvalidJWEData, match="exceeds maximum allowed"):
        token.decrypt(key)
    assert (jwe.default_max_plaintext_size, jwe.default_max_compressed_size) == (65_536, 16_384)
    assert jwa.default_max_pbkdf2_iterations == 1


def test_refusing_turns_every_kind_of_error_into_ours():
    for error in (
        RecursionError,
        OverflowError,
        binascii.Error,
        KeyError,
        IndexError,
        AttributeError,
        NotImplementedError,
    ):
        with pytest.raises(UntrustedEventError) as caught, refusing(UntrustedEventError, "x"):
            raise error("library")
        assert isinstance(caught.value.__cause__, error)


def test_refusing_lets_our_own_errors_through():
    with pytest.raises(MalformedEventError), refusing(UntrustedEventError, "x"):
        raise MalformedEventError("y")


# ---------------------------------------------------------------------------------------------- verifying


@pytest.mark.parametrize("name", REFUSED_AT_VERIFICATION)
def test_verification_refuses(name, crypto, hub_key):
    bad = REFUSED_AT_VERIFICATION[name]
    with pytest.raises(RejectedEventError) as caught:
        crypto.verify(bad.make(), hub_key, PS256)
    assert (type(caught.value), caught.value.reason) == (bad.error, bad.reason)


@pytest.mark.parametrize("algorithm", KEYS_BY_ALGORITHM)
def test_signature_is_believed_with_the_key_of_its_algorithm_only(algorithm, crypto):
    token = sign(key=KEYS_BY_ALGORITHM[algorithm]("any"), alg=algorithm)
    for other, make in KEYS_BY_ALGORITHM.items():
        key = published(make("any"))
        if key.jwk == published(KEYS_BY_ALGORITHM[algorithm]("any")).jwk:
            assert crypto.verify(token, key, {algorithm}) == claims()
        else:
            with pytest.raises(UntrustedEventError, match="key_unfit"):
                crypto.verify(token, key, {algorithm, other})


@pytest.mark.parametrize("algorithm", ["RS256", "HS256", "none"])
def test_caller_cannot_allow_a_signature_that_is_in_no_table_of_ours(algorithm, crypto, hub_key):
    key = b"k" * 32 if algorithm == "HS256" else rsa_key("hub")
    with pytest.raises(UntrustedEventError, match="alg_not_allowed"):
        crypto.verify(sign(key=key, alg=algorithm), hub_key, {algorithm})


def test_key_that_names_another_algorithm_is_refused(crypto):
    key = published(rsa_key("hub"), alg="PS512")
    with pytest.raises(UntrustedEventError, match="key_unfit"):
        crypto.verify(sign(), key, {"PS256", "PS512"})


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(lambda: public_jwk(rsa_key("small", 1024)), id="RSA of 1024 bits"),
        pytest.param(lambda: public_jwk(rsa_key("cubic", exponent=3)), id="exponent 3"),
        pytest.param(lambda: public_jwk(rsa_key("hub")) | {"use": "enc"}, id="for encryption"),
        pytest.param(lambda: {"kty": "oct", "k": public_jwk(rsa_key("hub"))["n"]}, id="symmetric"),
        pytest.param(lambda: public_jwk(ec_key("any")), id="elliptic curve"),
    ],
)
def test_key_that_does_not_fit_is_refused_wherever_it_comes_from(jwk, crypto, hub_key):
    key = dataclasses.replace(hub_key, key=JWK(**jwk()))
    with pytest.raises(UntrustedEventError, match="key_unfit"):
        crypto.verify(sign(), key, PS256)


def test_elliptic_signature_has_one_length_only(crypto):
    key = published(ec_key("any"))
    whole = sign(key=ec_key("any"), alg="ES256")
    assert crypto.verify(whole, key, {"ES256"})

    def padded(part):
        raw = base64.urlsafe_b64decode(part + b"==")
        return base64.urlsafe_b64encode(b"\0" + raw[:32] + b"\0" + raw[32:]).rstrip(b"=")

    with pytest.raises(UntrustedEventError, match="signature_invalid"):
        crypto.verify(with_part(whole, 2, padded), key, {"ES256"})


def test_refusals_say_nothing_of_what_was_inside(crypto, hub_key):
    with pytest.raises(UntrustedEventError) as caught:
        crypto.verify(sign(claims(iss="secret"), key=rsa_key("other hub")), hub_key, PS256)
    assert "secret" not in str(caught.value) + str(caught.value.__cause__)


# ---------------------------------------------------------------------------------------------- totality and state


@cache
def fixed_inner():
    return sign()


@cache
def fixed_event():
    return seal(fixed_inner())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_events_are_opened_unchanged_or_refused(data, crypto, hub_key):
    token = bytearray(fixed_event())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, max(0, len(token) - 1)))
        if not token:
            break
        edit = data.draw(st.sampled_from(["set", "drop", "insert", "cut"]))
        if edit == "set":
            token[position] = data.draw(st.integers(0, 255))
        elif edit == "drop":
            del token[position]
        elif edit == "insert":
            token.insert(position, data.draw(st.sampled_from(b"._-=!A \n{")))
        else:
            del token[max(position, 1) :]
    try:
        opened = crypto.decrypt(bytes(token), PUSH)
    except RejectedEventError:
        return
    assert opened.plaintext == fixed_inner()
    assert bytes(token) == fixed_event(), "a second spelling of the same event was opened"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), letter=st.integers(0, 255))
def test_mutated_signed_tokens_are_refused(position, letter, crypto, hub_key):
    token = bytearray(fixed_inner())
    token[position % len(token)] = letter
    try:
        crypto.verify(bytes(token), hub_key, PS256)
    except RejectedEventError:
        return
    assert bytes(token) == fixed_inner()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_garbage_is_refused(crypto, hub_key, data):
    for refuse in (
        lambda: crypto.decrypt(data, PUSH),
        lambda: crypto.verify(data, hub_key, PS256),
        lambda: crypto.decrypt(
            with_part(fixed_event(), 1, lambda part: base64.urlsafe_b64encode(data).rstrip(b"=")), PUSH
        ),
        lambda: crypto.verify(crypto.decrypt(seal(data or b"."), PUSH).plaintext, hub_key, PS256),
    ):
        with pytest.raises(RejectedEventError):
            refuse()


TOKENS_TO_OPEN = {
    "one": lambda: seal(b"one"),
    "two": lambda: seal(b"two"),
    "retired": lambda: seal(b"three", key=rsa_key("retired"), kid="tpp-enc-2025-b"),
    **{name: bad.make for name, bad in REFUSED_AT_DECRYPTION.items()},
}
TOKENS_TO_VERIFY = {
    "one": lambda: sign(claims(jti="one")),
    "two": lambda: sign(claims(jti="two")),
    **{
        name: REFUSED_AT_VERIFICATION[name].make
        for name in ("RS256 called PS256", "signature missing", "payload changed", "claims a list")
    },
}


def outcome(do, *arguments):
    try:
        return do(*arguments)
    except RejectedEventError as error:
        return type(error), error.reason


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from([*TOKENS_TO_OPEN]), min_size=2, max_size=6), data=st.data())
def test_no_token_leaves_anything_for_the_next(names, data, crypto, hub_key):
    """The library's algorithms are used again and again: each token must fare as it fares alone, whatever came before."""
    for name in names:
        alone = JwcryptoEventCrypto(crypto._keys)
        sealed = TOKENS_TO_OPEN[name]()
        assert outcome(crypto.decrypt, sealed, PUSH) == outcome(alone.decrypt, sealed, PUSH)
        signed = TOKENS_TO_VERIFY[data.draw(st.sampled_from([*TOKENS_TO_VERIFY]))]()
        assert outcome(crypto.verify, signed, hub_key, PS256) == outcome(alone.verify, signed, hub_key, PS256)


def test_algorithms_allowed_once_are_not_allowed_again(crypto):
    generous = dataclasses.replace(PUSH, jwe_algs=frozenset({"RSA-OAEP", "RSA-OAEP-256"}))
    crypto.decrypt(seal(alg="RSA-OAEP"), generous)
    with pytest.raises(UndecryptableEventError, match="alg_not_allowed"):
        crypto.decrypt(seal(alg="RSA-OAEP"), PUSH)


def test_threads_open_different_events_at_once(crypto, hub_key):
    events = [(claims(jti=str(n)), event(claims(jti=str(n)))) for n in range(8)]
    wrong = []

    def work(start):
        for n in range(40):
            said, token = events[(start + n) % len(events)]
            if n % 3 == 0:
                outcome(crypto.decrypt, with_part(token, 4, lambda part: part[::-1]), PUSH)
            if crypto.verify(crypto.decrypt(token, PUSH).plaintext, hub_key, PS256) != said:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---------------------------------------------------------------------------------------------- signing


def test_what_we_sign_is_verified_by_another_library():
    key = SigningKey("tpp-sig-1", JWK(**private_jwk(rsa_key("client"))))
    token = sign_ps256({"iss": "tpp", "exp": 1.5, "name": "José"}, key, typ="JWT")
    read = joserfc_jws.deserialize_compact(token, RSAKey.import_key(public_jwk(rsa_key("client"))), ["PS256"])
    assert read.headers() == {"alg": "PS256", "kid": "tpp-sig-1", "typ": "JWT"}
    assert json.loads(read.payload) == {"iss": "tpp", "exp": 1.5, "name": "José"}


def test_header_has_no_typ_unless_asked_for():
    key = SigningKey("tpp-sig-1", JWK(**private_jwk(rsa_key("client"))))
    header = sign_ps256({}, key).partition(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "PS256", "kid": "tpp-sig-1"}


def test_public_key_cannot_sign():
    with pytest.raises(ConfigurationError, match="tpp-sig-1"):
        sign_ps256({}, SigningKey("tpp-sig-1", JWK(**public_jwk(rsa_key("client")))))


@pytest.mark.parametrize("claims_", [{"exp": float("nan")}, {"exp": float("inf")}, {"exp": object()}])
def test_claims_that_json_does_not_have_are_a_callers_mistake(claims_):
    with pytest.raises((ValueError, TypeError)):
        sign_ps256(claims_, SigningKey("k", JWK(**private_jwk(rsa_key("client")))))


def test_keys_do_not_show_their_secrets():
    secret = private_jwk(rsa_key("client"))
    for key in (SigningKey("k", JWK(**secret)), DecryptionKey("k", JWK(**secret))):
        assert not any(secret[name] in repr(key) for name in ("d", "p", "q", "n"))
