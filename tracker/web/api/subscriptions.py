"""Subscriptions: who is told."""

import re

from aiohttp import hdrs, web

from tracker.domain.subscription import EntryFilter
from tracker.usecases.subscribe import SubscriptionRequest
from tracker.web.api.conditions import require_version
from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import KEY, Operation, answer, body_of, query_of
from tracker.web.api.shapes.fields import PageQuery
from tracker.web.api.shapes.subscriptions import (
    FailureOut,
    FailuresOut,
    NewSubscriptionOut,
    SubscriptionIn,
    SubscriptionOut,
    SubscriptionsOut,
)
from tracker.web.auth import PRIVATE_SCOPES, forbidden
from tracker.web.services import Services

_ONE = "/v1/subscriptions/{subscription_id}"


_SEQUENCE = re.compile(r"[0-9]{1,20}")


class SubscriptionsQuery(PageQuery):
    """A page of the subscriptions."""


class FailuresQuery(PageQuery):
    """A page of what a subscriber was not told."""


async def add(request: web.Request, services: Services) -> web.Response:
    """Make a subscription."""
    given = await body_of(request, SubscriptionIn)
    if given.include_private and not request[KEY].scopes & PRIVATE_SCOPES:
        raise forbidden("Personal values are sent along only for keys with the scope 'audit' too.", "write audit")
    wanted = EntryFilter(
        types=given.types,
        provider=frozenset(given.filter.provider),
        kind=frozenset(given.filter.kind),
        to=frozenset(status.value for status in given.filter.to),
    )
    made = await services.subscriptions.add(
        SubscriptionRequest(
            url=given.url,
            entry_filter=wanted,
            description=given.description,
            include_private=given.include_private,
            from_sequence=given.from_sequence,
        )
    )
    place = {str(hdrs.LOCATION): f"/v1/subscriptions/{made.id}"}
    return answer(NewSubscriptionOut.made(made), status=201, headers=place)


async def listing(request: web.Request, services: Services) -> web.Response:
    """List them in the order in which they were made. There are few: all are read, and cut into pages here."""
    query = query_of(request, SubscriptionsQuery)
    after = "" if query.cursor is None else key_of(query.cursor, query)
    rest = [one for one in await services.subscriptions.list() if one.id > after]
    page = rest[: query.limit]
    next_cursor = cursor_after(page[-1].id, query) if len(rest) > len(page) else None
    return answer(SubscriptionsOut(items=tuple(SubscriptionOut.of(one) for one in page), next_cursor=next_cursor))


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one."""
    return answer(SubscriptionOut.of(await services.subscriptions.get(request.match_info["subscription_id"])))


async def failures(request: web.Request, services: Services) -> web.Response:
    """List what one was not told."""
    query = query_of(request, FailuresQuery)
    after = 0 if query.cursor is None else int(key_of(query.cursor, query, _SEQUENCE))
    subscription_id = request.match_info["subscription_id"]
    found = await services.subscriptions.undelivered(subscription_id, after, query.limit + 1)
    items = tuple(FailureOut.of(undelivered, entry) for undelivered, entry in found[: query.limit])
    next_cursor = cursor_after(items[-1].sequence, query) if len(found) > len(items) else None
    return answer(FailuresOut(items=items, next_cursor=next_cursor))


async def delete(request: web.Request, services: Services) -> web.Response:
    """Forget one."""
    subscription_id = request.match_info["subscription_id"]
    if hdrs.IF_MATCH in request.headers:
        await services.subscriptions.get(subscription_id)  # what is not there is not found, whatever the condition
        require_version(request, None)
    await services.subscriptions.delete(subscription_id)
    return web.Response(status=204)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/subscriptions",
        scope="write",
        summary="Subscribe",
        description=(
            "Entries are posted to the URL one by one, in order for each consent, at least once, signed by Standard Webhooks. "
            "The secret is shown this once. Private and loopback addresses are refused unless the configuration lists them."
        ),
        handle=add,
        body=SubscriptionIn,
        answers={201: NewSubscriptionOut},
    ),
    Operation(
        method="GET",
        path="/v1/subscriptions",
        scope="read",
        summary="List subscriptions",
        handle=listing,
        query=SubscriptionsQuery,
        answers={200: SubscriptionsOut},
        problems=("cursor_invalid",),
    ),
    Operation(
        method="GET",
        path=_ONE,
        scope="read",
        summary="Get one subscription",
        handle=show,
        answers={200: SubscriptionOut},
        problems=("subscription_not_found",),
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/failures",
        scope="read",
        summary="List what a subscriber was not told",
        description=(
            "Entries that its endpoint refused while it took others, and those that wait behind them, in sequence. What a "
            "`failing` endpoint has not been told yet lies behind its `cursor`, and is not here."
        ),
        handle=failures,
        query=FailuresQuery,
        answers={200: FailuresOut},
        problems=("subscription_not_found", "cursor_invalid"),
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        scope="write",
        summary="Delete a subscription",
        description="What is under way may still arrive.",
        handle=delete,
        answers={204: None},
        problems=("subscription_not_found", "version_conflict"),
    ),
)
