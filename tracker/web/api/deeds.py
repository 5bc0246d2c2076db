"""What we ourselves do to a consent: revoke it, take that back, pause it, resume it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import hdrs, web

from tracker.domain.consent import TrackingId
from tracker.domain.errors import RevocationRefusedError
from tracker.domain.overlay import RevocationState
from tracker.usecases.consult import ConsentView
from tracker.usecases.deed import Condition
from tracker.web.api.conditions import require_version
from tracker.web.api.consents import ASKS
from tracker.web.api.operation import Operation, answer, body_of
from tracker.web.api.shapes.consents import ConsentOut, RevocationIn
from tracker.web.looks import shows
from tracker.web.services import Services

_ONE = "/v1/consents/{provider}/{consent_id}"


async def _named(request: web.Request, services: Services) -> TrackingId:
    seen = await services.consulting.get(request.match_info["provider"], request.match_info["consent_id"])
    shows(request, seen.consent.tracking_id)
    return seen.consent.tracking_id


async def _shown(services: Services, tracking_id: TrackingId) -> web.Response:
    seen = await services.consulting.get_tracked(tracking_id)
    status = 202 if _is_pending(seen) else 200
    return answer(ConsentOut.of(seen), status=status, headers={str(hdrs.ETAG): f'"{seen.consent.version}"'})


def _is_pending(seen: ConsentView) -> bool:
    revocation = seen.consent.overlay.revocation
    return revocation is not None and revocation.state is RevocationState.PENDING


async def revoke(request: web.Request, services: Services) -> web.Response:
    """Have the holder revoke it."""
    given = await body_of(request, RevocationIn)
    tracking_id = await _named(request, services)
    await services.revoker.request(tracking_id, given.revoked_by, partial(require_version, request))
    asks = request.app[ASKS]
    attempt: asyncio.Task[object] = asyncio.create_task(services.revoker.carry_out(tracking_id))
    asks.add(attempt)
    attempt.add_done_callback(asks.discard)
    done, _ = await asyncio.wait({attempt}, timeout=services.ask_timeout_seconds)
    if done:
        await attempt
    else:  # it goes on, and so does the request
        attempt.add_done_callback(lambda late: late.cancelled() or late.exception())
    seen = await services.consulting.get_tracked(tracking_id)
    revocation = seen.consent.overlay.revocation
    if revocation is not None and revocation.state is RevocationState.REFUSED:
        why = revocation.last_error or "no reason given"
        raise RevocationRefusedError(why, f"The holder was asked and goes on with the consent: {why}.")
    return await _shown(services, tracking_id)


async def withdraw(request: web.Request, services: Services) -> web.Response:
    """Take the request to revoke it back."""
    tracking_id = await _named(request, services)
    await services.revoker.withdraw(tracking_id, partial(require_version, request))
    return await _shown(services, tracking_id)


async def pause(request: web.Request, services: Services) -> web.Response:
    """Do not use it for now."""
    return await _set(request, services, services.pausing.pause)


async def resume(request: web.Request, services: Services) -> web.Response:
    """Use it again."""
    return await _set(request, services, services.pausing.resume)


async def _set(
    request: web.Request, services: Services, deed: Callable[[TrackingId, Condition | None], Awaitable[None]]
) -> web.Response:
    tracking_id = await _named(request, services)
    await deed(tracking_id, partial(require_version, request))
    seen = await services.consulting.get_tracked(tracking_id)
    return answer(ConsentOut.of(seen), headers={str(hdrs.ETAG): f'"{seen.consent.version}"'})


_ALWAYS = ("consent_not_found", "provider_not_found", "version_conflict")

OPERATIONS = (
    Operation(
        method="POST",
        path=f"{_ONE}/revoke",
        scope="write",
        summary="Revoke a consent at its holder",
        description=(
            "It is not usable from this moment. 200: the holder says that it has ended. 202: the request is kept and "
            "carried out as soon as the holder answers; `revocation` says how far it has come. `holder_refused`: the holder "
            "goes on with the consent; it stays unusable until it ends or the request is withdrawn. There is one request a "
            "consent: a second one gets the first, and one that was refused is tried again."
        ),
        handle=revoke,
        look="consent.revoke",
        body=RevocationIn,
        answers={200: ConsentOut, 202: ConsentOut},
        problems=(*_ALWAYS, "not_revocable", "holder_refused"),
    ),
    Operation(
        method="DELETE",
        path=f"{_ONE}/revoke",
        scope="admin",
        summary="Withdraw the request to revoke a consent",
        description=(
            "For what the holder refused. If the holder may have got the request, the consent is in doubt until the holder "
            "has been asked. While it is being sent, for a minute at most: `revocation_pending`."
        ),
        handle=withdraw,
        look="consent.withdraw",
        answers={200: ConsentOut},
        problems=(*_ALWAYS, "not_revocable", "revocation_pending"),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/pause",
        scope="write",
        summary="Pause a consent",
        description="Ours alone: its holder is not told. It lasts until it is resumed or the consent ends.",
        handle=pause,
        look="consent.pause",
        answers={200: ConsentOut},
        problems=(*_ALWAYS, "not_pausable", "revocation_pending"),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/resume",
        scope="write",
        summary="Resume a paused consent",
        handle=resume,
        look="consent.resume",
        answers={200: ConsentOut},
        problems=(*_ALWAYS, "revocation_pending"),
    ),
)
