"""What the fuzz throws: JSON that no serialiser would write, real tokens made by joserfc and then spoilt, monsters.

How much of it is thrown is set by `FUZZ_EXAMPLES` in the environment: so many inputs a test. Without it a quick pass of
some seconds; tens of thousands make a night.
"""

import base64
import json
import os
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from hypothesis import HealthCheck, currently_in_test_context, settings
from hypothesis import event as hypothesis_event
from hypothesis import strategies as st
from joserfc import jwe as joserfc_jwe
from joserfc import jws as joserfc_jws
from joserfc.jwk import RSAKey

from tests import tokens
from tests.profiles.json_values import json_values
from tests.settings.test_document import chapter, names_in, rows
from tracker.profiles.profile import Profile

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
"""Inputs a test."""

SECONDS = 1.0
"""Of processor time that one input may take. Most take less than a millisecond; machines that run tests can be slow."""

DOCUMENTED = {
    (names_in(row[0])[0], reason) for row in rows(chapter("## The quarantine")) for reason in names_in(row[1])
}
"""Step and reason of everything that can keep an event from being believed, by `docs/operations.md`."""


def fuzz(share: float = 1.0) -> settings:
    """How often a test is run: slow ones take a share."""
    return settings(
        max_examples=max(5, int(EXAMPLES * share)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


@contextmanager
def bounded(seconds: float = SECONDS) -> Iterator[None]:
    """Demand that what is done inside takes little of the processor; not while memory is watched, which is slow."""
    began = time.thread_time()
    yield
    assert tracemalloc.is_tracing() or time.thread_time() - began < seconds


@contextmanager
def bounded_memory(megabytes: float) -> Iterator[None]:
    """Demand that what is done inside never holds more than so much at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1_000_000
    finally:
        tracemalloc.stop()


# ---------------------------------------------------------------------------------------------- JSON


def raw_json(value: Any) -> bytes:
    """Any value of Python as JSON of some kind: NaN, lone surrogates and all."""
    return json.dumps(value).encode()


def monsters(size: int) -> dict[str, bytes]:
    """JSON documents of about so many bytes, each of which has made some parser slow, fat or crash."""
    deep, pair = size // 2, b'"a":1,'
    return {
        "nested lists": b"[" * deep + b"]" * deep,
        "nested lists without an end": b"[" * size,
        "nested objects": b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6),
        "nested deep inside a member": b'{"keys":' + b"[" * (deep - 8) + b"]" * (deep - 8) + b"}",
        "one number": b"9" * size,
        "a number in a member": b'{"exp":' + b"9" * (size - 9) + b"}",
        "a number with an exponent": b'{"exp":1e' + b"9" * (size - 12) + b"}",
        "a fraction without an end": b'{"exp":0.' + b"1" * (size - 12) + b"}",
        "one string": b'"' + b"a" * (size - 2) + b'"',
        "a string of escapes": b'"' + b"\\u0041" * (size // 6) + b'"',
        "a string of lone surrogates": b'"' + b"\\ud800" * (size // 6) + b'"',
        "a string that does not end": b'"' + b"\\" * size,
        "many members": b"{" + b",".join(b'"%d":1' % i for i in range(size // 9)) + b"}",
        "one member many times": b"{" + pair * (size // 6) + b'"a":1}',
        "many items": b"[" + b"0," * (size // 2 - 1) + b"0]",
        "many empty objects": b'{"keys":[' + b"{}," * (size // 3 - 4) + b"{}]}",
        "many recipients": b'{"protected":"e30","recipients":[' + b'{"header":{}},' * (size // 14) + b"{}]}",
        "blanks": b" " * (size - 1) + b"1",
        "NUL": bytes(size),
        "not UTF-8": b"\xff" * size,
    }


json_documents = st.one_of(
    json_values().map(raw_json),
    st.binary(max_size=200),
    st.sampled_from(list(monsters(4_000).values())),
    st.builds(lambda value, cut: raw_json(value)[:cut], json_values(), st.integers(0, 60)),
)
"""Bytes that may or may not be JSON."""


# ---------------------------------------------------------------------------------------------- tokens


@cache
def _key(name: str) -> RSAKey:
    return RSAKey.import_key(tokens.private_jwk(tokens.rsa_key(name)))


@cache
def _our_public() -> RSAKey:
    return RSAKey.import_key(tokens.public_jwk(tokens.rsa_key("ours")))


def signed(payload: Mapping[str, Any] | bytes, key: str = "hub", kid: str = tokens.HUB_KID, **header: Any) -> bytes:
    """A JWS by joserfc, PS256."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    registry = joserfc_jws.JWSRegistry(algorithms=["PS256"], strict_check_header=False)
    head = {"alg": "PS256", "kid": kid, **header}
    return joserfc_jws.serialize_compact(head, body, _key(key), registry=registry).encode()


def sealed(inner: bytes, profile: Profile) -> bytes:
    """A JWE by joserfc around an inner token, as the profile has them."""
    (alg,), (enc,) = profile.push.jwe_algs, profile.push.jwe_encs
    header = {"alg": alg, "enc": enc, "kid": tokens.OUR_KID, "cty": "JWT"}
    return joserfc_jwe.encrypt_compact(header, inner, _our_public(), [alg, enc]).encode()


def is_signed_by(token: bytes, key: str) -> bool:
    """What another library thinks of a signed token."""
    try:
        joserfc_jws.deserialize_compact(token, _key(key), ["PS256"])
    except Exception:
        return False
    return True


_TEMPTING = {
    "alg": [
        "none",
        "None",
        "HS256",
        "RS256",
        "RSA1_5",
        "dir",
        "PBES2-HS512+A256KW",
        "A256KW",
        "ECDH-ES",
        "",
        None,
        1,
        [],
    ],
    "enc": ["A128CBC-HS256", "A128GCM", "none", "", None, {}],
    "kid": ["", "..", "k" * 257, "a\nb", "\x1b[2J", "é", None, 0, [tokens.OUR_KID], tokens.HUB_KID],
    "zip": ["DEF", "GZ", None],
    "crit": [[], ["exp"], ["b64"], "exp", None],
    "b64": [False, True],
    "p2c": [2**31, 10**30],
    "jku": ["https://attacker.example/jwks", "http://127.0.0.1/"],
    "x5u": ["https://attacker.example/chain.pem", "file:///etc/passwd"],
    "x5c": [[base64.b64encode(b"\x30\x82" + b"a" * 100).decode()], "x"],
    "epk": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}],
    "typ": ["JWT", "at+jwt", 1],
    "cty": ["JWT", "JWE", None],
}


@st.composite
def headers(draw: st.DrawFn, usual: Mapping[str, Any]) -> bytes:
    """A token's header: the usual one with something changed, left out or added; or anything."""
    if draw(st.integers(0, 5)) == 0:
        return draw(json_documents)
    header: dict[str, Any] = dict(usual)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([*_TEMPTING, "jwk", "x"]))
        match name:
            case "jwk":
                header["jwk"] = tokens.public_jwk(tokens.rsa_key("stranger"))
            case "x":
                header[draw(st.text(max_size=8))] = draw(json_values())
            case _ if draw(st.booleans()):
                header.pop(name, None)
            case _:
                header[name] = draw(st.sampled_from(_TEMPTING[name]))
    text = raw_json(header)
    return text[:-1] + b',"alg":"none"}' if draw(st.integers(0, 9)) == 0 else text


def _flip(token: bytes, at: int, bit: int) -> bytes:
    at %= max(len(token), 1)
    return token[:at] + bytes([token[at] ^ (1 << bit)]) + token[at + 1 :] if token else token


_NOISE = st.sampled_from([b".", b"=", b" ", b"\n", b"\0", b"-", b"_", b"+", b"/", b"A", b"\xff", "é".encode(), b"AAAA"])


_PLACES = st.integers(0, 5_000)


@st.composite
def spoilt(draw: st.DrawFn, token: bytes, others: Callable[[], bytes], usual: Mapping[str, Any]) -> bytes:
    """A real token with something done to it; sometimes nothing."""
    # Nothing is drawn by what the token holds, which is random: places count from anywhere, and wrap around.
    for _ in range(draw(st.integers(0, 3))):
        parts = token.split(b".")
        place, at = draw(_PLACES), draw(st.integers(0, 4)) % len(parts)
        match draw(st.sampled_from(["flip", "insert", "cut", "double", "part", "swap", "header", "empty", "reencode"])):
            case "flip":
                token = _flip(token, place, draw(st.integers(0, 7)))
                continue
            case "insert":
                place %= len(token) + 1
                token = token[:place] + draw(_NOISE) * draw(st.sampled_from([1, 2, 1000])) + token[place:]
                continue
            case "cut":
                token = token[: place % (len(token) + 1)]
                continue
            case "double":
                parts.insert(at, parts[at])
            case "part":
                parts[at] = tokens.b64(draw(st.binary(max_size=64))).encode()
            case "swap":
                theirs = others().split(b".")
                parts[at] = theirs[at % len(theirs)]
            case "header":
                parts[0] = tokens.b64(draw(headers(usual))).encode()
            case "empty":
                parts[at] = b""
            case "reencode":
                parts[at] += draw(st.sampled_from([b"=", b"==", b"A", b"AA"]))
        token = b".".join(parts)
    return token


def label(what: str) -> None:
    """Count an outcome, for who runs with `--hypothesis-show-statistics`."""
    if currently_in_test_context():
        hypothesis_event(what)


def matches_a_code(reason: str) -> bool:
    """Whether a reason is a stable code, and holds nothing of what was sent."""
    return re.fullmatch(r"[a-z][a-z0-9_]{1,60}", reason) is not None
