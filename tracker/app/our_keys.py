"""Our own private keys as the key files have them: read at the start, and again whenever an operator says so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tracker.adapters.checkpoint_signer import Ed25519NoteSigner
from tracker.adapters.jose import DecryptionKey, EventKeys, SigningKey
from tracker.adapters.key_files import event_keys, load_checkpoint_key, load_encryption_keys, load_signing_keys
from tracker.adapters.notification_keys import NotificationKeys, load_notification_keys
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys, load_secret_keys
from tracker.domain.errors import ConfigurationError, TrackerError
from tracker.ports.checkpoints import NoteSigner
from tracker.settings import Settings


@dataclass(frozen=True, eq=False, kw_only=True)
class OurKeys:
    """All of them, parsed.

    Attributes:
        signing: By client id; the first of each signs.
        encryption: By client id; every one opens events.
        events: The encryption keys of all clients, by key id.
        signers: Sign checkpoints, each of them all; there may be none.
        notifications: Sign what subscribers are told; None if none of ours does.
        secrets: Encrypt what is secret in the database; there may be none.
    """

    signing: Mapping[str, tuple[SigningKey, ...]]
    encryption: Mapping[str, tuple[DecryptionKey, ...]]
    events: EventKeys
    signers: tuple[NoteSigner, ...] = ()
    notifications: NotificationKeys | None = None
    secrets: SecretKeys = NO_KEYS

    def told(self) -> str:
        """Say which keys are in use, by their ids."""
        told = [
            f"{client_id} signs with {keys[0].kid}, opens events for {', '.join(k.kid for k in self.encryption[client_id])}"
            for client_id, keys in self.signing.items()
        ]
        if self.notifications is not None:
            told.append(f"notifications are signed with {self.notifications.kid}")
        if self.secrets.kids:
            told.append(f"secrets are encrypted with {self.secrets.kids[0]}")
        return "; ".join(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInUse:
    """One of our keys, and what it does.

    Attributes:
        client_id: Whose it is; empty for one that is no client's.
        kid: Its id.
        role: `signs`; `ready to sign`, behind the one that does; `opens events`; `signs notifications`; `published`, beside that;
            `encrypts secrets`; `decrypts secrets`, beside that.
        file: Where it is.
    """

    client_id: str
    kid: str
    role: str
    file: str


def keys_in_use(settings: Settings) -> list[KeyInUse]:
    """Say of each key in our files what it does, in their order.

    Raises:
        ConfigurationError: One of the files cannot be used.
    """
    keys, found = load_our_keys(settings), []
    for client in settings.client:
        name = client.client_id
        for n, signing in enumerate(keys.signing[name]):
            role = "ready to sign" if n else "signs"
            found.append(KeyInUse(client_id=name, kid=signing.kid, role=role, file=str(client.signing_jwks)))
        for key in keys.encryption[name]:
            file = str(client.encryption_jwks)
            found.append(KeyInUse(client_id=name, kid=key.kid, role="opens events", file=file))
    for n, kid in enumerate(() if keys.notifications is None else keys.notifications.kids):
        role = "published" if n else "signs notifications"
        found.append(KeyInUse(client_id="", kid=kid, role=role, file=str(settings.notifications.signing_key)))
    for n, kid in enumerate(keys.secrets.kids):
        role = "decrypts secrets" if n else "encrypts secrets"
        found.append(KeyInUse(client_id="", kid=kid, role=role, file=str(settings.notifications.secrets_key)))
    return found


def unusable_key_files(settings: Settings) -> list[TrackerError]:
    """What is wrong with the key files, an error for each that cannot be used by itself."""
    mode = settings.security.key_file_mode
    found: list[TrackerError] = []
    loads: list[Callable[[], object]] = []
    for client in settings.client:
        loads.append(partial(load_signing_keys, client.signing_jwks, mode))
        loads.append(partial(load_encryption_keys, client.encryption_jwks, mode))
    loads += [partial(load_checkpoint_key, file, mode) for file in settings.audit.key_files]
    if settings.notifications.signing_key is not None:
        loads.append(partial(load_notification_keys, settings.notifications.signing_key, mode))
    if settings.notifications.secrets_key is not None:
        loads.append(partial(load_secret_keys, settings.notifications.secrets_key, mode))
    for load in loads:
        try:
            load()
        except ConfigurationError as error:
            found.append(error)
    return found


def load_our_keys(settings: Settings) -> OurKeys:
    """Read all key files that the configuration names.

    Slow: importing a private RSA key costs some hundred times what opening an event does.

    Raises:
        ConfigurationError: One of them cannot be used, or they do not go together.
    """
    mode = settings.security.key_file_mode
    encryption = {client.client_id: load_encryption_keys(client.encryption_jwks, mode) for client in settings.client}
    checkpoint_keys = [load_checkpoint_key(file, mode) for file in settings.audit.key_files]
    return OurKeys(
        signing={client.client_id: load_signing_keys(client.signing_jwks, mode) for client in settings.client},
        encryption=encryption,
        events=event_keys(encryption),
        signers=tuple(Ed25519NoteSigner(key, settings.audit.origin) for key in checkpoint_keys),
        notifications=_notification_keys(settings),
        secrets=_secret_keys(settings),
    )


def _notification_keys(settings: Settings) -> NotificationKeys | None:
    file = settings.notifications.signing_key
    return None if file is None else load_notification_keys(file, settings.security.key_file_mode)


def _secret_keys(settings: Settings) -> SecretKeys:
    file = settings.notifications.secrets_key
    return NO_KEYS if file is None else load_secret_keys(file, settings.security.key_file_mode)
