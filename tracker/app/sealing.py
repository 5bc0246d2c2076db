"""How the secrets of subscriptions stand in the database, and encrypting those that do not stand as they should."""

from tracker.adapters.store.vault import Sealing
from tracker.app.composition import Tracker
from tracker.app.findings import Finding
from tracker.domain.errors import ConfigurationError

_SEAL = "run `tracker keys seal`"


async def secrets_finding(tracker: Tracker) -> Finding:
    """Say whether the secrets are encrypted, and whether all of them can be read."""
    standing = await tracker.store.secrets_standing()
    locked, old = standing[Sealing.LOCKED], standing[Sealing.OLD]
    has_key = tracker.settings.notifications.secrets_key is not None
    if locked:
        text = f"those of {locked} subscription(s) cannot be read, and these are not told; put the key back into secrets_key"
        return Finding("secrets", text, ok=False)
    if not has_key:
        text = (
            "those of subscriptions are not encrypted in the database; make a key with `tracker keys make secrets` and name it "
            "in [notifications] secrets_key"
        )
        return Finding("secrets", text, ok=True, warns=True)
    if old:
        return Finding(
            "secrets",
            f"those of {old} subscription(s) are not encrypted with the first key; {_SEAL}",
            ok=True,
            warns=True,
        )
    return Finding("secrets", "those of subscriptions are encrypted", ok=True)


async def seal_secrets(tracker: Tracker) -> str:
    """Encrypt the secrets of all subscriptions with the first key, and say what was done. It may run beside the service.

    Raises:
        ConfigurationError: There is no key, or some secrets cannot be read.
    """
    if tracker.settings.notifications.secrets_key is None:
        raise ConfigurationError(
            "There is no key to encrypt with; make one with `tracker keys make secrets` and name it in [notifications] "
            "secrets_key."
        )
    stood = await tracker.store.seal_again()
    if locked := stood[Sealing.LOCKED]:
        raise ConfigurationError(
            f"The secrets of {locked} subscription(s) cannot be read; put the key back with which they were encrypted, or give "
            "them others with `tracker subscriptions rotate-secret`."
        )
    return f"{stood[Sealing.OLD]} encrypted now, {stood[Sealing.CURRENT]} before."
