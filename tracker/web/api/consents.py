"""Consents: register, look up, search, timeline, usable, ask now."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from urllib.parse import quote

from aiohttp import hdrs, web

from tracker.domain.consent import TrackingId
from tracker.domain.errors import ConsentApiError, ConsentApiUnavailableError
from tracker.ports import ConsentQuery
from tracker.usecases.consult import ConsentView
from tracker.usecases.register import Registration
from tracker.web.api.conditions import require_version
from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import Operation, answer, body_of, query_of
from tracker.web.api.shapes.consents import (
    AsOfQuery,
    ConsentOut,
    ConsentsOut,
    ConsentsQuery,
    LookupQuery,
    RegistrationIn,
    TimelineItemOut,
    TimelineOut,
    TimelineQuery,
    UsableOut,
    UsableQuery,
)
from tracker.web.api.shapes.journeys import RefreshIn
from tracker.web.looks import shows, shows_several
from tracker.web.services import SERVICES, Services

ASKS = web.AppKey("asks", set[asyncio.Task[object]])
"""Questions under way for callers. One whose caller has been answered goes on, and what comes of it is recorded."""

_ONE = "/v1/consents/{provider}/{consent_id}"


async def _named(request: web.Request, services: Services) -> ConsentView:
    return await services.consulting.get(request.match_info["provider"], request.match_info["consent_id"])


def _shown(
    request: web.Request, seen: ConsentView, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    shows(request, seen.consent.tracking_id)
    tag = {str(hdrs.ETAG): f'"{seen.consent.version}"'}
    return answer(ConsentOut.of(seen), status=status, headers={**tag, **(headers or {})})


async def _shown_then(request: web.Request, seen: ConsentView, query: AsOfQuery, services: Services) -> web.Response:
    """Show it as it is, as it was, or as we believed it to be."""
    shows(request, seen.consent.tracking_id)
    if query.known_at is not None:
        return answer(ConsentOut.of(await services.believing.known_at(seen, query.known_at, query.as_of)))
    return _shown(request, seen if query.as_of is None else await services.consulting.as_of(seen, query.as_of))


async def register(request: web.Request, services: Services) -> web.Response:
    """Begin to track a consent."""
    given = await body_of(request, RegistrationIn)
    consent, is_new = await services.registrar.register(Registration(**dict(given)))
    seen = await services.consulting.get_tracked(consent.tracking_id)
    if not is_new:
        return _shown(request, seen)
    place = _ONE.format(provider=consent.provider, consent_id=quote(consent.consent_id, safe=""))
    return _shown(request, seen, status=201, headers={str(hdrs.LOCATION): place})


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one consent."""
    query = query_of(request, AsOfQuery)
    return await _shown_then(request, await _named(request, services), query, services)


async def lookup(request: web.Request, services: Services) -> web.Response:
    """Show one consent, named in the query."""
    query = query_of(request, LookupQuery)
    return await _shown_then(request, await services.consulting.get(query.provider, query.consent_id), query, services)


async def show_tracked(request: web.Request, services: Services) -> web.Response:
    """Show one consent by our key."""
    query = query_of(request, AsOfQuery)
    return await _shown_then(
        request, await services.consulting.get_tracked(request.match_info["tracking_id"]), query, services
    )


async def search(request: web.Request, services: Services) -> web.Response:
    """Search."""
    query = query_of(request, ConsentsQuery)
    after = None if query.cursor is None else key_of(query.cursor, query)
    facts = query.model_dump(exclude={"cursor", "limit", "known_at"})
    if query.known_at is not None:
        believed = await services.believing.search(
            ConsentQuery(**facts, after=after, limit=query.limit), query.known_at
        )
        shows_several(request, (seen.consent.tracking_id for seen in believed.items))
        behind = None if believed.last is None else cursor_after(believed.last, query)
        return answer(ConsentsOut(items=tuple(ConsentOut.of(seen) for seen in believed.items), next_cursor=behind))
    found = await services.consulting.search(ConsentQuery(**facts, after=after, limit=query.limit + 1))
    page = found[: query.limit]
    more = len(found) > len(page)
    shows_several(request, (seen.consent.tracking_id for seen in page))
    next_cursor = cursor_after(page[-1].consent.tracking_id, query) if more else None
    return answer(ConsentsOut(items=tuple(ConsentOut.of(seen) for seen in page), next_cursor=next_cursor))


async def timeline(request: web.Request, services: Services) -> web.Response:
    """Tell one consent's story."""
    query = query_of(request, TimelineQuery)
    seen = await _named(request, services)
    shows(request, seen.consent.tracking_id)
    items = await services.timelines.of(seen.consent, query.known_at)
    return answer(TimelineOut(items=tuple(TimelineItemOut.of(item) for item in items)))


async def usable(request: web.Request, services: Services) -> web.Response:
    """Say whether it may be used now; if so wanted, with an answer of the holder's that is young enough."""
    query = query_of(request, UsableQuery)
    may_be_used = partial(
        services.consulting.usable,
        request.match_info["provider"],
        request.match_info["consent_id"],
        permission=query.permission,
        max_age_seconds=0.0 if query.fresh and query.max_age is None else query.max_age,
    )
    began = services.clock.now()
    found = await may_be_used()
    if query.fresh and found.worth_asking and found.tracking_id is not None:
        with suppress(ConsentApiError):  # then what is known is too old, and that is the answer
            await _ask_within(request, services, found.tracking_id, query.within)
        found = await may_be_used(fresh_since=began)
    shows(request, found.tracking_id)
    return answer(UsableOut.of(found))


async def refresh(request: web.Request, services: Services) -> web.Response:
    """Ask the holder now."""
    given = await body_of(request, RefreshIn) if request.can_read_body else None
    seen = await _named(request, services)
    shows(request, seen.consent.tracking_id)
    require_version(request, seen.consent.version)
    if given is not None:
        await services.journeys.refused(seen.consent, given.status, given.code)
    await _ask_within(request, services, seen.consent.tracking_id, services.ask_timeout_seconds)
    return _shown(request, await services.consulting.get_tracked(seen.consent.tracking_id))


async def _ask_within(request: web.Request, services: Services, tracking_id: TrackingId, seconds: float) -> None:
    """Ask the holder, and wait for its answer no longer than that.

    Raises:
        ConsentApiError: There was no answer that can be used, or none in time; one that comes later is recorded.
    """
    asks = request.app[ASKS]
    ask: asyncio.Task[object] = asyncio.create_task(services.asker.ask_now(tracking_id))
    asks.add(ask)
    ask.add_done_callback(asks.discard)
    done, _ = await asyncio.wait({ask}, timeout=seconds)
    if not done:
        ask.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody else looks at it
        raise ConsentApiUnavailableError("The holder did not answer in time.")
    await ask


async def finish_asks(application: web.Application) -> None:
    """Let the questions under way come to their end, which is set by the holder adapter's own time limit; send no more."""
    application[SERVICES].asker.abandon_line()
    if asks := application[ASKS]:
        await asyncio.wait(asks)


_SHOW = {200: ConsentOut}

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/consents",
        scope="write",
        summary="Start tracking a consent",
        description="Before or after it is staged. Answers 200 when it is tracked already. What came about it before is filed.",
        handle=register,
        look="consent.register",
        body=RegistrationIn,
        answers={201: ConsentOut, 200: ConsentOut},
        problems=("provider_not_found", "consent_conflict", "consent_disposed"),
    ),
    Operation(
        method="GET",
        path="/v1/consents",
        scope="read",
        summary="Search consents",
        handle=search,
        look="consent.list",
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
        look="consent.show",
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
        look="consent.show",
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
        look="consent.show",
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
        look="consent.timeline",
        query=TimelineQuery,
        answers={200: TimelineOut},
        problems=("consent_not_found",),
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/usable",
        scope="read",
        summary="May it be used now?",
        description=(
            "Always 200, also for a consent that is not tracked, or when the holder is away. False when anything is in doubt. "
            "With `fresh=true` the holder is asked where that could change the answer, and what comes too late is "
            "`knowledge_too_old`."
        ),
        handle=usable,
        look="consent.usable",
        query=UsableQuery,
        answers={200: UsableOut},
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/refresh",
        scope="write",
        summary="Ask the holder now",
        description=(
            "Answers within 10 s with the consent as it then is. A refusal that your application met may be told as the reason: "
            "if it may mean the end, the consent is not usable until the holder has answered."
        ),
        handle=refresh,
        look="consent.refresh",
        body=RefreshIn,
        body_is_required=False,
        answers=_SHOW,
        problems=("consent_not_found", "version_conflict", "holder_refused", "holder_unavailable"),
    ),
)
