"""Payments under consents."""

import re

from aiohttp import web

from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import Operation, answer, query_of
from tracker.web.api.shapes.payments import PaymentOut, PaymentsOut, PaymentsQuery
from tracker.web.looks import shows
from tracker.web.services import Services

PAYMENT_ID = re.compile(r"[!-~]{1,128}")
"""What a cursor of payments stands for."""


async def listing(request: web.Request, services: Services) -> web.Response:
    """List the payments under a consent."""
    query = query_of(request, PaymentsQuery)
    seen = await services.consulting.get(request.match_info["provider"], request.match_info["consent_id"])
    shows(request, seen.consent.tracking_id)
    after = "" if query.cursor is None else key_of(query.cursor, query, PAYMENT_ID)
    found = await services.payments.under((seen.consent.provider, seen.consent.consent_id), query.limit + 1, after)
    page = found[: query.limit]
    next_cursor = cursor_after(page[-1].payment_id, query) if len(found) > len(page) else None
    return answer(PaymentsOut(items=tuple(PaymentOut.of(one) for one in page), next_cursor=next_cursor))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/consents/{provider}/{consent_id}/payments",
        scope="read",
        summary="List the payments under a consent",
        description="The latest that the holder told us of each, in order of their ids. Payments never move a consent.",
        handle=listing,
        look="payment.list",
        query=PaymentsQuery,
        answers={200: PaymentsOut},
        problems=("consent_not_found", "cursor_invalid"),
    ),
)
