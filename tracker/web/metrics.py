"""Metrics for whoever watches, and the counting of what HTTP answered."""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from tracker.web.connections import CONNECTIONS, Connections, watch
from tracker.web.problems import NO_STORE, problems
from tracker.web.receiver import REASON
from tracker.web.services import SERVICES, Services

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_UNMATCHED = "unmatched"
_DOOR = "/webhooks/"


def routes() -> list[web.RouteDef]:
    """The route of the metrics; it needs no key."""
    return [web.get("/metrics", page)]


def metrics_application(services: Services) -> web.Application:
    """Make an application that serves the metrics and nothing else."""
    application = web.Application(middlewares=[watch, problems])
    application[SERVICES] = services
    application[CONNECTIONS] = Connections(services.max_connections)
    application.add_routes(routes())
    return application


async def page(request: web.Request) -> web.Response:
    """Serve the metrics."""
    found = await request.app[SERVICES].metrics()
    return web.Response(body=found.body, headers={**NO_STORE, str(hdrs.CONTENT_TYPE): found.content_type})


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count an answer, by the pattern that matched: a path holds ids, and strangers choose it."""
    services = request.app[SERVICES]
    began = services.clock.monotonic()
    response = await handler(request)
    resource = request.match_info.route.resource
    route = _UNMATCHED if resource is None else resource.canonical
    seconds = services.clock.monotonic() - began
    services.meters.request_answered(method=request.method, route=route, status=response.status, seconds=seconds)
    if route.startswith(_DOOR):
        services.meters.event_answered(status=response.status, reason=request.get(REASON, ""))
    return response
