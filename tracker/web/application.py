"""The aiohttp application: which path leads where."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from aiohttp import web

from tracker.web import health, receiver
from tracker.web.api import consents, journal, quarantine, subscriptions
from tracker.web.connections import CONNECTIONS, Connections, watch
from tracker.web.docs import docs_page
from tracker.web.openapi import document
from tracker.web.problems import problems
from tracker.web.ration import Ration
from tracker.web.services import SERVICES, Services

LARGEST_BODY_BYTES = 1024 * 1024
OPERATIONS = (*consents.OPERATIONS, *journal.OPERATIONS, *subscriptions.OPERATIONS, *quarantine.OPERATIONS)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def web_application(services: Services) -> web.Application:
    """Make the application."""
    application = web.Application(middlewares=[watch, problems], client_max_size=LARGEST_BODY_BYTES)
    application[SERVICES] = services
    application[CONNECTIONS] = Connections(services.max_connections)
    application[receiver.RATION] = Ration(services.clock)
    application[consents.ASKS] = set()
    application.on_cleanup.append(consents.finish_asks)
    application.add_routes([operation.route() for operation in OPERATIONS])
    application.add_routes(receiver.routes())
    application.add_routes(health.routes())
    application.add_routes([web.get("/openapi.json", _openapi), web.get("/docs", _docs)])
    return application


@cache
def api_document() -> dict[str, Any]:
    """The OpenAPI document of this version."""
    return document(OPERATIONS)


@cache
def _page() -> str:
    return docs_page(api_document())


async def _openapi(_: web.Request) -> web.Response:
    return web.json_response(api_document())


async def _docs(_: web.Request) -> web.Response:
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}
    return web.Response(text=_page(), content_type="text/html", charset="utf-8", headers=headers)
