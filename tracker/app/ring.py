"""Whether the ring holds every key that the database needs to be read."""

from tracker.adapters.secret_keys import SecretKeys
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import ConfigurationError


async def require_ring(store: SqlStore, ring: SecretKeys) -> None:
    """See to it that every key of a consent can be opened; else events could be recorded about none of those.

    Raises:
        ConfigurationError: A key of the ring is missing.
    """
    if missing := await store.sealing.missing_keys(ring.kids):
        raise ConfigurationError(
            f"Values in the database are encrypted under {_listed(missing)}, which [security] at_rest_keys does not hold; put "
            "it back, behind the others."
        )


def _listed(kids: list[str]) -> str:
    return ", ".join(f"the key {kid!r}" for kid in kids)
