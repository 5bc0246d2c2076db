"""The door for events. Whatever is refused looks alike to the sender; why, stands in the log and the quarantine."""

import asyncio
import logging
import re

from aiohttp import HttpVersion11, hdrs, web

from tracker.domain.errors import (
    InboxFullError,
    NotFoundError,
    OversizedEventError,
    RejectedEventError,
    StorageError,
)
from tracker.web.connections import CONNECTIONS, awaiting_peer
from tracker.web.ration import Ration
from tracker.web.services import SERVICES

_log = logging.getLogger(__name__)

_INTERACTION_ID = "x-fapi-interaction-id"
_GOOD_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_RETRY_AFTER_SECONDS = "5"

REASON = web.RequestKey("reason", str)
"""Why an event was not kept, in one word; for whoever counts."""

RATION = web.AppKey("ration", Ration)


def routes() -> list[web.RouteDef]:
    """The door's routes; a provider in the path is a hint, and never trusted."""
    paths = ("/webhooks/{profile}", "/webhooks/{profile}/{provider}")
    return [web.post(path, receive, expect_handler=_invite) for path in paths]


async def _invite(request: web.Request) -> None:
    """Let a sender who waits for it go on with the body; one who is refused by his address is not told to.

    Spec: RFC 9110 §10.1.1.
    """
    if request.version < HttpVersion11 or not request.app[SERVICES].peers.admit(request):
        return
    if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
        raise web.HTTPExpectationFailed
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer itself has not begun


async def receive(request: web.Request) -> web.Response:
    """Keep one event, then answer."""
    services, ration = request.app[SERVICES], request.app[RATION]
    for kind, lines in ration.withheld().items():
        _log.warning("%d more events at the door were not logged one by one: %s", lines, kind)
    sent_id = request.headers.get(_INTERACTION_ID, "")
    interaction_id = sent_id if _GOOD_ID.fullmatch(sent_id) else services.ids.random()
    headers = {_INTERACTION_ID: interaction_id}
    known = {"interaction_id": interaction_id}
    if not services.peers.admit(request):
        request[REASON] = "not_allowed"
        return await _turn_away(request, headers)
    try:
        profile = services.receiver.profile(request.match_info["profile"])
        body = await _body(request, profile.push.max_body_bytes, services.body_timeout_seconds)
        sender = services.peers.sender(request)
        await services.receiver.receive(
            profile,
            body,
            interaction_id,
            address=None if sender is None else str(sender),
            provider=request.match_info.get("provider"),
        )
    except TimeoutError:
        request[REASON] = "too_slow"
        return _last_word(408, headers)
    except OversizedEventError as error:
        request[REASON] = error.reason
        return _last_word(413, headers)
    except RejectedEventError as error:
        request[REASON] = error.reason
        if ration.allows(error.reason):
            known |= {"reason": error.reason}
            _log.info("Event %s was refused at the door: %s", interaction_id, error.reason, extra=known)
        return web.Response(status=400, headers=headers)
    except (web.RequestPayloadError, ConnectionResetError):
        request[REASON] = "body_broken"
        if ration.allows("body_broken"):
            message = "Event %s was refused at the door: its body ended before its time or cannot be unpacked"
            _log.info(message, interaction_id, extra=known)
        return _last_word(400, headers)
    except NotFoundError:
        request[REASON] = "profile_unknown"
        return _last_word(404, headers)
    except (InboxFullError, StorageError) as error:
        request[REASON] = error.code
        if ration.allows(error.code):
            _log.warning("Event %s cannot be kept now: %s", interaction_id, error, extra=known)
        return web.Response(status=503, headers=headers | {"Retry-After": _RETRY_AFTER_SECONDS})
    request.app[CONNECTIONS].know(request.transport)
    _log.info("Event %s was received", interaction_id, extra=known)
    return web.Response(status=profile.push.accepted_status, headers=headers)


async def _turn_away(request: web.Request, headers: dict[str, str]) -> web.Response:
    """Answer somebody whose address is not allowed, and hang up: nothing of the body is read, not even to throw it away."""
    if request.app[RATION].allows("not_allowed"):
        sender = request.app[SERVICES].peers.sender(request)
        _log.info("A request from %s was refused at the door: not in allow_networks", sender or "an address unknown")
    response = _last_word(403, headers)
    await response.prepare(request)
    await response.write_eof()
    request.protocol.force_close()
    return response


def _last_word(status: int, headers: dict[str, str]) -> web.Response:
    """Answer a request whose body was not read to its end; nothing more can come over this connection."""
    response = web.Response(status=status, headers=headers)
    response.force_close()
    return response


async def _body(request: web.Request, limit: int, timeout_seconds: float) -> bytes:
    if not request.content.is_eof():
        with awaiting_peer(request):
            async with asyncio.timeout(timeout_seconds):
                return await _read(request, limit)
    body = request.content.read_nowait()  # it came with its header, as nearly all do
    if len(body) > limit:
        raise OversizedEventError("too_large")
    return body


async def _read(request: web.Request, limit: int) -> bytes:
    """Read a body as it comes, and stop as soon as it is too large."""
    if request.content_length is not None and request.content_length > limit:
        raise OversizedEventError("too_large")
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > limit:
            raise OversizedEventError("too_large")
        parts.append(part)
    return b"".join(parts)
