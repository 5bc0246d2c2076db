"""How endpoints' answers begin: many repeat what they were sent, so these are for who may see that."""

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from tracker.web.api.operation import KEY
from tracker.web.auth import PRIVATE_SCOPES
from tracker.web.services import Services

Shown = TypeVar("Shown", bound=BaseModel)


async def with_answers(
    request: web.Request, services: Services, subscription_id: str, failures: tuple[Shown, ...]
) -> tuple[Shown, ...]:
    """Failures with their `answer`, or without it: where personal values are sent along and the caller must not see any.

    Raises:
        SubscriptionNotFoundError: There is none of this id.
    """
    if request[KEY].scopes & PRIVATE_SCOPES or not (await services.subscriptions.get(subscription_id)).include_private:
        return failures
    return tuple(one.model_copy(update={"answer": None}) for one in failures)
