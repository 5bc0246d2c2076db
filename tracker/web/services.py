"""What the handlers call. Made by the composition root; the application carries it under one key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

from tracker.ports import Clock, Ids, Meters, Store
from tracker.usecases.access import AccessRecording
from tracker.usecases.api_keys import ApiKeys
from tracker.usecases.ask import Asker
from tracker.usecases.believed import Believing
from tracker.usecases.checkpoints import Checkpointing
from tracker.usecases.complete import Completions
from tracker.usecases.consult import Consulting
from tracker.usecases.evidence import EvidencePacks
from tracker.usecases.export_jobs import ExportJobs
from tracker.usecases.feed import Feed
from tracker.usecases.groups import Groups
from tracker.usecases.journeys import Journeys
from tracker.usecases.pause import Pausing
from tracker.usecases.payments import Payments
from tracker.usecases.ping import Pings
from tracker.usecases.poll import Polling
from tracker.usecases.proofs import Proofs
from tracker.usecases.prove import Ownership
from tracker.usecases.provider_health import ProviderHealth
from tracker.usecases.quarantine import Quarantine
from tracker.usecases.receive import Receiver
from tracker.usecases.register import Registrar
from tracker.usecases.resending import Resending
from tracker.usecases.retention import Retention
from tracker.usecases.revoke import Revoker
from tracker.usecases.subscribe import Subscriptions
from tracker.usecases.timeline import Timelines
from tracker.usecases.traces import Traces
from tracker.usecases.was_usable import WasUsableAnswers
from tracker.usecases.witnessing import Witnessing
from tracker.web.peers import Peers


class MetricsPage(NamedTuple):
    """Metrics as they are served."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditAnswers:
    """The use cases that prove the journal to others."""

    proofs: Proofs
    checkpoints: Checkpointing
    witnessing: Witnessing


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases that HTTP reaches.

    Attributes:
        body_timeout_seconds: How long an event's body may take.
        peers: Whose events are taken.
        ask_timeout_seconds: How long a caller waits for a holder's answer.
        metrics: Makes the page of metrics.
        notification_jwks: Our public keys that verify notifications, as JWK Set.
        traces: What follows events; None: nobody wants to know.
        max_connections: How many connections may be open at once.
        is_ready: Whether the service can do its work; raises or says no if not.
    """

    clock: Clock
    ids: Ids
    store: Store
    receiver: Receiver
    was_usable: WasUsableAnswers
    accesses: AccessRecording
    registrar: Registrar
    consulting: Consulting
    believing: Believing
    groups: Groups
    timelines: Timelines
    asker: Asker
    revoker: Revoker
    pausing: Pausing
    journeys: Journeys
    payments: Payments
    packs: EvidencePacks
    completions: Completions
    feed: Feed
    polling: Polling
    quarantine: Quarantine
    retention: Retention
    subscriptions: Subscriptions
    pings: Pings
    resending: Resending
    ownership: Ownership
    auditing: AuditAnswers
    exports: ExportJobs
    api_keys: ApiKeys
    provider_health: ProviderHealth
    meters: Meters
    metrics: Callable[[], Awaitable[MetricsPage]]
    notification_jwks: Callable[[], dict[str, Any]]
    body_timeout_seconds: float
    max_connections: int
    is_ready: Callable[[], Awaitable[bool]]
    peers: Peers = field(default_factory=Peers)
    ask_timeout_seconds: float = 10.0
    traces: Traces | None = None


SERVICES = web.AppKey("services", Services)
