"""Subscriptions: who is told."""

import re
from datetime import timedelta
from functools import partial

from aiohttp import hdrs, web

from tracker.domain.subscription import Subscription, SubscriptionState
from tracker.usecases.subscribe import SubscriptionRequest
from tracker.web.api.answers import with_answers
from tracker.web.api.conditions import require_version
from tracker.web.api.cursor import cursor_after, key_of
from tracker.web.api.operation import KEY, Operation, answer, body_of, query_of
from tracker.web.api.shapes.fields import PageQuery
from tracker.web.api.shapes.followed import FollowedListOut, FollowedOut
from tracker.web.api.shapes.polls import PollTermsIn
from tracker.web.api.shapes.subscriptions import (
    FailureOut,
    FailuresOut,
    NewSubscriptionOut,
    PongOut,
    RotationIn,
    SubscriptionChangesIn,
    SubscriptionIn,
    SubscriptionOut,
)
from tracker.web.auth import PRIVATE_SCOPES, forbidden
from tracker.web.looks import shows_several
from tracker.web.problems import Problem
from tracker.web.services import Services

_ONE = "/v1/subscriptions/{subscription_id}"
_OF_BROKERS = ("broker_not_configured", "extra_not_installed")


_SEQUENCE = re.compile(r"0{0,2}[0-9]{1,18}")  # more no database holds


class SubscriptionsQuery(PageQuery):
    """A page of the subscriptions."""


class FailuresQuery(PageQuery):
    """A page of what a subscriber was not told."""


async def add(request: web.Request, services: Services) -> web.Response:
    """Make a subscription."""
    given = await body_of(request, SubscriptionIn)
    _require_private_scope(request, wanted=given.include_private)
    if given.url is not None and given.poll is not None:
        raise Problem("invalid_request", "poll goes with a subscription without url.")
    polling = (given.poll or PollTermsIn()).terms()
    services.polling.require(polling)
    made = await services.subscriptions.add(
        SubscriptionRequest(
            url=given.url or "",
            entry_filter=given.filter.only(given.types),
            description=given.description,
            include_private=given.include_private,
            from_sequence=given.from_sequence,
            manner=given.manner(),
            polling=polling,
            key_id=given.key_id,
            completion=None if given.completion is None else given.completion.terms(),
            sending=given.sending(),
        )
    )
    if made.state is SubscriptionState.PENDING:
        made = await services.ownership.challenge_first(made)
    place = {str(hdrs.LOCATION): f"/v1/subscriptions/{made.id}"}
    return answer(NewSubscriptionOut.made(made, services.clock.now()), status=201, headers={**place, **_tag(made)})


def _require_private_scope(request: web.Request, *, wanted: bool) -> None:
    if wanted and not request[KEY].scopes & PRIVATE_SCOPES:
        raise forbidden("Personal values are sent along only for keys with the scope 'audit' too.", "write audit")


def _tag(subscription: Subscription) -> dict[str, str]:
    return {str(hdrs.ETAG): f'"{subscription.version}"'}


async def listing(request: web.Request, services: Services) -> web.Response:
    """List them in the order in which they were made. There are few: all are read, and cut into pages here."""
    query = query_of(request, SubscriptionsQuery)
    after = "" if query.cursor is None else key_of(query.cursor, query)
    rest = [one for one in await services.resending.overview.all() if one.subscription.id > after]
    page = rest[: query.limit]
    next_cursor = cursor_after(page[-1].subscription.id, query) if len(rest) > len(page) else None
    return answer(FollowedListOut(items=tuple(FollowedOut.followed(one) for one in page), next_cursor=next_cursor))


async def show(request: web.Request, services: Services) -> web.Response:
    """Show one."""
    found = await services.resending.overview.one(request.match_info["subscription_id"])
    return answer(FollowedOut.followed(found), headers=_tag(found.subscription))


async def change(request: web.Request, services: Services) -> web.Response:
    """Change one."""
    given, sent_elsewhere = await body_of(request, SubscriptionChangesIn), False
    if "url" in given.model_fields_set and "include_private" not in given.model_fields_set:
        sent_elsewhere = (await services.subscriptions.get(request.match_info["subscription_id"])).include_private
    _require_private_scope(request, wanted=given.include_private or sent_elsewhere)
    if "poll" in given.model_fields_set:
        services.polling.require(given.poll.terms())
    changed = await services.subscriptions.change(
        request.match_info["subscription_id"], given.changes(), partial(require_version, request)
    )
    if given.changes().url is not None and changed.state is SubscriptionState.PENDING:
        changed = await services.ownership.challenge_first(changed)
    return answer(SubscriptionOut.of(changed, services.clock.now()), headers=_tag(changed))


async def pause(request: web.Request, services: Services) -> web.Response:
    """Send nothing for a while."""
    paused = await services.subscriptions.pause(
        request.match_info["subscription_id"], partial(require_version, request)
    )
    return answer(SubscriptionOut.of(paused, services.clock.now()), headers=_tag(paused))


async def resume(request: web.Request, services: Services) -> web.Response:
    """Go on."""
    resumed = await services.subscriptions.resume(
        request.match_info["subscription_id"], partial(require_version, request)
    )
    return answer(SubscriptionOut.of(resumed, services.clock.now()), headers=_tag(resumed))


async def rotate_secret(request: web.Request, services: Services) -> web.Response:
    """Replace the secret."""
    given = await body_of(request, RotationIn) if request.can_read_body else RotationIn()
    rotated = await services.subscriptions.rotate_secret(
        request.match_info["subscription_id"],
        timedelta(seconds=given.overlap_seconds),
        partial(require_version, request),
    )
    return answer(NewSubscriptionOut.made(rotated, services.clock.now()), headers=_tag(rotated))


async def test(request: web.Request, services: Services) -> web.Response:
    """Post a ping."""
    return answer(PongOut.of(await services.pings.ping(request.match_info["subscription_id"])))


async def failures(request: web.Request, services: Services) -> web.Response:
    """List what one was not told."""
    query = query_of(request, FailuresQuery)
    after = 0 if query.cursor is None else int(key_of(query.cursor, query, _SEQUENCE))
    subscription_id = request.match_info["subscription_id"]
    found = await services.subscriptions.undelivered(subscription_id, after, query.limit + 1)
    items = tuple(FailureOut.of(undelivered, entry) for undelivered, entry in found[: query.limit])
    next_cursor = cursor_after(items[-1].sequence, query) if len(found) > len(items) else None
    shows_several(request, dict.fromkeys(item.tracking_id for item in items), subscription=subscription_id)
    shown = await with_answers(request, services, subscription_id, items)
    return answer(FailuresOut(items=shown, next_cursor=next_cursor))


async def delete(request: web.Request, services: Services) -> web.Response:
    """Forget one."""
    subscription_id = request.match_info["subscription_id"]
    if hdrs.IF_MATCH in request.headers:
        found = await services.subscriptions.get(
            subscription_id
        )  # what is not there is not found, whatever the condition
        require_version(request, found.version)
    await services.subscriptions.delete(subscription_id)
    return web.Response(status=204)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/subscriptions",
        scope="write",
        summary="Subscribe",
        description=(
            "Entries are posted to the URL one by one, in order for each consent unless `order` is `none`, at least once, "
            "signed by Standard Webhooks. The secret is shown this once. "
            "Private and loopback addresses are refused unless the configuration lists them. "
            "Without a URL nothing is posted: the entries are polled. A "
            "URL that begins with `nats`, `tls`, `kafka`, `kafka+ssl`, `amqp` or `amqps` names a message broker that the "
            "configuration has, and a place in it. "
            "Any other must be proved: a challenge is posted there, and until it comes back the subscription is `pending`."
        ),
        handle=add,
        body=SubscriptionIn,
        answers={201: NewSubscriptionOut},
        problems=_OF_BROKERS,
    ),
    Operation(
        method="GET",
        path="/v1/subscriptions",
        scope="read",
        summary="List subscriptions",
        handle=listing,
        query=SubscriptionsQuery,
        answers={200: FollowedListOut},
        problems=("cursor_invalid",),
    ),
    Operation(
        method="GET",
        path=_ONE,
        scope="read",
        summary="Get one subscription",
        handle=show,
        answers={200: FollowedOut},
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
        look="subscription.failures",
        query=FailuresQuery,
        answers={200: FailuresOut},
        problems=("subscription_not_found", "cursor_invalid"),
    ),
    Operation(
        method="PATCH",
        path=_ONE,
        scope="write",
        summary="Change a subscription",
        description=(
            "What is left out stays as it is, but for `headers` and `oauth`: with another host in `url` they are given again, or "
            "emptied. What is under way may still go by what was before."
        ),
        handle=change,
        body=SubscriptionChangesIn,
        answers={200: SubscriptionOut},
        problems=(
            "subscription_not_found",
            "subscription_polled",
            "subscription_not_polled",
            "version_conflict",
            *_OF_BROKERS,
        ),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/pause",
        scope="write",
        summary="Pause a subscription",
        description="Nothing is sent until it is resumed; its place in the journal is kept. What is under way may still arrive.",
        handle=pause,
        answers={200: SubscriptionOut},
        problems=("subscription_not_found", "version_conflict"),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/resume",
        scope="write",
        summary="Resume a subscription",
        description="Goes on where it stands, at once: one that was paused, was disabled, or waits for its endpoint.",
        handle=resume,
        answers={200: SubscriptionOut},
        problems=("subscription_not_found", "version_conflict"),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/rotate-secret",
        scope="write",
        summary="Replace the secret",
        description=(
            "The new one is shown this once. For a while the one before signs too, so that the header has a signature of each: "
            "take a body that any of them verifies."
        ),
        handle=rotate_secret,
        body=RotationIn,
        body_is_required=False,
        answers={200: NewSubscriptionOut},
        problems=("subscription_not_found", "subscription_polled", "version_conflict"),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/test",
        scope="write",
        summary="Post a ping",
        description=(
            "A signed CloudEvent of the type `subscription.test`, without a `sequence`, is posted at once, whatever the state, "
            "and changes nothing. The answer says what the endpoint said. There are 10 pings and challenges a minute at most."
        ),
        handle=test,
        answers={200: PongOut},
        problems=("subscription_not_found", "subscription_polled", "rate_limited"),
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
