"""Providers over the wire."""

from datetime import timedelta

from pydantic import Field

from tracker.domain.breaker import BreakerState
from tracker.domain.hearing import Quiet
from tracker.domain.lags import Lags
from tracker.ports import Told
from tracker.usecases.provider_health import Fetching, ProviderView
from tracker.web.api.shapes.fields import Hours, Out, PageQuery, Query, TimeOut

_WINDOW = Field(
    24, description="Count moves that were learnt of in so many hours, the one that has just begun included."
)


class ProviderQuery(Query):
    """Over how long to count."""

    hours: Hours = _WINDOW


class ProvidersQuery(PageQuery):
    """A page of the providers, and over how long to count."""

    hours: Hours = _WINDOW


class LagOut(Out):
    """How long after the holder's time of moves we learnt of them, in seconds; null if there were none."""

    moves: int
    p50_seconds: float | None = Field(description="Half of them took no longer; told up to a fifth too long.")
    p95_seconds: float | None
    max_seconds: float | None

    @classmethod
    def of(cls, lags: Lags) -> "LagOut":
        """Show what was counted."""
        p50, p95, longest = (lags.percentile(share) for share in (0.5, 0.95, 1.0))
        return cls(moves=lags.count, p50_seconds=p50, p95_seconds=p95, max_seconds=longest)


class MovesOut(Out):
    """How we learnt of moves."""

    hours: int
    webhook: LagOut = Field(description="An event told first.")
    poll: LagOut = Field(description="A poll found them first.")
    missed: int = Field(
        description="Of those that polls found: no event came within the grace. See `consent.drift_found`."
    )
    share_told: float | None = Field(description="Which part events told before polls found them.")


class EventsOut(Out):
    """How its events come."""

    last_event_at: TimeOut | None = Field(description="When a verified one last came.")
    quiet: Quiet | None = Field(
        description="`unsure`: a move was missed and nothing came since; one event was lost, or nothing comes. "
        "`silent`: nothing comes. `losing`: more moves are missed than told. Null: all is well."
    )
    quiet_since: TimeOut | None
    heard_again_at: TimeOut | None = Field(
        description="When it last was heard again after it had been silent or losing."
    )


class FetchedOut(Out):
    """How it went to fetch something, in whichever process."""

    state: Fetching
    fetched_at: TimeOut | None
    failed_at: TimeOut | None


class BreakerOut(Out):
    """Whether it is asked as usual."""

    state: BreakerState = Field(
        description="`open`: not at all. `half_open`: one question is under way. `closed`: as usual."
    )
    since: TimeOut | None = Field(description="Since when it has not been closed.")
    until: TimeOut | None = Field(description="When one question is next sent, or no longer waited for.")


class BudgetOut(Out):
    """How often it may be asked, by all processes together."""

    requests_per_second: float
    daily_requests: int = Field(description="In a day, in UTC; 0: no limit.")
    room: int = Field(description="How many questions may be sent now.")
    used_today: int
    left_today: int | None = Field(description="Null: no limit.")
    day_ends_at: TimeOut
    held_until: TimeOut | None = Field(description="It asked to be left alone until then.")
    stretch: float = Field(description="By how much base intervals are longer, so that the day's budget lasts.")


class ProviderOut(Out):
    """A provider and how it is doing. Every process tells the same."""

    id: str
    profile: str
    client_id: str
    issuer: str
    resource_url: str
    api_version: str
    moves: MovesOut
    events: EventsOut
    keys: FetchedOut = Field(description="Its signing keys.")
    tokens: FetchedOut = Field(description="Access tokens that it gives us.")
    breaker: BreakerOut
    budget: BudgetOut

    @classmethod
    def of(cls, view: ProviderView) -> "ProviderOut":
        """Show one."""
        provider, health, ledger = view.provider, view.facts.health, view.facts.ledger
        hearing, signs = health.hearing, health.signs
        return cls(
            id=provider.id,
            profile=provider.profile.name,
            client_id=provider.client_id,
            issuer=provider.issuer,
            resource_url=provider.resource_url,
            api_version=provider.api_version,
            moves=MovesOut(
                hours=view.window // timedelta(hours=1),
                webhook=LagOut.of(view.lags(Told.WEBHOOK)),
                poll=LagOut.of(view.lags(Told.POLL)),
                missed=view.lags(Told.MISSED).count,
                share_told=view.share_told,
            ),
            events=EventsOut(
                last_event_at=signs.last_event_at,
                quiet=hearing.quiet,
                quiet_since=hearing.quiet_since,
                heard_again_at=hearing.heard_again_at,
            ),
            keys=FetchedOut(state=view.keys, fetched_at=signs.keys_fetched_at, failed_at=signs.keys_failed_at),
            tokens=FetchedOut(state=view.tokens, fetched_at=signs.tokens_fetched_at, failed_at=signs.tokens_failed_at),
            breaker=BreakerOut(state=ledger.breaker.state, since=ledger.breaker.since, until=ledger.breaker.until),
            budget=BudgetOut(
                requests_per_second=provider.requests_per_second,
                daily_requests=provider.daily_requests,
                room=view.room.urgent,
                used_today=view.used_today,
                left_today=view.left_today,
                day_ends_at=view.day_ends_at,
                held_until=view.held_until,
                stretch=health.stretch,
            ),
        )


class ProvidersOut(Out):
    """A page of providers."""

    items: tuple[ProviderOut, ...]
    next_cursor: str | None
