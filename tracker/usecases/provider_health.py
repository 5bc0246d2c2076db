"""How the providers are doing, for people and programs that ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from tracker.domain.allowance import Room
from tracker.domain.errors import ProviderNotFoundError
from tracker.domain.lags import Lags
from tracker.ports import Provider, ProviderFacts, Store, Told
from tracker.usecases.budget import Budget
from tracker.usecases.ledgers import room_in
from tracker.usecases.providers import Providers

DAY = timedelta(days=1)


class Fetching(StrEnum):
    """How it went to fetch something of a provider the last time, in whichever process."""

    OK = "ok"
    FAILING = "failing"
    UNKNOWN = "unknown"
    """It was not tried yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderView:
    """One provider as it is now.

    Attributes:
        provider: As it is configured.
        facts: What the database knows of it.
        window: Moves are counted that we learnt of in so long, in whole hours.
    """

    provider: Provider
    facts: ProviderFacts
    window: timedelta

    @property
    def room(self) -> Room:
        """How many questions may be sent now."""
        return room_in(self.provider, self.facts.ledger)

    @property
    def used_today(self) -> int:
        """How many questions were sent today."""
        return self.facts.ledger.allowance.used_on(self.facts.ledger.at)

    @property
    def left_today(self) -> int | None:
        """How many more may be sent today; None: any number."""
        if not self.provider.daily_requests:
            return None
        return max(0, self.provider.daily_requests - self.used_today)

    @property
    def day_ends_at(self) -> datetime:
        """When the day's budget begins anew."""
        return datetime.combine(self.facts.ledger.at.date() + DAY, time(), UTC)

    @property
    def held_until(self) -> datetime | None:
        """Until when it asked to be left alone; None if that is over."""
        allowance, at = self.facts.ledger.allowance, self.facts.ledger.at
        return allowance.held_until if allowance.is_held(at) else None

    def lags(self, told: Told) -> Lags:
        """From the holder's time of moves to our knowledge of them."""
        return self.facts.lags.get(told, Lags())

    @property
    def share_told(self) -> float | None:
        """Which part of the moves events told before polls found them; None if there were none."""
        told, found = self.lags(Told.WEBHOOK).count, self.lags(Told.POLL).count
        return told / (told + found) if told + found else None

    @property
    def keys(self) -> Fetching:
        """How it went to fetch its signing keys."""
        return _fetching(self.facts.health.signs.keys_fetched_at, self.facts.health.signs.keys_failed_at)

    @property
    def tokens(self) -> Fetching:
        """How it went to fetch an access token."""
        return _fetching(self.facts.health.signs.tokens_fetched_at, self.facts.health.signs.tokens_failed_at)


class ProviderHealth:
    """Tells how the providers are doing."""

    def __init__(self, store: Store, providers: Providers, budget: Budget) -> None:
        self._store = store
        self._providers = providers
        self._budget = budget

    async def all(self, now: datetime, window: timedelta = DAY) -> list[ProviderView]:
        """All that are configured, in order of their names."""
        return await self._views(sorted(self._providers, key=lambda provider: provider.id), now, window)

    async def one(self, provider_id: str, now: datetime, window: timedelta = DAY) -> ProviderView:
        """One of them.

        Raises:
            ProviderNotFoundError: None is configured so.
        """
        found = self._providers.get(provider_id)
        if found is None:
            raise ProviderNotFoundError
        return (await self._views([found], now, window))[0]

    async def _views(self, providers: Sequence[Provider], now: datetime, window: timedelta) -> list[ProviderView]:
        # Whole hours are counted: the one in which the window begins is left out.
        ids = [provider.id for provider in providers]
        facts = await self._store.provider_facts(ids, self._budget.now, now - window)
        return [ProviderView(provider=each, facts=facts[each.id], window=window) for each in providers]


def _fetching(fetched_at: datetime | None, failed_at: datetime | None) -> Fetching:
    if fetched_at is None and failed_at is None:
        return Fetching.UNKNOWN
    is_ok = failed_at is None or (fetched_at is not None and fetched_at >= failed_at)
    return Fetching.OK if is_ok else Fetching.FAILING
