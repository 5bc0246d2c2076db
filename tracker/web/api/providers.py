"""Providers: how they are doing."""

import re
from datetime import timedelta

from aiohttp import web

from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import Operation, answer, query_of
from tracker.web.api.shapes.providers import ProviderOut, ProviderQuery, ProvidersOut, ProvidersQuery
from tracker.web.services import Services

_ID = re.compile(r"[a-z0-9-]{1,64}")


async def listing(request: web.Request, services: Services) -> web.Response:
    """List them in order of their names."""
    query = query_of(request, ProvidersQuery)
    after = "" if query.cursor is None else key_of(query.cursor, query, _ID)
    views = await services.provider_health.all(services.clock.now(), timedelta(hours=query.hours))
    rest = [view for view in views if view.provider.id > after]
    page = rest[: query.limit]
    next_cursor = cursor_after(page[-1].provider.id, query) if len(rest) > len(page) else None
    return answer(ProvidersOut(items=tuple(ProviderOut.of(view) for view in page), next_cursor=next_cursor))


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one."""
    window = timedelta(hours=query_of(request, ProviderQuery).hours)
    view = await services.provider_health.one(request.match_info["provider"], services.clock.now(), window)
    return answer(ProviderOut.of(view))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/providers",
        scope="read",
        summary="List providers and how they are doing",
        description=(
            "Which part of their consents' moves their events told, how long after the holder's time we knew, whether keys and "
            "tokens can be had, whether they are asked as usual, and what is left of their budgets. Every process tells the same."
        ),
        handle=listing,
        query=ProvidersQuery,
        answers={200: ProvidersOut},
        problems=("cursor_invalid",),
    ),
    Operation(
        method="GET",
        path="/v1/providers/{provider}",
        scope="read",
        summary="Get one provider and how it is doing",
        handle=show,
        query=ProviderQuery,
        answers={200: ProviderOut},
        problems=("provider_not_found",),
    ),
)
