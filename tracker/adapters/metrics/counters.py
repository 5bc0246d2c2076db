"""What was counted: `ports.Meters` with counters and histograms of Prometheus."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from tracker.adapters.metrics import labels

_STATUS_GROUP: Final = 100
_QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_REMOTE: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_KEPT: Final = range(200, 300)
_REFUSED: Final = range(400, 500)


class Counters:
    """Implements `ports.Meters` on a registry of its own: an application has one, and a test may have many."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reasons = labels.Words()
        self._outcomes = labels.Words()
        self._requests = Counter(
            "tracker_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._request_of = cache(self._requests.labels)  # at each request: the library takes twenty times as long
        self._request_seconds = Histogram(
            "tracker_http_request_seconds", "Time to the answer.", ["route"], buckets=_QUICK, registry=registry
        )
        self._request_seconds_of = cache(self._request_seconds.labels)
        self._received = Counter(
            "tracker_events_received", "Events answered at the door.", ["outcome", "reason"], registry=registry
        )
        self._received_of = cache(self._received.labels)
        self._recorded = Counter(
            "tracker_events_recorded",
            "Events opened and on record, by what they meant.",
            ["outcome"],
            registry=registry,
        )
        self._quarantined = Counter(
            "tracker_events_quarantined", "Events put aside.", ["step", "reason"], registry=registry
        )
        self._entries = Counter("tracker_recording_entries", "Entries that events made.", registry=registry)
        self._batch_seconds = Histogram(
            "tracker_recording_seconds", "Time to record a batch of events.", buckets=_QUICK, registry=registry
        )
        self._batch_events = Histogram(
            "tracker_recording_batch_events", "Events in a batch.", buckets=_SIZES, registry=registry
        )
        self._polls = Counter(
            "tracker_polls", "Questions to holders about a consent.", ["provider", "outcome"], registry=registry
        )
        self._poll_seconds = Histogram(
            "tracker_poll_seconds", "Time to a holder's answer.", ["provider"], buckets=_REMOTE, registry=registry
        )
        self._revocations = Counter(
            "tracker_revocations",
            "Revocations sent, by the holder's answer.",
            ["provider", "outcome"],
            registry=registry,
        )
        self._notifications = Counter(
            "tracker_notifications", "Notifications posted, by what came of it.", ["outcome"], registry=registry
        )
        self._notification_seconds = Histogram(
            "tracker_notification_seconds", "Time to a subscriber's answer.", buckets=_REMOTE, registry=registry
        )

        self._checkpoints = Counter(
            "tracker_checkpoints", "Checkpoints of the journal, by what came of it.", ["outcome"], registry=registry
        )
        for outcome in ("signed", "refused"):  # that there was never any refused is worth seeing
            self._checkpoints.labels(outcome)

    def request_answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request was answered."""
        self._request_of(labels.method(method), route, str(status)).inc()
        self._request_seconds_of(route).observe(max(0.0, seconds))

    def event_answered(self, *, status: int, reason: str) -> None:
        """The door answered an event."""
        outcome = "kept" if status in _KEPT else "refused" if status in _REFUSED else "unavailable"
        self._received_of(outcome, self._reasons.word(reason)).inc()

    def batch_recorded(
        self, outcomes: Mapping[str, int], refused: Mapping[tuple[str, str], int], *, entries: int, seconds: float
    ) -> None:
        """A batch of events is on record."""
        for outcome, events in outcomes.items():
            self._recorded.labels(self._outcomes.word(outcome)).inc(events)
        for (step, reason), events in refused.items():
            self._quarantined.labels(self._outcomes.word(step), self._reasons.word(reason)).inc(events)
        self._entries.inc(entries)
        self._batch_seconds.observe(max(0.0, seconds))
        self._batch_events.observe(sum(outcomes.values()))

    def holder_asked(self, *, provider: str, outcome: str, seconds: float) -> None:
        """A holder was asked about a consent."""
        self._polls.labels(provider, self._outcomes.word(outcome)).inc()
        self._poll_seconds.labels(provider).observe(max(0.0, seconds))

    def revocation_sent(self, *, provider: str, outcome: str) -> None:
        """A holder was asked to revoke a consent."""
        self._revocations.labels(provider, self._outcomes.word(outcome)).inc()

    def checkpoint_made(self, *, outcome: str) -> None:
        """A checkpoint was signed or refused."""
        self._checkpoints.labels(outcome).inc()

    def subscriber_told(self, *, outcome: str, seconds: float) -> None:
        """A notification was posted."""
        self._notifications.labels(outcome).inc()
        self._notification_seconds.observe(max(0.0, seconds))
