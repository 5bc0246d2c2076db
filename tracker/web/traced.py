"""Following an event from the head of its request on. Without `[tracing]` this is not in the way of any request."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from tracker.usecases.traces import ARRIVAL, Arrival, Traces

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TRACEPARENT = "traceparent"


def traced(traces: Traces) -> Middleware:
    """Make the middleware that tells of requests which bring an event; others tell nothing."""

    @web.middleware
    async def follow(request: web.Request, handler: Handler) -> web.StreamResponse:
        arrival, status = Arrival(traces.begin()), None
        token = ARRIVAL.set(arrival)
        try:
            response = await handler(request)
            status = response.status
        finally:
            ARRIVAL.reset(token)
            resource = request.match_info.route.resource
            route = "" if resource is None else resource.canonical
            traces.arrived(arrival, route=route, status=status, link=request.headers.get(_TRACEPARENT))
        return response

    return follow
