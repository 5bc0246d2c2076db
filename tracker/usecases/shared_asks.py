"""Several workers share the providers that are asked by the schedule, so that each provider's rate is spent by one."""

from tracker.usecases.ask import Asker
from tracker.usecases.leasing import Leasing
from tracker.usecases.providers import Providers
from tracker.usecases.revoke import Revoker


class SharedAsks:
    """Asks the providers that this process has a lease on."""

    def __init__(self, asker: Asker, providers: Providers, leasing: Leasing | None) -> None:
        """Take what there is to work with.

        Args:
            asker: Asks.
            providers: All there are.
            leasing: Whom this process asks, if there are others; None: all.
        """
        self._asker = asker
        self._names = [_lease(provider.id) for provider in providers]
        self._leasing = leasing

    async def run_once(self, provider_id: str) -> int:
        """Ask one provider about what is due, if it is ours to ask; say how many questions that was.

        Raises:
            StorageError: The database is away.
        """
        return await self._asker.run_once(provider_id) if await self.is_ours(provider_id) else 0

    async def is_ours(self, provider_id: str) -> bool:
        """Whether this process is the one that asks a provider.

        Raises:
            StorageError: The database is away.
        """
        return self._leasing is None or _lease(provider_id) in await self._leasing.share(self._names)

    async def leave(self) -> None:
        """Let others ask them at once."""
        if self._leasing is not None:
            await self._leasing.leave()


class SharedRevocations:
    """Takes up revocations with the providers that this process asks, beside the questions and not after them."""

    def __init__(self, revoker: Revoker, asks: SharedAsks) -> None:
        self._revoker = revoker
        self._asks = asks

    async def run_once(self, provider_id: str) -> int:
        """Take up what is due with one provider, if it is ours to ask; say how many requests that was.

        Raises:
            StorageError: The database is away.
        """
        return await self._revoker.run_once(provider_id) if await self._asks.is_ours(provider_id) else 0


def _lease(provider_id: str) -> str:
    return f"asks {provider_id}"
