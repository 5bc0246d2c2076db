"""Whether the process lives, and whether it can do its work."""

import asyncio

from aiohttp import web

from tracker.web.problems import NO_STORE, Problem
from tracker.web.services import SERVICES

_ANSWER_WITHIN_SECONDS = 2.0


def routes() -> list[web.RouteDef]:
    """The health routes; they need no key."""
    return [web.get("/livez", live), web.get("/readyz", ready)]


async def live(_: web.Request) -> web.Response:
    """Say that the loop turns."""
    return web.json_response({"live": True}, headers=NO_STORE)


async def ready(request: web.Request) -> web.Response:
    """Say whether the database answers and the work is being done."""
    not_ready = Problem("not_ready", headers={"Retry-After": "1"})
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_SECONDS):
            is_ready = await request.app[SERVICES].is_ready()
    except TimeoutError as error:
        raise not_ready from error
    if not is_ready:
        raise not_ready
    return web.json_response({"ready": True}, headers=NO_STORE)
