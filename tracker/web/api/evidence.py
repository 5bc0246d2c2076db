"""Evidence packs: one consent's proof."""

from aiohttp import web

from tracker.web.api.operation import Operation, query_of
from tracker.web.api.shapes.evidence import EvidencePackOut, EvidenceQuery
from tracker.web.looks import shows
from tracker.web.services import Services


async def pack(request: web.Request, services: Services) -> web.Response:
    """Make one, and give it byte for byte as it is verified."""
    query = query_of(request, EvidenceQuery)
    place = request.match_info
    shows(request, (await services.packs.find(place["provider"], place["consent_id"])).tracking_id)
    made = await services.packs.pack(place["provider"], place["consent_id"], with_private=query.private)
    return web.Response(body=made, content_type="application/json", charset="utf-8")


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/consents/{provider}/{consent_id}/evidence",
        scope="audit",
        summary="Get a consent's evidence pack",
        description=(
            "Made now, over all that is on record. Keep the bytes as they come: `tracker evidence verify` checks them offline, "
            "and every one of them counts."
        ),
        handle=pack,
        look="evidence.pack",
        query=EvidenceQuery,
        answers={200: EvidencePackOut},
        problems=("consent_not_found",),
    ),
)
