"""Events that could not be opened, or not be believed: looking at them, and having them opened again.

A retry asks for the scope `write`, as asking the holder does: it moves nothing that the holder's own word would not move, by
the same rules as at the first time. `admin` would be too much for it, and it shows nothing, so `read` is for looking alone.
"""

from aiohttp import web

from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import Operation, answer, body_of, query_of
from tracker.web.api.shapes.quarantine import (
    QuarantinedKeysOut,
    QuarantinedOut,
    QuarantineOut,
    QuarantineQuery,
    RetriedOut,
    RetryIn,
)
from tracker.web.services import Services

_ONE = "/v1/quarantine/{event_id}"


async def listing(request: web.Request, services: Services) -> web.Response:
    """List them, the last received first."""
    query = query_of(request, QuarantineQuery)
    before = None if query.cursor is None else key_of(query.cursor, query)
    found = await services.quarantine.page(query.limit + 1, before, query.only)
    page = found[: query.limit]
    next_cursor = cursor_after(page[-1].id, query) if len(found) > len(page) else None
    return answer(QuarantineOut(items=tuple(QuarantinedOut.of(event) for event in page), next_cursor=next_cursor))


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one."""
    event = await services.quarantine.get(request.match_info["event_id"])
    return answer(QuarantinedKeysOut.with_keys(event, our_key_is_here=services.quarantine.opens(event)))


async def retry(request: web.Request, services: Services) -> web.Response:
    """Have one opened again."""
    await services.quarantine.retry(request.match_info["event_id"])
    return answer(RetriedOut(retried=1, complete=True), status=202)


async def retry_all(request: web.Request, services: Services) -> web.Response:
    """Have all of a reason opened again."""
    given = await body_of(request, RetryIn)
    return answer(RetriedOut.of(await services.quarantine.retry_all(given.only)), status=202)


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
    Operation(
        method="GET",
        path=_ONE,
        scope="read",
        summary="Get one event that was put aside",
        description="Why, at which step, and which keys were tried. Its body is not shown.",
        handle=show,
        answers={200: QuarantinedKeysOut},
        problems=("quarantined_event_not_found",),
    ),
    Operation(
        method="POST",
        path=_ONE + "/retry",
        scope="write",
        summary="Open one event again",
        description=(
            "It goes back into the inbox with its own time of receipt, by which its validity is judged. "
            "If it fails again it comes back here, and `retries` has risen."
        ),
        handle=retry,
        answers={202: RetriedOut},
        problems=("quarantined_event_not_found",),
    ),
    Operation(
        method="POST",
        path="/v1/quarantine/retry",
        scope="write",
        summary="Open all events of a reason again",
        description="The first received first, as far as the inbox has room. Each goes back as a single retry does.",
        handle=retry_all,
        body=RetryIn,
        answers={202: RetriedOut},
    ),
)
