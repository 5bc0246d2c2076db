"""The gate: what is refused from size, form and header alone, and with which reason."""

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.tokens import (
    OUR_KID,
    PUSH,
    REFUSED_AT_DECRYPTION,
    REFUSED_AT_GATE,
    REFUSED_AT_VERIFICATION,
    claims,
    event,
    jwe,
    jws,
    rsa_key,
    with_part,
    with_spare_bits,
)
from tracker.domain.errors import MalformedEventError, RejectedEventError
from tracker.profiles.compact import (
    JWE_PARTS,
    JWS_PARTS,
    MAX_HEADER_BYTES,
    check_event_header,
    is_key_id,
    protected_header,
    read_claims,
    split,
    unverified_claims,
)


def knows(kid):
    return kid == OUR_KID


@pytest.mark.parametrize("name", REFUSED_AT_GATE)
def test_gate_refuses(name):
    bad = REFUSED_AT_GATE[name]
    with pytest.raises(RejectedEventError) as caught:
        check_event_header(bad.make(), PUSH, knows)
    assert (type(caught.value), caught.value.reason) == (bad.error, bad.reason)


@pytest.mark.parametrize("name", REFUSED_AT_DECRYPTION)
def test_gate_lets_in_what_only_the_key_can_tell(name):
    assert check_event_header(REFUSED_AT_DECRYPTION[name].make(), PUSH, knows) == OUR_KID


def test_gate_lets_in_an_event():
    assert check_event_header(event(), PUSH, knows) == OUR_KID


def test_gate_lets_in_an_event_with_header_parameters_that_nobody_reads():
    assert check_event_header(event(typ="JWE", cty="JWT", x5t="abc", iat=1), PUSH, knows) == OUR_KID


def test_gate_lets_in_64_kib_and_not_one_byte_more():
    filler = jwe(b"a" * 48_000)
    token = jwe(b"a" * (48_000 + (64 * 1024 - len(filler)) // 4 * 3))
    assert 64 * 1024 - 4 < len(token) <= 64 * 1024
    assert check_event_header(token, PUSH, knows) == OUR_KID


def test_gate_does_not_ask_for_keys_before_the_algorithms_are_allowed():
    asked = []
    for name in ("alg RSA1_5", "enc A128GCM", "zip", "kid a list", "64 KiB + 1"):
        with pytest.raises(RejectedEventError):
            check_event_header(REFUSED_AT_GATE[name].make(), PUSH, lambda kid: bool(asked.append(kid)))
    assert not asked


def test_header_of_2_kib_is_read_and_one_byte_more_is_not():
    bare = json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": OUR_KID, "x": ""}).encode()
    whole = bare.replace(b'"x": ""', b'"x": "' + b"a" * (MAX_HEADER_BYTES - len(bare)) + b'"')
    assert len(whole) == MAX_HEADER_BYTES
    assert check_event_header(jwe(raw_header=whole), PUSH, knows) == OUR_KID
    with pytest.raises(MalformedEventError, match="header_too_large"):
        check_event_header(jwe(raw_header=whole.replace(b"aa", b"aaa", 1)), PUSH, knows)


def test_parts_are_split_without_decoding():
    assert split(b"YQ.Yg.", JWS_PARTS) == [b"YQ", b"Yg", b""]
    assert split(b"YQ....", JWE_PARTS) == [b"YQ", b"", b"", b"", b""]


@pytest.mark.parametrize(
    "token", [b"YQ.Yg.\n", b" YQ.Yg.", b"YQ.Yg", b"YQ.Yg..", b".Yg.", b"YQ.Yh.", b"YQ.Y.", b"Y\xc3\xa9.Yg."]
)
def test_parts_that_are_not_strict_base64url_are_refused(token):
    with pytest.raises(MalformedEventError, match="not_compact_jws"):
        split(token, JWS_PARTS)


@given(st.binary(max_size=40))
def test_every_encoding_is_taken_and_every_other_spelling_of_it_refused(data):
    part = base64.urlsafe_b64encode(data).rstrip(b"=")
    assert split(b"YQ." + part + b".", JWS_PARTS)[1] == part
    if len(part) % 4:
        with pytest.raises(MalformedEventError):
            split(with_spare_bits(b"YQ." + part + b".", 1), JWS_PARTS)


@given(st.binary(max_size=200) | st.text(alphabet="eyJAQgw_-.=+/ \n{}", max_size=60).map(str.encode))
@example(b"")
@example(b".." * 40_000)
@example(b"W" * 4 + b"." * 4)
def test_gate_refuses_garbage_as_garbage(data):
    for check in (lambda: check_event_header(data, PUSH, knows), lambda: unverified_claims(data)):
        with pytest.raises(RejectedEventError):
            check()


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(ANY_JSON)
def test_gate_refuses_any_json_for_a_header_that_names_no_key_of_ours(header):
    with pytest.raises(RejectedEventError):
        check_event_header(jwe(b"x", raw_header=json.dumps(header).encode()), PUSH, knows)


ODD_VALUES = (
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())
)


@given(st.dictionaries(st.sampled_from(["alg", "enc", "kid", "zip", "crit", "b64"]), ODD_VALUES, min_size=1))
def test_gate_refuses_or_knows_the_header_it_lets_in(changes):
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": OUR_KID} | changes
    try:
        check_event_header(jwe(b"x", raw_header=json.dumps(header).encode()), PUSH, knows)
    except RejectedEventError:
        return
    assert (header["alg"], header["enc"], header["kid"]) == ("RSA-OAEP-256", "A256GCM", OUR_KID)
    assert not {"zip", "crit", "b64"} & header.keys()


def test_claims_are_read_before_anybody_vouches_for_them():
    token = jws(claims(iss="https://whoever.example"), key=rsa_key("stranger"), kid="whose")
    kid, said = unverified_claims(token)
    assert (kid, said["iss"]) == ("whose", "https://whoever.example")


@pytest.mark.parametrize(
    "name", [name for name, bad in REFUSED_AT_VERIFICATION.items() if bad.error is MalformedEventError]
)
def test_claims_of_malformed_tokens_are_not_read(name):
    bad = REFUSED_AT_VERIFICATION[name]
    with pytest.raises(MalformedEventError) as caught:
        unverified_claims(bad.make())
    assert caught.value.reason == bad.reason


def test_header_of_a_signed_token_is_read():
    assert protected_header(jws(typ="JWT"), JWS_PARTS) == {"alg": "PS256", "kid": "hub-sig2-demobank-1", "typ": "JWT"}
    with pytest.raises(MalformedEventError, match="header_too_large"):
        protected_header(jws(), JWS_PARTS, max_bytes=10)


def test_claims_are_an_object():
    assert read_claims(b'{"iss": "x"}') == {"iss": "x"}
    with pytest.raises(MalformedEventError, match="claims_not_object"):
        read_claims(b"[]")


def test_changed_payloads_are_read_as_changed():
    changed = with_part(jws(), 1, lambda part: base64.urlsafe_b64encode(b'{"iss":"me"}').rstrip(b"="))
    assert unverified_claims(changed)[1] == {"iss": "me"}


@pytest.mark.parametrize(
    ("value", "can_be"),
    [
        ("a", True),
        ("k" * 256, True),
        ("urn:x:1 b", True),
        ("", False),
        ("k" * 257, False),
        ("é", False),
        ("a\nb", False),
        (None, False),
        (1, False),
        (["a"], False),
    ],
)
def test_key_ids_are_short_printable_ascii(value, can_be):
    assert is_key_id(value) is can_be
