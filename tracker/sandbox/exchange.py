"""What every exchange with a third party has: an interaction id, a place in the record, and perhaps a fault.

Spec: OpenAPI v2.1, header `x-fapi-interaction-id` of every answer; a value that is no UUID is dropped and the hub makes
one. 401, 404, 405, 406 and 429 have no body.
"""

from uuid import UUID, uuid4

from aiohttp import web
from aiohttp.typedefs import Handler

from tracker.sandbox.answer import error_answer
from tracker.sandbox.context import CLIENT_ID, HUB, SCOPE, WRONG_KEY
from tracker.sandbox.faults import ApiFault
from tracker.sandbox.hub import Hub
from tracker.sandbox.outage import Mode
from tracker.sandbox.recorder import ReceivedRequest

INTERACTION_HEADER = "x-fapi-interaction-id"
CONTROL_PREFIX = "/sandbox"

_GARBAGE = b"\x00\xff{]not what you asked for"
_CLOSED = 0


@web.middleware
async def recorded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the answer its interaction id and write the exchange down; the control API is left alone."""
    if request.path.startswith(CONTROL_PREFIX):
        return await handler(request)
    try:
        response = await handler(request)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        response = web.Response(status=error.status, headers=allow)
    interaction_id = _interaction_id(request)
    response.headers[INTERACTION_HEADER] = interaction_id
    hub = request.app[HUB]
    hub.recorder.requests.append(_written_down(hub, request, response, interaction_id))
    return response


@web.middleware
async def absent(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer nobody while the hub is away, but whoever drives it."""
    outages = request.app[HUB].outages
    if outages.mode is None or request.path.startswith(CONTROL_PREFIX):
        return await handler(request)
    if outages.mode is Mode.HANG:
        await outages.wait()
    return _hang_up(request)


@web.middleware
async def faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let the answer go wrong when that is planned."""
    endpoint, hub = endpoint_of(request), request.app[HUB]
    consent_id = request.match_info.get("consent_id")
    fault = hub.faults.take_answer(endpoint, consent_id, request.method) if endpoint else None
    if fault is None:
        return await handler(request)
    request[WRONG_KEY] = fault.wrong_key
    done = await handler(request) if fault.act_first else None
    if fault.delay_seconds:
        await hub.sleep(fault.delay_seconds)
    if fault.disconnect:
        return _hang_up(request)
    if fault.garbage:
        return web.Response(body=_GARBAGE, content_type="application/json")
    if fault.status is not None:
        return _refusal(request, fault, fault.status)
    return done if done is not None else await handler(request)


def endpoint_of(request: web.Request) -> str:
    """Name the endpoint that a request is for: the first part of its route's name, or nothing."""
    return (request.match_info.route.name or "").partition(":")[0]


def _interaction_id(request: web.Request) -> str:
    offered = request.headers.get(INTERACTION_HEADER, "")
    try:
        return offered if str(UUID(offered)) == offered.lower() else str(uuid4())
    except ValueError:
        return str(uuid4())


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    response = web.Response()
    response.set_status(_CLOSED)
    return response


def _refusal(request: web.Request, fault: ApiFault, status: int) -> web.Response:
    response = error_answer(request, status)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _written_down(hub: Hub, request: web.Request, response: web.StreamResponse, interaction_id: str) -> ReceivedRequest:
    return ReceivedRequest(
        at=hub.clock.now(),
        method=request.method,
        path=request.raw_path,
        endpoint=endpoint_of(request),
        status=response.status,
        interaction_id=interaction_id,
        client_id=request.get(CLIENT_ID),
        consent_id=request.match_info.get("consent_id"),
        scope=request.get(SCOPE),
    )
