"""Proving that a subscription's URL belongs to who asked for it."""

from aiohttp import hdrs, web

from tracker.domain.subscription import Subscription
from tracker.web.api.operation import Operation, answer, body_of
from tracker.web.api.shapes.ownership import ProofIn
from tracker.web.api.shapes.subscriptions import SubscriptionOut
from tracker.web.services import Services

_ONE = "/v1/subscriptions/{subscription_id}"


def _shown(subscription: Subscription, services: Services) -> web.Response:
    headers = {str(hdrs.ETAG): f'"{subscription.version}"'}
    return answer(SubscriptionOut.of(subscription, services.clock.now()), headers=headers)


async def challenge(request: web.Request, services: Services) -> web.Response:
    """Post a challenge."""
    return _shown(await services.ownership.challenge(request.match_info["subscription_id"]), services)


async def verify(request: web.Request, services: Services) -> web.Response:
    """Take the proof."""
    given = await body_of(request, ProofIn)
    proved = await services.ownership.verify(request.match_info["subscription_id"], given.challenge)
    return _shown(proved, services)


OPERATIONS = (
    Operation(
        method="POST",
        path=f"{_ONE}/challenge",
        scope="write",
        summary="Challenge a subscription's URL",
        description=(
            "A signed CloudEvent of the type `subscription.challenge` is posted to the URL of a `pending` subscription. If the "
            'endpoint answers with 2xx and the text in `data.challenge`, as it is or as `{"challenge": …}`, the subscription is '
            "active; else `last_error` says what is wrong. The first challenge is posted when the subscription is made, and "
            "when it is given another URL: that is answered within 3 s, and the challenge goes on by itself. Each has a text of "
            "its own. There are 10 pings and challenges a minute at most."
        ),
        handle=challenge,
        answers={200: SubscriptionOut},
        problems=("subscription_not_found", "rate_limited"),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/verify",
        scope="write",
        summary="Prove a subscription's URL by hand",
        description="Takes the text that was posted to the URL last, from whoever has read it there. Then it is active.",
        handle=verify,
        body=ProofIn,
        answers={200: SubscriptionOut},
        problems=("subscription_not_found",),
    ),
)
