"""What the handlers call. Made by the composition root; the application carries it under one key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from tracker.ports import Clock, Ids, Store
from tracker.usecases.api_keys import ApiKeys
from tracker.usecases.ask import Asker
from tracker.usecases.consult import Consulting
from tracker.usecases.feed import Feed
from tracker.usecases.quarantine import Quarantine
from tracker.usecases.receive import Receiver
from tracker.usecases.register import Registrar
from tracker.usecases.subscribe import Subscriptions
from tracker.usecases.timeline import Timelines


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases that HTTP reaches.

    Attributes:
        body_timeout_seconds: How long an event's body may take.
        ask_timeout_seconds: How long a caller waits for a holder's answer.
        max_connections: How many connections may be open at once.
        is_ready: Whether the service can do its work; raises or says no if not.
    """

    clock: Clock
    ids: Ids
    store: Store
    receiver: Receiver
    registrar: Registrar
    consulting: Consulting
    timelines: Timelines
    asker: Asker
    feed: Feed
    quarantine: Quarantine
    subscriptions: Subscriptions
    api_keys: ApiKeys
    body_timeout_seconds: float
    max_connections: int
    is_ready: Callable[[], Awaitable[bool]]
    ask_timeout_seconds: float = 10.0


SERVICES = web.AppKey("services", Services)
