"""Our keys that sign notifications: what their file must be, and that others can use what is published of them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet, OKPKey

from tracker.adapters.notification_keys import load_notification_keys, make_notification_keys
from tracker.domain.errors import ConfigurationError


def a_member(**changes: Any) -> dict[str, Any]:
    (member,) = json.loads(make_notification_keys())["keys"]
    return {name: value for name, value in {**member, **changes}.items() if value is not ...}


def written(folder: Path, document: Any, *, mode: int = 0o600) -> Path:
    path = folder / "notifications.jwks.json"
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_made_key_signs_what_others_verify_by_what_is_published(tmp_path: Path) -> None:
    keys = load_notification_keys(written(tmp_path, make_notification_keys()))
    published = keys.public_jwks()
    (public,) = KeySet.import_key_set(published).keys
    assert isinstance(public, OKPKey)
    assert not public.is_private
    assert (public.kid, public.thumbprint()) == (keys.kid, keys.kid)
    header = b'{"alg":"EdDSA"}'
    head, body = (base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, b"said"))
    signature = base64.urlsafe_b64encode(keys.private_key.sign(head + b"." + body)).rstrip(b"=")
    token = b".".join((head, body, signature)).decode()
    with pytest.warns(
        SecurityWarning, match="RFC 9864"
    ):  # which says Ed25519 for the same; few verifiers know that yet
        payload = jws.deserialize_compact(token, public, algorithms=["EdDSA"]).payload
    assert payload == b"said"
    prefix, _, text = published["keys"][0]["whpk"].partition("_")
    assert prefix == "whpk"
    assert base64.b64decode(text) == keys.private_key.public_key().public_bytes_raw()


def test_the_first_signs_and_all_are_published_without_their_secrets(tmp_path: Path) -> None:
    members = [a_member(kid="next"), a_member(kid="before")]
    keys = load_notification_keys(written(tmp_path, {"keys": members}))
    assert (keys.kid, keys.kids) == ("next", ("next", "before"))
    assert [member["x"] for member in keys.public_jwks()["keys"]] == [member["x"] for member in members]
    shown = json.dumps(keys.public_jwks()) + repr(keys)
    assert not any(member["d"] in shown for member in members)
    assert "private" not in shown


UNUSABLE: dict[str, tuple[Any, str]] = {
    "no JSON": ("-----BEGIN PRIVATE KEY-----", "is not JSON"),
    "one JWK": (a_member(), 'is not a JWK Set with a list "keys"'),
    "a list": ([a_member()], 'is not a JWK Set with a list "keys"'),
    "none": ({"keys": []}, 'is not a JWK Set with a list "keys"'),
    "too many": ({"keys": [a_member(kid=str(n)) for n in range(11)]}, 'is not a JWK Set with a list "keys"'),
    "no object": ({"keys": ["x"]}, "is no private Ed25519 JWK"),
    "another type": ({"keys": [a_member(kty="EC")]}, "is no private Ed25519 JWK"),
    "another curve": ({"keys": [a_member(crv="X25519")]}, "is no private Ed25519 JWK"),
    "the public half": ({"keys": [a_member(d=...)]}, "is no private Ed25519 JWK"),
    "too short": ({"keys": [a_member(d="AAAA")]}, "is no private Ed25519 JWK"),
    "no base64url": ({"keys": [a_member(d="+" * 43)]}, "is no private Ed25519 JWK"),
    "no text": ({"keys": [a_member(x=5)]}, "is no private Ed25519 JWK"),
    "halves of two": ({"keys": [a_member(x=a_member()["x"])]}, 'The halves "x" and "d" of key 1'),
    "no kid": ({"keys": [a_member(kid=...)]}, 'has no "kid"'),
    "a kid twice": ({"keys": [a_member(kid="a"), a_member(kid="a")]}, "Two keys"),
    "for encryption": ({"keys": [a_member(use="enc")]}, "is not for signing"),
    "for RSA": ({"keys": [a_member(alg="PS256")]}, "is not for signing"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_is_told_in_one_sentence_without_any_of_it(tmp_path: Path, name: str) -> None:
    document, words = UNUSABLE[name]
    with pytest.raises(ConfigurationError, match=words) as caught:
        load_notification_keys(written(tmp_path, document))
    said = str(caught.value)
    assert said.endswith(".")
    members = document.get("keys", []) if isinstance(document, dict) else []
    assert not any(
        member["d"] in said for member in members if isinstance(member, dict) and len(member.get("d", "")) > 9
    )


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, make_notification_keys(), mode=0o640)
    with pytest.raises(ConfigurationError, match="run `chmod 600 "):
        load_notification_keys(path)
    assert load_notification_keys(path, "warn").kids
