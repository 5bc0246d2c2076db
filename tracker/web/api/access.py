"""The access record: who looked at what."""

import re
from datetime import datetime

from aiohttp import web

from tracker.journal.entry import parse_rfc3339, rfc3339
from tracker.ports import Access, AccessQuery
from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import Operation, answer, query_of
from tracker.web.api.shapes.access import AccessesOut, AccessOut, AccessQueryIn
from tracker.web.looks import shows_several
from tracker.web.services import Services

PLACE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f-]{36}")
"""What a cursor of looks stands for: a time and an id."""


def place_text(access: Access) -> str:
    """Behind what a list goes on, for its cursor."""
    return f"{rfc3339(access.at)} {access.id}"


def place_in(query: AccessQueryIn) -> tuple[datetime, str] | None:
    """Where a query's cursor goes on.

    Raises:
        Problem: It is the cursor of another list.
    """
    if query.cursor is None:
        return None
    at, _, access_id = key_of(query.cursor, query, PLACE).partition(" ")
    return parse_rfc3339(at), access_id


def search_of(query: AccessQueryIn, limit: int) -> AccessQuery:
    """The search that a query asks for.

    Raises:
        Problem: Its cursor is that of another list.
    """
    after = place_in(query)
    return AccessQuery(
        tracking_id=query.tracking_id, who=query.who, since=query.since, until=query.until, after=after, limit=limit
    )


async def listing(request: web.Request, services: Services) -> web.Response:
    """List looks."""
    query = query_of(request, AccessQueryIn)
    wanted = search_of(query, query.limit + 1)
    found = await services.accesses.listed(wanted, query.provider, query.consent_id)
    page = found[: query.limit]
    next_cursor = cursor_after(place_text(page[-1].access), query) if len(found) > len(page) else None
    shows_several(request, (), looks=len(page))
    return answer(AccessesOut(items=tuple(AccessOut.of(one) for one in page), next_cursor=next_cursor))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/audit/access",
        scope="audit",
        summary="Who looked at what",
        description=(
            "Every look at a consent and every export is written down before it is answered; the last first. With "
            "`tracking_id`, or `provider` and `consent_id`: who looked at this consent, alone or in a list. Looking here is "
            "written down too."
        ),
        handle=listing,
        look="audit.access",
        query=AccessQueryIn,
        answers={200: AccessesOut},
        problems=("cursor_invalid",),
    ),
)
