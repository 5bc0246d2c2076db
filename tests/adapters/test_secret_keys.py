"""Keys that encrypt secrets in the database: their file, and what they do to a text."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tracker.adapters.secret_keys import (
    MARK,
    NO_KEYS,
    SealedTextError,
    SecretKeys,
    is_sealed,
    load_secret_keys,
    make_secret_keys,
)
from tracker.domain.errors import ConfigurationError

OLD, NEW = b"o" * 32, b"n" * 32
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
HERE, THERE = "subscription\n1\nsecret", "subscription\n2\nsecret"


@given(st.text())
def test_what_is_sealed_opens_where_it_was_sealed(text: str) -> None:
    keys = SecretKeys({"k": NEW})
    sealed = keys.seal(text, HERE)
    assert is_sealed(sealed)
    assert keys.is_current(sealed)
    assert keys.open(sealed, HERE) == text
    assert keys.seal(text, HERE) != sealed


def test_it_is_aes_256_gcm_as_others_do_it() -> None:
    kid, _, text = SecretKeys({"k": NEW}).seal(SECRET, HERE).removeprefix(MARK).partition(":")
    raw = base64.b64decode(text)
    assert kid == "k"
    assert AESGCM(NEW).decrypt(raw[:12], raw[12:], HERE.encode()) == SECRET.encode()


def test_the_longest_secret_has_room_in_its_column() -> None:
    assert len(SecretKeys({"k" * 16: NEW}).seal(SECRET, HERE)) <= 128


def test_moved_to_another_place_it_does_not_open() -> None:
    keys = SecretKeys({"k": NEW})
    with pytest.raises(SealedTextError, match="for another place, or were changed"):
        keys.open(keys.seal(SECRET, HERE), THERE)


def test_a_text_that_was_changed_anywhere_does_not_open() -> None:
    keys = SecretKeys({"k": NEW})
    head, _, text = keys.seal(SECRET, HERE).rpartition(":")
    raw = base64.b64decode(text)
    for position in range(len(raw)):
        changed = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        with pytest.raises(SealedTextError):
            keys.open(f"{head}:{base64.b64encode(changed).decode()}", HERE)
    for hostile in ("", "A", "====", base64.b64encode(bytes(11)).decode(), "é"):
        with pytest.raises(SealedTextError):
            keys.open(f"{head}:{hostile}", HERE)


def test_every_key_opens_and_the_first_seals() -> None:
    before, both = SecretKeys({"old": OLD}), SecretKeys({"new": NEW, "old": OLD})
    sealed = before.seal(SECRET, HERE)
    assert both.open(sealed, HERE) == SECRET
    assert not both.is_current(sealed)
    assert both.seal(SECRET, HERE).startswith("aesgcm:new:")
    with pytest.raises(SealedTextError, match="the key 'old', which at_rest_keys does not hold"):
        SecretKeys({"new": NEW}).open(sealed, HERE)


def test_without_a_key_a_text_stays_as_it_is_and_nothing_opens() -> None:
    assert NO_KEYS.seal(SECRET, HERE) == NO_KEYS.open(SECRET, HERE) == SECRET
    assert NO_KEYS.is_current(SECRET)
    sealed = SecretKeys({"k": NEW}).seal(SECRET, HERE)
    assert not NO_KEYS.is_current(sealed)
    assert not SecretKeys({"k": NEW}).is_current(SECRET)
    with pytest.raises(SealedTextError):
        NO_KEYS.open(sealed, HERE)


# ---------------------------------------------------------------------------------------------- the file


def a_member(**changes: Any) -> dict[str, Any]:
    (member,) = json.loads(make_secret_keys())["keys"]
    return {name: value for name, value in {**member, **changes}.items() if value is not ...}


def written(folder: Path, document: Any, *, mode: int = 0o600) -> Path:
    path = folder / "secrets.jwks.json"
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_made_key_loads_and_no_two_are_the_same(tmp_path: Path) -> None:
    first, second = make_secret_keys(), make_secret_keys()
    assert first != second
    keys = load_secret_keys(written(tmp_path, first))
    (member,) = json.loads(first)["keys"]
    assert keys.kids == (member["kid"],)
    assert member["k"] not in repr(keys)
    both = load_secret_keys(written(tmp_path, {"keys": [a_member(kid="b"), member]}))
    assert both.open(keys.seal(SECRET, HERE), HERE) == SECRET


UNUSABLE: dict[str, tuple[Any, str]] = {
    "no JSON": ("x", "is not JSON"),
    "one JWK": (a_member(), 'is not a JWK Set with a list "keys"'),
    "none": ({"keys": []}, 'is not a JWK Set with a list "keys"'),
    "too many": ({"keys": [a_member(kid=str(n)) for n in range(11)]}, 'is not a JWK Set with a list "keys"'),
    "no object": ({"keys": ["x"]}, 'is no JWK of the type "oct"'),
    "another type": ({"keys": [a_member(kty="RSA")]}, 'is no JWK of the type "oct"'),
    "another algorithm": ({"keys": [a_member(alg="A128KW")]}, 'is no JWK of the type "oct"'),
    "too short": ({"keys": [a_member(k="AAAA")]}, 'is no JWK of the type "oct"'),
    "no base64url": ({"keys": [a_member(k="+" * 43)]}, 'is no JWK of the type "oct"'),
    "no key": ({"keys": [a_member(k=...)]}, 'is no JWK of the type "oct"'),
    "no kid": ({"keys": [a_member(kid=...)]}, 'has no "kid" of 1 to 16'),
    "a long kid": ({"keys": [a_member(kid="k" * 17)]}, 'has no "kid" of 1 to 16'),
    "a kid with a colon": ({"keys": [a_member(kid="a:b")]}, 'has no "kid" of 1 to 16'),
    "a kid twice": ({"keys": [a_member(kid="a"), a_member(kid="a")]}, "Two keys"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_is_told_in_one_sentence_without_any_of_it(tmp_path: Path, name: str) -> None:
    document, words = UNUSABLE[name]
    with pytest.raises(ConfigurationError, match=words) as caught:
        load_secret_keys(written(tmp_path, document))
    assert str(caught.value).endswith(".")
    members = document["keys"] if isinstance(document, dict) and "keys" in document else []
    secrets = [member["k"] for member in members if isinstance(member, dict) and "k" in member]
    assert not any(secret in str(caught.value) for secret in secrets)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run `chmod 600 "):
        load_secret_keys(written(tmp_path, make_secret_keys(), mode=0o644))
