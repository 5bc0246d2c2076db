"""What our own application saw: it tells us, and the holder is asked at once."""

from aiohttp import web

from tracker.domain.tracked import TrackedConsent
from tracker.web.api.conditions import require_version
from tracker.web.api.operation import Operation, answer, body_of
from tracker.web.api.shapes.consents import ConsentOut
from tracker.web.api.shapes.journeys import AuthorizationResultIn, ParResultIn, TokenResultIn
from tracker.web.looks import shows
from tracker.web.services import Services

_ONE = "/v1/consents/{provider}/{consent_id}"
_ASKED = (
    "It never makes a consent usable. The holder is asked within 2 s, as far as its budget goes; what it answers is seen in "
    "the consent and in the journal. "
)


async def _named(request: web.Request, services: Services) -> TrackedConsent:
    seen = await services.consulting.get(request.match_info["provider"], request.match_info["consent_id"])
    shows(request, seen.consent.tracking_id)
    require_version(request, seen.consent.version)
    return seen.consent


async def _noted(consent: TrackedConsent, services: Services) -> web.Response:
    seen = await services.consulting.get_tracked(consent.tracking_id)
    return answer(ConsentOut.of(seen), status=202, headers={"ETag": f'"{seen.consent.version}"'})


async def par_result(request: web.Request, services: Services) -> web.Response:
    """Note what came of pushing the authorization request."""
    given = await body_of(request, ParResultIn)
    consent = await _named(request, services)
    await services.journeys.pushed(consent, given.failure, given.expires_in)
    return await _noted(consent, services)


async def authorization_result(request: web.Request, services: Services) -> web.Response:
    """Note with what the customer came back."""
    given = await body_of(request, AuthorizationResultIn)
    consent = await _named(request, services)
    await services.journeys.returned(consent, given.failure)
    return await _noted(consent, services)


async def token_result(request: web.Request, services: Services) -> web.Response:
    """Note what came with a token."""
    given = await body_of(request, TokenResultIn)
    consent = await _named(request, services)
    await services.journeys.granted(consent, given.authorization_details)
    return await _noted(consent, services)


_NOTED = {202: ConsentOut}
_PROBLEMS = ("consent_not_found", "version_conflict")

OPERATIONS = (
    Operation(
        method="POST",
        path=f"{_ONE}/par-result",
        scope="write",
        summary="Tell what came of pushing the authorization request",
        description=_ASKED + "After a time-out say nothing: the outcome is not known.",
        handle=par_result,
        look="consent.par_result",
        body=ParResultIn,
        answers=_NOTED,
        problems=_PROBLEMS,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/authorization-result",
        scope="write",
        summary="Tell with what the customer came back",
        description=_ASKED + "An error that may have ended the consent denies its use until the holder has answered.",
        handle=authorization_result,
        look="consent.authorization_result",
        body=AuthorizationResultIn,
        answers=_NOTED,
        problems=_PROBLEMS,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/token-result",
        scope="write",
        summary="Tell what came with a token",
        description=_ASKED + "An end that it tells of denies the consent's use until the holder has answered.",
        handle=token_result,
        look="consent.token_result",
        body=TokenResultIn,
        answers=_NOTED,
        problems=_PROBLEMS,
    ),
)
