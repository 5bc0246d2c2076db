"""Events that could not be opened, or not be believed."""

from aiohttp import web

from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import Operation, answer, query_of
from tracker.web.api.shapes.fields import PageQuery
from tracker.web.api.shapes.quarantine import QuarantinedOut, QuarantineOut
from tracker.web.services import Services


class QuarantineQuery(PageQuery):
    """A page of the quarantine."""


async def listing(request: web.Request, services: Services) -> web.Response:
    """List them, the newest first."""
    query = query_of(request, QuarantineQuery)
    before = None if query.cursor is None else key_of(query.cursor, query)
    found = await services.store.quarantined(query.limit + 1, before)
    page = found[: query.limit]
    next_cursor = cursor_after(page[-1].id, query) if len(found) > len(page) else None
    return answer(QuarantineOut(items=tuple(QuarantinedOut.of(event) for event in page), next_cursor=next_cursor))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/quarantine",
        scope="read",
        summary="List events that were put aside",
        description="Why, and at which step. Their bodies are not shown.",
        handle=listing,
        query=QuarantineQuery,
        answers={200: QuarantineOut},
        problems=("cursor_invalid",),
    ),
)
