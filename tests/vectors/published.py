"""The published test vectors, and what the opener's own verification makes of each.

Wycheproof's JSON Web files and RFC 7520 §6 lie beside the checkout, in `../shared/vectors`; they are not copied into it.

Every vector goes the way of a real token: its key through `verification_keys` or `load_encryption_keys`, as if a holder
had published it or we had registered it, and the token through `JwcryptoEventCrypto`. The profile is the most careless
one there can be: it allows whatever algorithm the token names, so that our own tables have to refuse.

Two things are lent to the vectors. A key without an id gets one; and a token that names no key is taken to name the right
one, since we refuse every token without a key id before looking at anything else, and most of the vectors would show no
more than that. `refused_for_its_missing_kid` shows that they are refused without the loan.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.tokens import CLIENT_ID, JWKS_URI
from tracker.adapters import jose
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.adapters.key_files import load_encryption_keys
from tracker.adapters.public_keys import verification_keys
from tracker.domain import strict_json
from tracker.domain.errors import ConfigurationError, MalformedEventError, RejectedEventError
from tracker.ports import VerificationKey
from tracker.profiles import compact
from tracker.profiles.profile import Push

FOLDER = Path(__file__).parents[3] / "shared" / "vectors"
ABSENT = f"the vectors are not here: {FOLDER.parent.name}/{FOLDER.name} beside the checkout"

ACCEPTED = "accepted"
KEY_REFUSED = "key_refused"
READ_AFTER_THE_SIGNATURE_HELD = frozenset({"claims_not_json", "claims_not_object"})
"""A vector's payload is any text; ours are claims. These say so after the signature was found good."""

LENT_KID = "lent"

FILES = ("json_web_signature_test", "json_web_encryption_test", "json_web_crypto_test", "json_web_key_test")


@dataclass(frozen=True)
class Vector:
    """One vector.

    Attributes:
        file: Which file it is from.
        number: Its `tcId` there.
        group: What its group of vectors has in common: the keys.
        facts: The rest of it.
    """

    file: str
    number: int
    group: Mapping[str, Any]
    facts: Mapping[str, Any]

    @property
    def is_valid(self) -> bool:
        """Whether its authors want it accepted."""
        return self.facts["result"] == "valid"

    @property
    def is_jwe(self) -> bool:
        return "jwe" in self.facts

    @property
    def token(self) -> bytes:
        """The token; JSON serialisation as text."""
        told = self.facts["jwe" if self.is_jwe else "jws"]
        return (told if isinstance(told, str) else json.dumps(told)).encode()


@cache
def wycheproof() -> list[Vector]:
    """All of them; none if they are not here."""
    found = []
    for name in FILES:
        path = FOLDER / "wycheproof" / f"{name}.json"
        if not path.exists():
            return []
        for group in json.loads(path.read_bytes())["testGroups"]:
            found += [Vector(name, facts["tcId"], group, facts) for facts in group["tests"]]
    return found


def rfc7520() -> dict[str, Any] | None:
    """RFC 7520 §6: a signed token in an encrypted one. None if it is not here."""
    path = FOLDER / "rfc7520" / "6.nesting_signatures_and_encryption.json"
    return json.loads(path.read_bytes()) if path.exists() else None


# ---------------------------------------------------------------------------------------------- what we make of them


def verdict(vector: Vector, folder: Path, *, lend_kid: bool = True, declare_alg: bool = True) -> str:
    """What becomes of a vector: `accepted`, `key_refused`, or the reason of the refusal.

    Without `declare_alg` its keys do not say which algorithm they are for: then less is refused for the key's sake, and
    the token has to be.
    """
    try:
        return (_decrypted if vector.is_jwe else _verified)(vector, folder, lend_kid, declare_alg)
    except RejectedEventError as error:
        return ACCEPTED if error.reason in READ_AFTER_THE_SIGNATURE_HELD else error.reason


def _verified(vector: Vector, _: Path, lend_kid: bool, declare_alg: bool) -> str:
    keys = published(_declared(vector.group.get("public", vector.group["private"]), declare_alg))
    named = _named(vector.token)
    key = keys.get(named.get("kid", ""), next(iter(keys.values()), None))
    if key is None:
        return KEY_REFUSED
    with _lending(key.kid) if lend_kid else _lending(None):
        JwcryptoEventCrypto({}).verify(vector.token, key, {str(named.get("alg"))})
    return ACCEPTED


def _decrypted(vector: Vector, folder: Path, lend_kid: bool, declare_alg: bool) -> str:
    named = _named(vector.token)
    try:
        crypto, kid = registered(json.dumps(_declared(vector.group["private"], declare_alg)), folder)
    except ConfigurationError:
        return KEY_REFUSED
    with _lending(kid) if lend_kid else _lending(None):
        opened = crypto.decrypt(vector.token, careless(named)).plaintext
    return ACCEPTED if opened == bytes.fromhex(vector.facts["pt"]) else "another plaintext"


def _declared(key: Mapping[str, Any], declare_alg: bool) -> dict[str, Any]:
    members = [dict(member) for member in key.get("keys", [key])]
    return {"keys": members if declare_alg else [{n: m for n, m in member.items() if n != "alg"} for member in members]}


def published(key: Mapping[str, Any]) -> dict[str, VerificationKey]:
    """A key, or a set, as the hub would publish it."""
    members = [{"kid": LENT_KID} | member for member in key.get("keys", [key])]
    return verification_keys(json.dumps({"keys": members}).encode(), JWKS_URI)


@cache
def registered(key: str, folder: Path) -> tuple[JwcryptoEventCrypto, str]:
    """A key, or a set, as it would stand in our key file; and its id."""
    told = json.loads(key)
    path = folder / f"{abs(hash(key))}.jwks.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"keys": [{"kid": LENT_KID} | member for member in told.get("keys", [told])]}))
    keys = load_encryption_keys(path)
    return JwcryptoEventCrypto({key.kid: (CLIENT_ID, key) for key in keys}), keys[0].kid


def careless(header: Mapping[str, Any]) -> Push:
    """A profile that allows whatever a token says."""
    return Push(
        jwe_algs=frozenset({str(header.get("alg"))}),
        jwe_encs=frozenset({str(header.get("enc"))}),
        jws_algs=frozenset(),
        max_body_bytes=64 * 1024,
        accepted_status=202,
    )


def _named(token: bytes) -> Mapping[str, Any]:
    try:
        first = token.split(b".")[0]
        told = json.loads(base64.urlsafe_b64decode(first + b"=" * (-len(first) % 4)))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


@contextmanager
def _lending(kid: str | None) -> Iterator[None]:
    """Let tokens that name no key name this one; everything else about their headers is checked as always."""
    if kid is None:
        yield
        return
    as_always = compact.take_apart

    def take_apart(token: bytes, parts: int) -> compact.Compact:
        try:
            return as_always(token, parts)
        except MalformedEventError as error:
            if error.reason != "kid_missing":
                raise
            pieces = compact.split(token, parts)
            header = strict_json.loads(compact.decoded(pieces[0]))
            if "kid" in header:
                raise
            return compact.Compact({**header, "kid": kid}, pieces, token)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "take_apart", take_apart)
        patch.setattr(jose, "take_apart", take_apart)
        yield
