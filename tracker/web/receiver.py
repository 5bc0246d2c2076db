"""The door for events. Whatever is refused looks alike to the sender; why, stands in the log and the quarantine."""

import asyncio
import logging
import re

from aiohttp import web

from tracker.domain.errors import (
    InboxFullError,
    NotFoundError,
    OversizedEventError,
    RejectedEventError,
    StorageError,
)
from tracker.web.services import SERVICES

_log = logging.getLogger(__name__)

_INTERACTION_ID = "x-fapi-interaction-id"
_GOOD_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_RETRY_AFTER_SECONDS = "5"


def routes() -> list[web.RouteDef]:
    """The door's routes; a provider in the path is a hint, and never trusted."""
    return [web.post("/webhooks/{profile}", receive), web.post("/webhooks/{profile}/{provider}", receive)]


async def receive(request: web.Request) -> web.Response:
    """Keep one event, then answer."""
    services = request.app[SERVICES]
    sent_id = request.headers.get(_INTERACTION_ID, "")
    interaction_id = sent_id if _GOOD_ID.fullmatch(sent_id) else services.ids.random()
    headers = {_INTERACTION_ID: interaction_id}
    try:
        profile = services.receiver.profile(request.match_info["profile"])
        async with asyncio.timeout(services.body_timeout_seconds):
            body = await _read(request, profile.push.max_body_bytes)
        await services.receiver.receive(profile, body, interaction_id)
    except TimeoutError:
        return _last_word(408, headers)
    except OversizedEventError:
        return _last_word(413, headers)
    except RejectedEventError as error:
        _log.info("Event %s was refused at the door: %s", interaction_id, error.reason)
        return web.Response(status=400, headers=headers)
    except (web.RequestPayloadError, ConnectionResetError):
        _log.info(
            "Event %s was refused at the door: its body ended before its time or cannot be unpacked", interaction_id
        )
        return _last_word(400, headers)
    except NotFoundError:
        return _last_word(404, headers)
    except (InboxFullError, StorageError) as error:
        _log.warning("Event %s cannot be kept now: %s", interaction_id, error)
        return web.Response(status=503, headers=headers | {"Retry-After": _RETRY_AFTER_SECONDS})
    return web.Response(status=profile.push.accepted_status, headers=headers)


def _last_word(status: int, headers: dict[str, str]) -> web.Response:
    """Answer a request whose body was not read to its end; nothing more can come over this connection."""
    response = web.Response(status=status, headers=headers)
    response.force_close()
    return response


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
