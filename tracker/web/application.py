"""The aiohttp application: which path leads where."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from aiohttp import web

from tracker.web import health, metrics, receiver
from tracker.web.api import (
    access,
    audit,
    completions,
    consents,
    deeds,
    evidence,
    exports,
    groups,
    hindsight,
    imports,
    journal,
    journeys,
    notification_keys,
    ownership,
    payments,
    polls,
    privacy,
    providers,
    quarantine,
    replays,
    subscriptions,
)
from tracker.web.connections import CONNECTIONS, Connections, watch
from tracker.web.docs import docs_page
from tracker.web.openapi import document
from tracker.web.problems import problems
from tracker.web.ration import Ration
from tracker.web.services import SERVICES, Services
from tracker.web.traced import traced

LARGEST_BODY_BYTES = 1024 * 1024
OPERATIONS = (
    *consents.OPERATIONS,
    *hindsight.OPERATIONS,
    *access.OPERATIONS,
    *groups.OPERATIONS,
    *deeds.OPERATIONS,
    *evidence.OPERATIONS,
    *journeys.OPERATIONS,
    *payments.OPERATIONS,
    *imports.OPERATIONS,
    *journal.OPERATIONS,
    *subscriptions.OPERATIONS,
    *polls.OPERATIONS,
    *completions.OPERATIONS,
    *replays.OPERATIONS,
    *exports.OPERATIONS,
    *notification_keys.OPERATIONS,
    *ownership.OPERATIONS,
    *quarantine.OPERATIONS,
    *providers.OPERATIONS,
    *audit.OPERATIONS,
    *privacy.OPERATIONS,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def web_application(
    services: Services, *, has_api: bool = True, has_receiver: bool = True, with_metrics: bool = True
) -> web.Application:
    """Make the application; without the API, the door for events or the metrics, where these are elsewhere."""
    application = _bounded(services)
    if has_api:
        application[consents.ASKS] = set()
        application.on_cleanup.append(consents.finish_asks)
        application.on_shutdown.append(_let_go)
        application.add_routes([operation.route() for operation in OPERATIONS])
        application.add_routes([web.get("/openapi.json", _openapi), web.get("/docs", _docs)])
    if has_receiver:
        application.add_routes(receiver.routes())
    application.add_routes(health.routes())
    application.add_routes(metrics.routes() if with_metrics else [])
    return application


def receiver_application(services: Services) -> web.Application:
    """Make the application behind a listener of the receiver's own: the door for events, and nothing else."""
    application = _bounded(services)
    application.add_routes(receiver.routes())
    return application


def _bounded(services: Services) -> web.Application:
    follow = [] if services.traces is None else [traced(services.traces)]
    application = web.Application(
        middlewares=[watch, *follow, metrics.counted, problems], client_max_size=LARGEST_BODY_BYTES
    )
    application[SERVICES] = services
    application[CONNECTIONS] = Connections(services.max_connections)
    application[receiver.RATION] = Ration(services.clock)
    return application


@cache
def api_document() -> dict[str, Any]:
    """The OpenAPI document of this version."""
    return document(OPERATIONS)


@cache
def _page() -> str:
    return docs_page(api_document())


async def _let_go(application: web.Application) -> None:
    """Let go of all who wait for the journal: they come again, perhaps to another process."""
    application[SERVICES].feed.close()


async def _openapi(_: web.Request) -> web.Response:
    return web.json_response(api_document())


async def _docs(_: web.Request) -> web.Response:
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}
    return web.Response(text=_page(), content_type="text/html", charset="utf-8", headers=headers)
