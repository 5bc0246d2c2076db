"""What the hub remembers of what it sent and of what it was asked, for tests, demos and curious people."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tracker.sandbox.faults import EventFault
from tracker.sandbox.message import Message

KEPT = 50_000
"""How many events, and how many requests, are remembered; the oldest are forgotten first."""


class Outcome(StrEnum):
    """What has become of an event."""

    PENDING = "pending"
    HELD = "held"
    DROPPED = "dropped"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST of an event.

    Attributes:
        at: when it was answered, or given up, by the hub's clock.
        copy: which copy of the event was sent; the first is 1.
        status: what the third party answered; None when it did not.
        error: why there was no answer.
    """

    at: datetime
    copy: int
    status: int | None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the answer was 2xx."""
        return self.status is not None and self.status // 100 == 2  # noqa: PLR2004


@dataclass(slots=True, eq=False)
class HubEvent:
    """One event, from its making to its end.

    Attributes:
        number: counts the hub's events; the first is 1.
        client_id: whom it is for.
        webhook_url: where it goes.
        message: what it says, before any fault.
        claims: what was signed.
        fault: what was planned to go wrong.
        interaction_id: the x-fapi-interaction-id of all its attempts.
        signed: the compact JWS, one a copy.
        tokens: the compact JWE as sent, one a copy.
        attempts: in their order.
        outcome: what has become of it.
    """

    number: int
    client_id: str
    webhook_url: str
    message: Message
    claims: dict[str, Any]
    fault: EventFault
    interaction_id: str
    signed: tuple[str, ...]
    tokens: tuple[str, ...]
    attempts: list[Attempt] = field(default_factory=list)
    outcome: Outcome = Outcome.PENDING


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request of a third party and what it was answered.

    Attributes:
        at: when it was answered, by the hub's clock.
        method: HTTP method.
        path: as sent, percent-encoded.
        endpoint: `discovery`, `jwks`, `token`, `consent`, or empty for a path that the hub does not have.
        status: of the answer; 0 when the connection was closed instead.
        interaction_id: the x-fapi-interaction-id of the answer.
        client_id: who asked, as far as that was proved.
        consent_id: which consent was asked about.
        scope: what a token was asked for.
    """

    at: datetime
    method: str
    path: str
    endpoint: str
    status: int
    interaction_id: str
    client_id: str | None
    consent_id: str | None
    scope: str | None


class Recorder:
    """The hub's memory of its traffic."""

    def __init__(self) -> None:
        self.events: deque[HubEvent] = deque(maxlen=KEPT)
        self.requests: deque[ReceivedRequest] = deque(maxlen=KEPT)

    def events_about(self, subject: str) -> list[HubEvent]:
        """List the events about a consent, quote or account, oldest first."""
        return [event for event in self.events if event.message.subject == subject]

    def requests_to(
        self, endpoint: str, *, consent_id: str | None = None, status: int | None = None
    ) -> list[ReceivedRequest]:
        """List the requests to an endpoint, oldest first; narrowed to a consent or an answer if wanted."""
        return [
            request
            for request in self.requests
            if request.endpoint == endpoint
            and consent_id in (None, request.consent_id)
            and status in (None, request.status)
        ]

    def count(self, endpoint: str, *, consent_id: str | None = None, status: int | None = None) -> int:
        """Count what `requests_to` lists."""
        return len(self.requests_to(endpoint, consent_id=consent_id, status=status))

    def clear(self) -> None:
        """Forget everything."""
        self.events.clear()
        self.requests.clear()
