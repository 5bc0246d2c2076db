"""Several workers share the providers that are asked by the schedule, so that each provider's rate is spent by one."""

from tracker.usecases.ask import Asker
from tracker.usecases.leasing import Leasing
from tracker.usecases.providers import Providers


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
        if self._leasing is not None and _lease(provider_id) not in await self._leasing.share(self._names):
            return 0
        return await self._asker.run_once(provider_id)

    async def leave(self) -> None:
        """Let others ask them at once."""
        if self._leasing is not None:
            await self._leasing.leave()


def _lease(provider_id: str) -> str:
    return f"asks {provider_id}"
