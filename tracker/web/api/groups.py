"""Groups of renewals."""

from aiohttp import web

from tracker.web.api.operation import Operation, answer
from tracker.web.api.shapes.groups import GroupOut
from tracker.web.looks import shows_several
from tracker.web.services import Services


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one group."""
    group = await services.groups.get(request.match_info["provider"], request.match_info["base_consent_id"])
    shows_several(
        request, (one.seen.consent.tracking_id for one in group.members), base_consent_id=group.base_consent_id
    )
    return answer(GroupOut.of(group))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/groups/{provider}/{base_consent_id}",
        scope="read",
        summary="Get a group of renewals",
        description=(
            "All consents that name this one as the root of their chain, and it itself: which one counts now, what they cover "
            "together, and how each differs from the one before. The id is percent-encoded once."
        ),
        handle=show,
        look="consent.group",
        answers={200: GroupOut},
        problems=("consent_not_found",),
    ),
)
