"""Our private keys, in files: read once and parsed, made, written.

A file holds a private JWK Set (for signing, for decrypting events) or one JWK (for checkpoints). Whatever is wrong with
one is found at start and said in a sentence that names the file and what to do; no message holds any part of a key.

Spec: RFC 7517 §5 (JWK Set), RFC 7518 §6.3 (RSA), RFC 7638 (thumbprint as key id), RFC 8037 §2 (Ed25519).
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tracker.adapters.jose import DecryptionKey, EventKeys, SigningKey
from tracker.adapters.key_faults import no_json, no_set
from tracker.adapters.locked_jwcrypto import JWK, refusing
from tracker.adapters.pem_keys import load_pem_rsa
from tracker.adapters.private_files import ModePolicy, read_private
from tracker.adapters.public_keys import is_sound_rsa
from tracker.domain import strict_json
from tracker.domain.errors import ConfigurationError
from tracker.profiles.compact import is_key_id

Kind = Literal["signing", "encryption"]

_RSA_BITS: Final = 2048
_OAEP: Final = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)


@dataclass(frozen=True, slots=True)
class _Purpose:
    """What the keys of a file are for: its name, and JWK's words for it. The first algorithm is that of new keys."""

    kind: Kind
    use: str
    algorithms: tuple[str, ...]
    operation: str


_PURPOSES: Final[Mapping[Kind, _Purpose]] = {
    "signing": _Purpose("signing", "sig", ("PS256",), "sign"),
    "encryption": _Purpose("encryption", "enc", ("RSA-OAEP-256", "RSA-OAEP"), "unwrapKey"),
}

_RSA_SECRETS: Final = ("d", "p", "q", "dp", "dq", "qi")

_PUBLIC_MEMBERS: Final = ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y", "x5c", "x5t", "x5t#S256", "x5u")


# ---------------------------------------------------------------------------------------------- loading


def load_signing_keys(path: Path, mode_policy: ModePolicy = "refuse") -> tuple[SigningKey, ...]:
    """Load a client's signing keys, ready for use; the first one signs.

    Raises:
        ConfigurationError: The file or one of its keys cannot be used.
    """
    return tuple(SigningKey(kid, jwk) for kid, jwk in _load_set(path, _PURPOSES["signing"], mode_policy))


def load_encryption_keys(path: Path, mode_policy: ModePolicy = "refuse") -> tuple[DecryptionKey, ...]:
    """Load the keys that a client's events are encrypted for, ready for use; retired ones too.

    Raises:
        ConfigurationError: The file or one of its keys cannot be used.
    """
    return tuple(DecryptionKey(kid, jwk) for kid, jwk in _load_set(path, _PURPOSES["encryption"], mode_policy))


def event_keys(clients: Mapping[str, Sequence[DecryptionKey]]) -> EventKeys:
    """Put the encryption keys of all clients together.

    Args:
        clients: The keys of each, by client id.

    Raises:
        ConfigurationError: One key id stands for two keys: an event would not say which client it is for.
    """
    keys: dict[str, tuple[str, DecryptionKey]] = {}
    for client_id, key in ((client_id, key) for client_id, keys_of in clients.items() for key in keys_of):
        if key.kid in keys:
            raise ConfigurationError(
                f"The clients {keys[key.kid][0]} and {client_id} both have an encryption key {key.kid!r}; "
                "register a key of its own, with an id of its own, for one of them."
            )
        keys[key.kid] = (client_id, key)
    return keys


def load_checkpoint_key(path: Path, mode_policy: ModePolicy = "refuse") -> ed25519.Ed25519PrivateKey:
    """Load the key that signs checkpoints.

    Raises:
        ConfigurationError: The file or its key cannot be used.
    """
    unusable = (
        f"The key file {path} does not hold one private Ed25519 JWK; make one with `tracker keys make checkpoint`."
    )
    member = _read_json(path, "checkpoint", mode_policy)
    if (
        not isinstance(member, dict)
        or (member.get("kty"), member.get("crv")) != ("OKP", "Ed25519")
        or "d" not in member
    ):
        raise ConfigurationError(unusable)
    with refusing(ConfigurationError, unusable):
        jwk = JWK(kty="OKP", crv="Ed25519", x=member["x"], d=member["d"])
        key: ed25519.Ed25519PrivateKey = jwk.get_op_key("sign")
        if key.public_key() != jwk.get_op_key("verify"):
            raise ConfigurationError(unusable)
    return key


def _load_set(path: Path, purpose: _Purpose, mode_policy: ModePolicy) -> Iterator[tuple[str, JWK]]:
    document = _read_json(path, purpose.kind, mode_policy)
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or not members:
        raise ConfigurationError(f"The key file {path} {no_set(document, purpose.kind)}.")
    seen: set[str] = set()
    for position, member in enumerate(members, start=1):
        kid = member.get("kid") if isinstance(member, dict) else None
        if not is_key_id(kid):
            raise ConfigurationError(f'Key {position} in {path} has no "kid"; add the id under which it is registered.')
        if kid in seen:
            raise ConfigurationError(f'Two keys in {path} have the "kid" {kid!r}; remove one of them.')
        seen.add(kid)
        yield kid, _private_rsa(member, f"The key {kid!r} in {path}", purpose)


def _private_rsa(member: Mapping[str, Any], subject: str, purpose: _Purpose) -> JWK:
    remedy = f"make one with `tracker keys make {purpose.kind}` and register it."
    if member.get("kty") != "RSA":
        raise ConfigurationError(f"{subject} is not an RSA key; {remedy}")
    if "d" not in member:
        raise ConfigurationError(
            f"{subject} lacks its private part: it is the public half; put the whole private key there, or {remedy}"
        )
    if any(name not in member for name in _RSA_SECRETS):
        raise ConfigurationError(
            f"{subject} has no primes; export it again with all of {', '.join(_RSA_SECRETS)}, or {remedy}"
        )
    if not _is_for(member, purpose):
        raise ConfigurationError(
            f'{subject} is not for {purpose.kind} by its "use" or "alg"{_meant_for(member, purpose)}'
        )
    with refusing(ConfigurationError, f"{subject} is damaged or not for {purpose.kind}; {remedy}"):
        jwk = JWK(**member)
        key = jwk.get_op_key(purpose.operation)
        is_sound = is_sound_rsa(key.public_key())
        if is_sound:
            _warm(key)
    if not is_sound:
        raise ConfigurationError(
            f"{subject} is not of 2048 to 8192 bits with a public exponent of 65537 or more; {remedy}"
        )
    return jwk


def _is_for(member: Mapping[str, Any], purpose: _Purpose) -> bool:
    """Whether what a key says of itself allows a purpose; it need not say anything."""
    use, alg = member.get("use", purpose.use), member.get("alg", purpose.algorithms[0])
    return use == purpose.use and alg in purpose.algorithms


def _meant_for(member: Mapping[str, Any], purpose: _Purpose) -> str:
    for other in _PURPOSES.values():
        if other is not purpose and _is_for(member, other):
            return f" but for {other.kind}; are the files of signing_jwks and encryption_jwks swapped?"
    allowed = " or ".join(f'"{name}"' for name in purpose.algorithms)
    return f'; if it is registered for that, let it say "use": "{purpose.use}" and "alg": {allowed}.'


def _warm(key: rsa.RSAPrivateKey) -> None:
    # Parsing costs tens of milliseconds and the first operation some more. Both are spent here, before an event waits.
    key.decrypt(key.public_key().encrypt(b"warm", _OAEP), _OAEP)


def _read_json(path: Path, kind: str, mode_policy: ModePolicy) -> Any:
    data = read_private(path, f"make the file with `tracker keys make {kind} --out {path}`", mode_policy)
    try:
        return strict_json.loads(data)
    except strict_json.NotStrictJsonError as error:
        raise ConfigurationError(f"The key file {path} {no_json(data, path, kind)}.") from error


# ---------------------------------------------------------------------------------------------- making and writing


def make_jwks(kind: Kind, kid: str | None = None) -> str:
    """Make a private JWK Set with one new RSA key.

    Args:
        kind: What it is for.
        kid: Its id; its RFC 7638 thumbprint if none is given.

    Raises:
        ConfigurationError: This cannot be a key id.
    """
    if kid is not None:
        _require_key_id(kid)
    return _one_key_set(kind, JWK.generate(kty="RSA", size=_RSA_BITS), kid)


def jwks_of_pem(kind: Kind, path: Path, kid: str) -> str:
    """Write the private RSA key of a PEM file as a private JWK Set.

    Args:
        kind: What it is for.
        path: The PEM file.
        kid: The id under which it is registered.

    Raises:
        ConfigurationError: There is no key in it that can be used, or this cannot be a key id.
    """
    _require_key_id(kid)
    return _one_key_set(kind, JWK.from_pyca(load_pem_rsa(path)), kid)


def _require_key_id(kid: str) -> None:
    if not is_key_id(kid):
        raise ConfigurationError("A key id is 1 to 256 printable ASCII characters; choose such a one.")


def _one_key_set(kind: Kind, jwk: JWK, kid: str | None) -> str:
    purpose = _PURPOSES[kind]
    named = {"kid": kid or jwk.thumbprint(), "use": purpose.use, "alg": purpose.algorithms[0]}
    return _written({"keys": [{"kty": "RSA"} | jwk.export(as_dict=True) | named]})


def make_checkpoint_key() -> str:
    """Make a private Ed25519 JWK; its id is its RFC 7638 thumbprint."""
    return _written(JWK.from_pyca(ed25519.Ed25519PrivateKey.generate()).export(as_dict=True))


def public_jwks(private_json: str) -> str:
    """Write the public half of a private JWK Set, for the directory.

    Raises:
        ConfigurationError: It is not a JWK Set.
    """
    unusable = "This is not a JWK Set; name a file made by `tracker keys make signing` or `encryption`."
    try:
        document = strict_json.loads(private_json)
    except strict_json.NotStrictJsonError as error:
        raise ConfigurationError(unusable) from error
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or not all(isinstance(m, dict) and m.get("kty") == "RSA" for m in members):
        raise ConfigurationError(unusable)
    return _written({"keys": [{name: m[name] for name in _PUBLIC_MEMBERS if name in m} for m in members]})


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read.

    Raises:
        ConfigurationError: It exists already, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigurationError(f"{path} exists already and may hold a key in use; choose another file.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}); choose another file.") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{path} cannot be written ({error.strerror}); make room or choose another."
        ) from error


def _written(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
