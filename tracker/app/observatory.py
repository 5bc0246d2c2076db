"""Watching: what is counted on the way out to holders and subscribers, and the page of metrics."""

import asyncio
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tracker.adapters.hub.holders import Holders
from tracker.adapters.metrics.gauges import Gauges, ProviderStanding, Snapshot
from tracker.domain.breaker import BreakerState
from tracker.domain.consent import ConsentId
from tracker.domain.errors import ConsentApiError, StorageError
from tracker.domain.lags import Lags
from tracker.domain.subscription import Subscription
from tracker.ports import Answer, Clock, Delivery, HolderApi, Meters, Provider, Sender, Store, Survey, Told
from tracker.profiles.profile import Kind
from tracker.usecases.provider_health import ProviderHealth, ProviderView
from tracker.usecases.providers import Providers
from tracker.usecases.trail import Trail
from tracker.web.services import MetricsPage

_LOOK_AGAIN_SECONDS: Final = 5.0
"""Everybody may read the metrics; the database is looked at no more often than this."""
_LOOK_WITHIN_SECONDS: Final = 2.0


class WatchedHolders:
    """Counts questions. Implements `ports.HolderApi`."""

    def __init__(self, holders: HolderApi, meters: Meters, clock: Clock) -> None:
        self._holders = holders
        self._meters = meters
        self._clock = clock

    async def read_consent(self, provider: Provider, kind: Kind, consent_id: ConsentId, interaction_id: str) -> Answer:
        """Ask about one consent; raises what asking raises."""
        began, outcome = self._clock.monotonic(), "failed"
        try:
            answer = await self._holders.read_consent(provider, kind, consent_id, interaction_id)
            outcome = "answered"
        except ConsentApiError as error:
            outcome = error.code
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            seconds = self._clock.monotonic() - began
            self._meters.holder_asked(provider=provider.id, outcome=outcome, seconds=seconds)
        return answer

    async def revoke_consent(
        self, provider: Provider, kind: Kind, consent_id: ConsentId, revoked_by: str, interaction_id: str
    ) -> None:
        """Have a consent revoked; raises what that raises."""
        outcome = "failed"
        try:
            await self._holders.revoke_consent(provider, kind, consent_id, revoked_by, interaction_id)
            outcome = "accepted"
        except ConsentApiError as error:
            outcome = error.code
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._meters.revocation_sent(provider=provider.id, outcome=outcome)


class WatchedSender:
    """Counts notifications, and says of which interaction they tell. Implements `ports.Sender`."""

    def __init__(self, sender: Sender, meters: Meters, clock: Clock, trail: Trail) -> None:
        self._sender = sender
        self._meters = meters
        self._clock = clock
        self._trail = trail

    async def send(
        self, subscription: Subscription, entry_id: str, body: bytes, at: datetime, *, traceparent: str | None = None
    ) -> Delivery:
        """Sign and post one body."""
        began = self._clock.monotonic()
        delivery = await self._sender.send(subscription, entry_id, body, at, traceparent=traceparent)
        seconds = self._clock.monotonic() - began
        self._meters.subscriber_told(outcome=_outcome(delivery), seconds=seconds)
        self._trail.told(subscription.id, entry_id, delivery)
        return delivery


def _outcome(delivery: Delivery) -> str:
    if delivery.delivered:
        return "delivered"
    return "unreachable" if delivery.status is None else f"refused_{delivery.status // 100}xx"


class Observatory:
    """Makes the page of metrics. One for each application, on a registry of its own."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        clock: Clock,
        store: Store,
        providers: Providers,
        holders: Holders,
        health: ProviderHealth,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._store = store
        self._providers = providers
        self._holders = holders
        self._health = health
        self._views: list[ProviderView] = []
        self._survey: Survey | None = None
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        registry.register(Gauges(our_version(), self._snapshot))
        ProcessCollector(registry=registry)

    async def page(self) -> MetricsPage:
        """Look around, but not more often than makes sense, and give the page."""
        async with self._looking:  # many readers share one look
            if self._clock.monotonic() - self._looked_at >= _LOOK_AGAIN_SECONDS:
                self._survey = await self._look()
                self._looked_at = self._clock.monotonic()
        return MetricsPage(generate_latest(self._registry), CONTENT_TYPE_LATEST)

    async def _look(self) -> Survey | None:
        self._views = []
        try:
            async with asyncio.timeout(_LOOK_WITHIN_SECONDS):
                self._views = await self._health.all(self._clock.now())
                return await self._store.survey(self._clock.now(), [provider.id for provider in self._providers])
        except (StorageError, TimeoutError):
            return None

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            survey=self._survey,
            holders=self._holders.tallies(),
            providers={view.provider.id: _standing(view) for view in self._views},
        )


def _standing(view: ProviderView) -> ProviderStanding:
    lags = {told.value: lags for told in Told if told is not Told.MISSED and (lags := view.lags(told)).count}
    return ProviderStanding(
        room=view.room.urgent,
        left_today=view.left_today,
        is_tried=view.facts.ledger.breaker.state is not BreakerState.CLOSED,
        is_quiet=view.facts.health.hearing.is_alarming,
        stretch=view.facts.health.stretch,
        last_event_at=view.facts.health.signs.last_event_at,
        moves={told.value: view.lags(told).count for told in Told},
        lags={(by, name): lag for by, each in lags.items() for name, lag in _quantiles(each).items()},
    )


def _quantiles(lags: Lags) -> dict[str, float]:
    return {
        name: lag
        for name, share in (("0.5", 0.5), ("0.95", 0.95), ("1", 1.0))
        if (lag := lags.percentile(share)) is not None
    }


def our_version() -> str:
    """The version that is installed."""
    try:
        return version("consent-tracker")
    except PackageNotFoundError:  # run from a folder, not installed
        return "unknown"
