"""What subscribers must do, and their reports that it is done."""

import re
from functools import partial

from aiohttp import web

from tracker.ports import WorkQuery
from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import Operation, answer, body_of, query_of
from tracker.web.api.polls import require_subscribers_key
from tracker.web.api.shapes.completions import CompletionOut, CompletionReportIn, CompletionsOut, CompletionsQuery
from tracker.web.looks import shows_several
from tracker.web.services import Services

_PATH = "/v1/subscriptions/{subscription_id}/completions"
_PLACE = re.compile(r"[0-9]{1,18} [a-z0-9_]{1,64}")


async def report(request: web.Request, services: Services) -> web.Response:
    """Take a report."""
    given = await body_of(request, CompletionReportIn)
    done = await services.completions.report(
        request.match_info["subscription_id"], given.report(), partial(require_subscribers_key, request)
    )
    return answer(CompletionOut.of(done, services.completions.now))


async def listing(request: web.Request, services: Services) -> web.Response:
    """List what is due, overdue or done."""
    query, now = query_of(request, CompletionsQuery), services.completions.now
    sequence, _, word = ("0", "", "") if query.cursor is None else key_of(query.cursor, query, _PLACE).partition(" ")
    found = await services.completions.list(
        request.match_info["subscription_id"],
        WorkQuery(now=now, status=query.status, after=(int(sequence), word), limit=query.limit + 1),
    )
    page = found[: query.limit]
    shows_several(
        request, dict.fromkeys(work.tracking_id for work in page), subscription=request.match_info["subscription_id"]
    )
    next_cursor = cursor_after(f"{page[-1].sequence} {page[-1].work}", query) if len(found) > len(page) else None
    items = tuple(CompletionOut.of(work, now) for work in page)
    return answer(CompletionsOut(items=items, next_cursor=next_cursor))


OPERATIONS = (
    Operation(
        method="POST",
        path=_PATH,
        scope="read",
        summary="Report work as done",
        description=(
            "What the subscription's `completion` asks for, piece by piece. The same report again changes nothing, another one "
            "of the same work is refused. The journal tells it: `subscription.completed`. "
            "The caller's key is the one that the subscription names, or has the scope `write` too."
        ),
        handle=report,
        body=CompletionReportIn,
        answers={200: CompletionOut},
        problems=("subscription_not_found", "completion_not_found", "consent_not_found", "completion_conflict"),
    ),
    Operation(
        method="GET",
        path=_PATH,
        scope="read",
        summary="List what a subscriber must do",
        description="In sequence. An entry that was never delivered asks for its work all the same.",
        handle=listing,
        look="subscription.completions",
        query=CompletionsQuery,
        answers={200: CompletionsOut},
        problems=("subscription_not_found", "cursor_invalid"),
    ),
)
