"""Was it usable at an instant, and did we have reason to think so?"""

from aiohttp import web

from tracker.web.api.operation import Operation, answer, query_of
from tracker.web.api.shapes.hindsight import WasUsableOut, WasUsableQuery
from tracker.web.looks import shows
from tracker.web.services import Services


async def was_usable(request: web.Request, services: Services) -> web.Response:
    """Say whether it was usable at an instant, by what we know today and by what we believed then."""
    query = query_of(request, WasUsableQuery)
    found = await services.consulting.get(request.match_info["provider"], request.match_info["consent_id"])
    shows(request, found.consent.tracking_id)
    return answer(WasUsableOut.of(await services.was_usable.of(found, query.at)))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/consents/{provider}/{consent_id}/was-usable",
        scope="read",
        summary="Was it usable then, and did we have reason to think so?",
        description=(
            "For one instant of the past: by all that we know today, and by what we believed then, with the word on which "
            "that rested, how old the holder's last confirmation was, and what was learnt later that speaks of that time."
        ),
        handle=was_usable,
        look="consent.was_usable",
        query=WasUsableQuery,
        answers={200: WasUsableOut},
        problems=("consent_not_found",),
    ),
)
