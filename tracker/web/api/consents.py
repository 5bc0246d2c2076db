"""Consents: register, look up, search, timeline, usable, ask now."""

import asyncio

from aiohttp import web

from tracker.domain.errors import ConsentApiUnavailableError, ConsentNotFoundError
from tracker.ports import ConsentQuery
from tracker.usecases.consult import ConsentView
from tracker.usecases.register import Registration
from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import Operation, answer, body_of, query_of
from tracker.web.api.schemas import (
    AsOfQuery,
    ConsentOut,
    ConsentsOut,
    ConsentsQuery,
    LookupQuery,
    RegistrationIn,
    TimelineItemOut,
    TimelineOut,
    UsableOut,
    UsableQuery,
)
from tracker.web.services import Services

_ANSWER_WITHIN_SECONDS = 10.0
_ONE = "/v1/consents/{provider}/{consent_id}"


async def _named(request: web.Request, services: Services) -> ConsentView:
    return await services.consulting.get(request.match_info["provider"], request.match_info["consent_id"])


def _shown(seen: ConsentView, *, status: int = 200) -> web.Response:
    return answer(ConsentOut.of(seen), status=status, headers={"ETag": f'"{seen.consent.version}"'})


async def register(request: web.Request, services: Services) -> web.Response:
    """Begin to track a consent."""
    given = await body_of(request, RegistrationIn)
    consent, is_new = await services.registrar.register(Registration(**dict(given)))
    return _shown(await services.consulting.get_tracked(consent.tracking_id), status=201 if is_new else 200)


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one consent."""
    query = query_of(request, AsOfQuery)
    seen = await _named(request, services)
    return _shown(seen if query.as_of is None else await services.consulting.as_of(seen, query.as_of))


async def lookup(request: web.Request, services: Services) -> web.Response:
    """Show one consent, named in the query."""
    query = query_of(request, LookupQuery)
    seen = await services.consulting.get(query.provider, query.consent_id)
    return _shown(seen if query.as_of is None else await services.consulting.as_of(seen, query.as_of))


async def show_tracked(request: web.Request, services: Services) -> web.Response:
    """Show one consent by our key."""
    query = query_of(request, AsOfQuery)
    seen = await services.consulting.get_tracked(request.match_info["tracking_id"])
    return _shown(seen if query.as_of is None else await services.consulting.as_of(seen, query.as_of))


async def search(request: web.Request, services: Services) -> web.Response:
    """Search."""
    query = query_of(request, ConsentsQuery)
    after = None if query.cursor is None else key_of(query.cursor, query)
    facts = query.model_dump(exclude={"cursor", "limit"})
    found = await services.consulting.search(ConsentQuery(**facts, after=after, limit=query.limit + 1))
    page = found[: query.limit]
    more = len(found) > len(page)
    next_cursor = cursor_after(page[-1].consent.tracking_id, query) if more else None
    return answer(ConsentsOut(items=tuple(ConsentOut.of(seen) for seen in page), next_cursor=next_cursor))


async def timeline(request: web.Request, services: Services) -> web.Response:
    """Tell one consent's story."""
    seen = await _named(request, services)
    items = await services.timelines.of(seen.consent)
    return answer(TimelineOut(items=tuple(TimelineItemOut.of(item) for item in items)))


async def usable(request: web.Request, services: Services) -> web.Response:
    """Say whether it may be used now."""
    query = query_of(request, UsableQuery)
    found = await services.consulting.usable(
        request.match_info["provider"],
        request.match_info["consent_id"],
        permission=query.permission,
        max_age_seconds=query.max_age,
    )
    return answer(UsableOut.of(found))


async def refresh(request: web.Request, services: Services) -> web.Response:
    """Ask the holder now."""
    seen = await _named(request, services)
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_SECONDS):
            await services.asker.ask_now(seen.consent.tracking_id)
    except TimeoutError as error:
        raise ConsentApiUnavailableError("The holder did not answer in time.") from error
    except ConsentNotFoundError:
        raise
    return _shown(await services.consulting.get_tracked(seen.consent.tracking_id))


_SHOW = {200: ConsentOut}

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/consents",
        scope="write",
        summary="Start tracking a consent",
        description="Before or after it is staged. Answers 200 when it is tracked already. What came about it before is filed.",
        handle=register,
        body=RegistrationIn,
        answers={201: ConsentOut, 200: ConsentOut},
        problems=("provider_not_found", "consent_conflict"),
    ),
    Operation(
        method="GET",
        path="/v1/consents",
        scope="read",
        summary="Search consents",
        handle=search,
        query=ConsentsQuery,
        answers={200: ConsentsOut},
        problems=("cursor_invalid",),
    ),
    Operation(
        method="GET",
        path="/v1/consents/lookup",
        scope="read",
        summary="Get one consent, named in the query",
        description="For callers behind proxies that decode paths.",
        handle=lookup,
        query=LookupQuery,
        answers=_SHOW,
        problems=("consent_not_found",),
    ),
    Operation(
        method="GET",
        path="/v1/consents/by-tracking-id/{tracking_id}",
        scope="read",
        summary="Get one consent by its tracking id",
        handle=show_tracked,
        query=AsOfQuery,
        answers=_SHOW,
        problems=("consent_not_found",),
    ),
    Operation(
        method="GET",
        path=_ONE,
        scope="read",
        summary="Get one consent",
        description="The consent id is percent-encoded once.",
        handle=show,
        query=AsOfQuery,
        answers=_SHOW,
        problems=("consent_not_found",),
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/timeline",
        scope="read",
        summary="Get a consent's story",
        description="Every move in the holder's order, and every other entry of the journal about it.",
        handle=timeline,
        answers={200: TimelineOut},
        problems=("consent_not_found",),
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/usable",
        scope="read",
        summary="May it be used now?",
        description="Always 200, also for a consent that is not tracked. False whenever anything is in doubt.",
        handle=usable,
        query=UsableQuery,
        answers={200: UsableOut},
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/refresh",
        scope="write",
        summary="Ask the holder now",
        description="Answers within 10 s with the consent as it then is.",
        handle=refresh,
        answers=_SHOW,
        problems=("consent_not_found", "holder_refused", "holder_unavailable"),
    ),
)
