"""How things stand: read when the metrics are read, from a survey of the database and from what is in memory."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tracker.domain.subscription import SubscriptionState
from tracker.ports import HolderTally, Survey

MOST_SUBSCRIPTIONS: Final = 100
"""So many subscriptions are shown one by one, those that are furthest behind; the largest lag is always there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStanding:
    """How a provider is doing.

    Attributes:
        room: How many questions may be sent now.
        left_today: How many more today; None: any number.
        is_tried: It fails, and is asked one question at a time.
        is_quiet: Its events do not come.
        stretch: By how much base intervals are longer.
        last_event_at: When a verified event of it last came; None: never yet.
        moves: How many moves we learnt of in a day, by how.
        lags: Seconds until we did, by how, and quantile.
    """

    room: int
    left_today: int | None
    is_tried: bool
    is_quiet: bool
    stretch: float
    last_event_at: datetime | None
    moves: Mapping[str, int]
    lags: Mapping[tuple[str, str], float]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What is shown.

    Attributes:
        survey: Of the database; None while it is away: then nothing is said of what only it knows.
        holders: What was fetched, by provider.
        providers: How they are doing, by provider; of the database too.
    """

    survey: Survey | None = None
    holders: Mapping[str, HolderTally] = field(default_factory=dict)
    providers: Mapping[str, ProviderStanding] = field(default_factory=dict)


class Gauges(Collector):
    """Shows a snapshot."""

    def __init__(self, version: str, snapshot: Callable[[], Snapshot]) -> None:
        self._version = version
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        """Give all families."""
        snapshot = self._snapshot()
        yield _by("tracker_build_info", "The version that runs; always 1.", "version", {self._version: 1})
        yield _one("tracker_database_up", "Whether the database answered.", int(snapshot.survey is not None))
        yield from _of_holders(snapshot)
        if snapshot.survey is not None:
            yield from _of_inbox(snapshot.survey)
            yield from _of_asks(snapshot.survey)
            yield from _of_providers(snapshot.survey, snapshot.providers)
            yield from _of_subscriptions(snapshot.survey)


def _of_holders(snapshot: Snapshot) -> Iterable[Metric]:
    holders = snapshot.holders
    tokens = CounterMetricFamily(
        "tracker_tokens", "Access tokens asked for, by what came of it.", labels=["provider", "outcome"]
    )
    keys = CounterMetricFamily(
        "tracker_keys_fetches", "Fetches of signing keys, by what came of it.", labels=["provider", "outcome"]
    )
    for provider, tally in holders.items():
        tokens.add_metric([provider, "fetched"], tally.tokens_fetched)
        tokens.add_metric([provider, "failed"], tally.tokens_failed)
        keys.add_metric([provider, "fetched"], tally.keys_fetched)
        keys.add_metric([provider, "failed"], tally.keys_failed)
    ages = {name: tally.keys_age_seconds for name, tally in holders.items() if tally.keys_age_seconds is not None}
    yield tokens
    yield keys
    yield _by("tracker_keys_age_seconds", "Age of the signing keys in use.", "provider", ages)


def _of_providers(survey: Survey, providers: Mapping[str, ProviderStanding]) -> Iterable[Metric]:
    def by(name: str, told: str, value: Callable[[ProviderStanding], float | None]) -> Metric:
        found = {provider: value(standing) for provider, standing in providers.items()}
        return _by(name, told, "provider", {provider: each for provider, each in found.items() if each is not None})

    yield by("tracker_budget_questions", "Questions that may be sent now.", lambda of: of.room)
    yield by("tracker_budget_day_left", "Questions that may still be sent today.", lambda of: of.left_today)
    yield by("tracker_budget_stretch", "By how much base intervals are longer.", lambda of: of.stretch)
    yield by("tracker_provider_tried", "Whether it fails and is asked one at a time.", lambda of: of.is_tried)
    yield by("tracker_provider_quiet", "Whether its events do not come.", lambda of: of.is_quiet)
    yield by(
        "tracker_provider_event_age_seconds",
        "How long ago an event last came.",
        lambda of: None if of.last_event_at is None else _seconds_since(of.last_event_at, survey.at),
    )
    moves = GaugeMetricFamily("tracker_moves", "Moves that we learnt of in a day.", labels=["provider", "told_by"])
    lags = GaugeMetricFamily(
        "tracker_move_lag_seconds", "Time until we learnt of them.", labels=["provider", "told_by", "quantile"]
    )
    for provider, standing in providers.items():
        for told_by, count in standing.moves.items():
            moves.add_metric([provider, told_by], count)
        for (told_by, quantile), seconds in standing.lags.items():
            lags.add_metric([provider, told_by, quantile], seconds)
    yield moves
    yield lags


def _of_inbox(survey: Survey) -> Iterable[Metric]:
    yield _one("tracker_inbox_events", "Events that wait to be opened.", survey.inbox_events)
    oldest = _seconds_since(survey.inbox_received_at, survey.at)
    yield _one("tracker_inbox_oldest_seconds", "How long ago the oldest of them came.", oldest)
    overdue = _seconds_since(survey.inbox_due_since, survey.at)
    yield _one("tracker_inbox_overdue_seconds", "For how long the most overdue should have been opened.", overdue)
    yield _one("tracker_journal_head", "Sequence of the last entry.", survey.journal_head)
    put_aside = {"true": survey.quarantine_verified, "false": survey.quarantine_unverified}
    yield _by("tracker_quarantine_events", "Events in quarantine.", "verified", put_aside)


def _of_asks(survey: Survey) -> Iterable[Metric]:
    due = {provider: asks.count for provider, asks in survey.asks.items()}
    yield _by("tracker_asks_due", "Consents that are due to be asked about.", "provider", due)
    oldest = {provider: _seconds_since(asks.since, survey.at) for provider, asks in survey.asks.items()}
    yield _by("tracker_asks_overdue_seconds", "For how long the most overdue of them is.", "provider", oldest)
    told = "Consents whose expiry the holder has not confirmed for a day."
    yield _by("tracker_consents_expired_unconfirmed", told, "provider", survey.expired_unconfirmed)
    told = "Consents of which the clock has something to tell: expiries, and authorizations that nobody finished."
    yield _one("tracker_clock_due", told, survey.clock.count)
    late = "For how long the most overdue of them is."
    yield _one("tracker_clock_overdue_seconds", late, _seconds_since(survey.clock.since, survey.at))
    yield _one("tracker_notices_due", "Consents of which a deadline is to be told.", survey.notices.count)
    yield _one("tracker_notices_overdue_seconds", late, _seconds_since(survey.notices.since, survey.at))


_PAUSED = "paused"


def _of_subscriptions(survey: Survey) -> Iterable[Metric]:
    states = Tally(_PAUSED if standing.is_paused else standing.state.value for standing in survey.subscriptions)
    counts = {state: states[state] for state in (*(state.value for state in SubscriptionState), _PAUSED)}
    yield _by("tracker_subscriptions", "Subscriptions.", "state", counts)
    told = [
        standing
        for standing in survey.subscriptions
        if standing.state not in {SubscriptionState.DISABLED, SubscriptionState.PENDING} and not standing.is_paused
    ]
    lags = {standing.id: max(0, survey.journal_head - standing.cursor) for standing in told[:MOST_SUBSCRIPTIONS]}
    yield _by("tracker_subscription_lag_entries", "Entries behind the journal's head.", "subscription", lags)
    largest = max(lags.values(), default=0)
    yield _one("tracker_subscription_lag_entries_max", "The largest of these.", largest)
    ages = {one.id: _seconds_since(one.waits_since, survey.at) for one in told[:MOST_SUBSCRIPTIONS]}
    yield _by("tracker_subscription_lag_seconds", "Age of the first entry that is not settled.", "subscription", ages)
    yield _one("tracker_subscription_lag_seconds_max", "The largest of these.", max(ages.values(), default=0))
    yield _one("tracker_parked_entries", "Entries that wait to be told again.", survey.parked)
    yield _one("tracker_dead_letters", "Entries that a subscriber will not get.", survey.dead_letters)


def _one(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _by(name: str, told: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _seconds_since(then: datetime | None, now: datetime) -> float:
    return 0.0 if then is None else max(0.0, (now - then).total_seconds())
