"""Polling: a subscriber comes, takes what is there, and says what it has taken.

Spec: RFC 8936.
"""

from contextlib import nullcontext
from functools import partial

from aiohttp import web

from tracker.domain.subscription import Subscription
from tracker.usecases.poll import MOST_AT_ONCE, HandedOut, PollRequest
from tracker.web.api.operation import KEY, Operation, body_of
from tracker.web.api.shapes.polls import PollIn, PollOut
from tracker.web.auth import PRIVATE_SCOPES, forbidden, require_scope
from tracker.web.connections import awaiting_peer
from tracker.web.looks import shows_entries, shows_nothing
from tracker.web.services import Services

_SCOPE = "read"


async def poll(request: web.Request, services: Services) -> web.Response:
    """Hand entries out."""
    given = await body_of(request, PollIn)
    wanted = PollRequest(
        limit=min(given.max_events, MOST_AT_ONCE),
        waits=not given.return_immediately,
        acknowledged=given.ack,
        refused=given.refused(),
        is_gone=lambda: request.transport is None or request.transport.is_closing(),
    )
    with awaiting_peer(request) if wanted.waits else nullcontext():
        handed = await services.polling.poll(
            request.match_info["subscription_id"], wanted, partial(_require_reader, request)
        )
    if wanted.waits:  # the key may have been revoked meanwhile
        await require_scope(request, _SCOPE)
    if handed.entries:
        keys = (one.tracking_id for one in handed.entries if one.tracking_id is not None)
        shows_entries(request, len(handed.entries), keys, subscription=request.match_info["subscription_id"])
    else:
        shows_nothing(request)
    return web.Response(body=_body(handed), content_type="application/json", charset="utf-8")


def require_subscribers_key(request: web.Request, subscription: Subscription) -> None:
    """Go on if the caller acts for the subscriber: with the key that it names, or with one that may change it.

    Raises:
        Problem: It does not.
    """
    key = request[KEY]
    if key.id != subscription.key_id and not key.scopes & {"write", "admin"}:
        raise forbidden("This key is not the one that the subscription names: that takes 'write' too.", "read write")


def _require_reader(request: web.Request, subscription: Subscription) -> None:
    """Go on if the caller also may see what would be handed out."""
    require_subscribers_key(request, subscription)
    if subscription.include_private and not request[KEY].scopes & PRIVATE_SCOPES:
        raise forbidden("Personal values come along: that takes the scope 'audit' too.", "read audit")


def _body(handed: HandedOut) -> bytes:
    """Put the entries together as they were hashed, or as signed tokens."""
    sets = b",".join(b'"%b":%b' % (one.id.encode(), handed.told(one)) for one in handed.entries)
    return b'{"sets":{%b},"moreAvailable":%b}' % (sets, b"true" if handed.has_more else b"false")


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/subscriptions/{subscription_id}/poll",
        scope=_SCOPE,
        summary="Poll a subscription",
        description=(
            "The shape of RFC 8936. Entries come in order for each consent, at least once: acknowledge those that you have "
            "taken, in `ack` of a later call, and they do not come again; what was acknowledged before, or is not known, is "
            "passed over. What is handed out and not answered for comes again when the subscription's `visibility_seconds` are "
            "over; until then no later entry of its consent is in another answer. An entry in `setErrs` is given up, and listed "
            "under the failures. Where there is nothing, the call waits up to 25 s, unless `returnImmediately`. "
            "The caller's key is the one that the subscription names, or has the scope `write` too; and `audit`, where "
            "personal values come along."
        ),
        handle=poll,
        look="subscription.poll",
        body=PollIn,
        answers={200: PollOut},
        problems=("subscription_not_found", "subscription_not_polled"),
    ),
)
