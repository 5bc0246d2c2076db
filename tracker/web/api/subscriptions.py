"""Subscriptions: who is told."""

from aiohttp import web

from tracker.domain.subscription import EntryFilter
from tracker.usecases.subscribe import SubscriptionRequest
from tracker.web.api.operation import Operation, answer, body_of, query_of
from tracker.web.api.schemas import (
    NewSubscriptionOut,
    Query,
    SubscriptionIn,
    SubscriptionOut,
    SubscriptionsOut,
)
from tracker.web.services import Services

_ONE = "/v1/subscriptions/{subscription_id}"


async def add(request: web.Request, services: Services) -> web.Response:
    """Make a subscription."""
    given = await body_of(request, SubscriptionIn)
    wanted = EntryFilter(
        types=given.types or ("*",),
        provider=frozenset(given.filter.provider),
        kind=frozenset(given.filter.kind),
        to=frozenset(given.filter.to),
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
    shown = NewSubscriptionOut(**NewSubscriptionOut.facts(made), secret=made.secret)
    return answer(shown, status=201, headers={"Location": f"/v1/subscriptions/{made.id}"})


async def listing(request: web.Request, services: Services) -> web.Response:
    """List all of them."""
    query_of(request, Query)
    made = await services.subscriptions.list()
    return answer(SubscriptionsOut(items=tuple(SubscriptionOut(**SubscriptionOut.facts(one)) for one in made)))


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one."""
    one = await services.subscriptions.get(request.match_info["subscription_id"])
    return answer(SubscriptionOut(**SubscriptionOut.facts(one)))


async def delete(request: web.Request, services: Services) -> web.Response:
    """Forget one."""
    await services.subscriptions.delete(request.match_info["subscription_id"])
    return web.Response(status=204)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/subscriptions",
        scope="write",
        summary="Subscribe",
        description=(
            "Entries are posted to the URL one by one, in order for each consent, at least once, signed by Standard Webhooks. "
            "The secret is shown this once."
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
        answers={200: SubscriptionsOut},
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
        method="DELETE",
        path=_ONE,
        scope="write",
        summary="Delete a subscription",
        handle=delete,
        answers={204: None},
        problems=("subscription_not_found",),
    ),
)
