"""Key files of ours: made, and their public halves shown."""

import json
from pathlib import Path
from typing import Any, Literal

from tracker.adapters.checkpoint_signer import checkpoint_vkey
from tracker.adapters.key_files import (
    jwks_of_pem,
    load_checkpoint_key,
    load_encryption_keys,
    load_signing_keys,
    make_checkpoint_key,
    make_jwks,
    public_jwks,
    write_private,
)
from tracker.adapters.notification_keys import load_notification_keys, make_notification_keys
from tracker.adapters.secret_keys import make_secret_keys
from tracker.domain.errors import InvalidRequestError
from tracker.settings import Settings

Kind = Literal["signing", "encryption", "checkpoint", "notifications", "secrets"]


def make_key_file(kind: Kind, out: Path, kid: str | None) -> str:
    """Make a private key in a file of its own, and say so.

    Raises:
        InvalidRequestError: There is no folder for it.
        ConfigurationError: The file is there already, or cannot be written.
    """
    _require_folder(out)
    match kind:
        case "checkpoint":
            text = make_checkpoint_key()
        case "notifications":
            text = make_notification_keys()
        case "secrets":
            text = make_secret_keys()
        case _:
            text = make_jwks(kind, kid)
    write_private(out, text)
    return f"{out} is made; nobody but you can read it."


def take_key_over(kind: Literal["signing", "encryption"], source: Path, out: Path, kid: str | None) -> str:
    """Write a private key that is there as PEM into a key file of ours, and say so.

    Raises:
        InvalidRequestError: There is no folder for it, or its id is not given.
        ConfigurationError: It cannot be used; or the file is there already, or cannot be written.
    """
    if kid is None:
        raise InvalidRequestError("Give the id under which the directory has this key, with --kid.")
    _require_folder(out)
    write_private(out, jwks_of_pem(kind, source, kid))
    return f"{out} is made of {source}; nobody but you can read it."


def _require_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise InvalidRequestError(f"The folder {out.parent} is not there; make it.")


def public_keys(settings: Settings) -> dict[str, Any]:
    """Our public keys: of each client what its directory needs, and what auditors and subscribers need.

    Raises:
        ConfigurationError: A key file cannot be used.
    """
    mode = settings.security.key_file_mode
    clients: dict[str, Any] = {}
    for client in settings.client:
        load_signing_keys(client.signing_jwks, mode)
        load_encryption_keys(client.encryption_jwks, mode)
        clients[client.client_id] = {
            "signing_jwks": _public(client.signing_jwks),
            "encryption_jwks": _public(client.encryption_jwks),
        }
    shown: dict[str, Any] = {"clients": clients}
    if settings.audit.checkpoint_key is not None:
        key = load_checkpoint_key(settings.audit.checkpoint_key, mode)
        shown["checkpoint_vkey"] = checkpoint_vkey(key, settings.audit.origin)
    if settings.audit.checkpoint_key_next is not None:
        key = load_checkpoint_key(settings.audit.checkpoint_key_next, mode)
        shown["checkpoint_vkey_next"] = checkpoint_vkey(key, settings.audit.origin)
    if settings.notifications.signing_key is not None:
        shown["notification_jwks"] = load_notification_keys(settings.notifications.signing_key, mode).public_jwks()
    return shown


def _public(path: Path) -> Any:
    return json.loads(public_jwks(path.read_text()))
