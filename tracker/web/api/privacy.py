"""Erasure of one person's data, and legal holds."""

from collections.abc import Iterable

from aiohttp import web

from tracker.domain.consent import TrackingId
from tracker.ports.retention import Hold
from tracker.web.api.operation import KEY, Operation, answer, body_of, query_of
from tracker.web.api.shapes.privacy import (
    ErasureIn,
    ErasureOut,
    ErasuresOut,
    FateOut,
    FatesOut,
    HoldIn,
    HoldOut,
    HoldsOut,
    LiftQuery,
)
from tracker.web.looks import shows_several
from tracker.web.services import Services

_ERASURES = "/v1/privacy/erasures"
_HOLDS = "/v1/privacy/holds"
_SCOPE = "admin"


async def erase(request: web.Request, services: Services) -> web.Response:
    """Erase what may go."""
    given = await body_of(request, ErasureIn)
    privacy = services.retention.privacy
    if given.dry_run:
        fates = await privacy.preview(given.user_ref)
    else:
        fates = await privacy.erase(given.user_ref, request[KEY].name)
    shows_several(request, (fate.consent.tracking_id for fate in fates), user_ref=True, dry_run=given.dry_run)
    return answer(FatesOut(items=tuple(FateOut.of(fate) for fate in fates)))


async def scheduled(request: web.Request, services: Services) -> web.Response:
    """List what waits."""
    found = await services.retention.privacy.scheduled()
    shows_several(request, (one.tracking_id for one in found))
    return answer(ErasuresOut(items=tuple(ErasureOut.of(one) for one in found)))


async def hold(request: web.Request, services: Services) -> web.Response:
    """Place a hold."""
    given = await body_of(request, HoldIn)
    tracking_id = None if given.tracking_id is None else TrackingId(given.tracking_id)
    if given.provider is not None and given.consent_id is not None:
        tracking_id = (await services.consulting.get(given.provider, given.consent_id)).consent.tracking_id
    placed = await services.retention.holds.place(given.placing(tracking_id, request[KEY].name))
    _shows_holds(request, placed)
    return answer(HoldsOut(items=tuple(HoldOut.of(one) for one in placed)))


async def holds(request: web.Request, services: Services) -> web.Response:
    """List holds."""
    standing = await services.retention.holds.standing()
    _shows_holds(request, standing)
    return answer(HoldsOut(items=tuple(HoldOut.of(one) for one in standing)))


def _shows_holds(request: web.Request, found: Iterable[Hold]) -> None:
    shows_several(request, dict.fromkeys(one.tracking_id for one in found))


async def lift(request: web.Request, services: Services) -> web.Response:
    """Lift a hold."""
    query = query_of(request, LiftQuery)
    held = [one.tracking_id for one in await services.retention.holds.standing(request.match_info["hold_id"])]
    shows_several(request, held, hold_id=request.match_info["hold_id"])
    await services.retention.holds.lift(request.match_info["hold_id"], query.why, request[KEY].name)
    return web.Response(status=204)


OPERATIONS = (
    Operation(
        method="POST",
        path=_ERASURES,
        scope=_SCOPE,
        summary="Erase one person's data",
        description=(
            "Consent by consent: what no duty covers goes at once, with a `consent.disposed` entry that says so; the rest is "
            "scheduled, and the answer says why and until when. Begin with `dry_run`."
        ),
        handle=erase,
        look="privacy.erase",
        body=ErasureIn,
        answers={200: FatesOut},
    ),
    Operation(
        method="GET",
        path=_ERASURES,
        scope=_SCOPE,
        summary="List scheduled erasures",
        description="Consents that go by themselves once nothing stands against it.",
        handle=scheduled,
        look="privacy.erasures",
        answers={200: ErasuresOut},
    ),
    Operation(
        method="POST",
        path=_HOLDS,
        scope=_SCOPE,
        summary="Place a legal hold",
        description="A consent on which one lies stays, whatever the clocks say. The journal tells it: `consent.hold_placed`.",
        handle=hold,
        look="privacy.hold",
        body=HoldIn,
        answers={200: HoldsOut},
        problems=("consent_not_found", "provider_not_found"),
    ),
    Operation(
        method="GET",
        path=_HOLDS,
        scope=_SCOPE,
        summary="List legal holds",
        handle=holds,
        look="privacy.holds",
        answers={200: HoldsOut},
    ),
    Operation(
        method="DELETE",
        path=_HOLDS + "/{hold_id}",
        scope=_SCOPE,
        summary="Lift a legal hold",
        description="From all consents that it lies on. The journal tells it: `consent.hold_lifted`.",
        handle=lift,
        look="privacy.release",
        query=LiftQuery,
        answers={204: None},
        problems=("hold_not_found",),
    ),
)
