"""One operation of the API: what it takes, what it answers, who may. Handlers and the OpenAPI document both come from it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from tracker.domain.strict_json import NotStrictJsonError
from tracker.domain.strict_json import loads as strict_loads
from tracker.ports import ApiKey
from tracker.web.api.shapes.fields import Query
from tracker.web.auth import require_scope
from tracker.web.connections import awaiting_peer
from tracker.web.looks import looked
from tracker.web.problems import NO_STORE, Problem, invalid
from tracker.web.services import SERVICES, Services

M = TypeVar("M", bound=BaseModel)
KEY = web.RequestKey("api_key", ApiKey)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        method: HTTP's; what answers GET answers HEAD too.
        path: With its parameters in braces, each one segment.
        scope: What the caller's key must have; None: anybody may, without a key.
        summary: One line.
        description: More, in Markdown.
        handle: What does it.
        query: What it takes in the query string; nothing else may stand there.
        body: What it takes as JSON.
        body_is_required: Whether it must be sent.
        answers: What it answers, by status.
        is_stream: It answers with server-sent events; what it `answers` with is what each of these has for data.
        also_text: It answers with plain text for those that ask for it.
        look: What the access record calls it; None: it shows nothing of any consent, or writes down by itself what it shows.
        is_file: It answers with a file.
        problems: Codes that it can answer with, besides those that any can.
    """

    method: str
    path: str
    scope: str | None
    summary: str
    handle: Callable[[web.Request, Services], Awaitable[web.StreamResponse]]
    description: str = ""
    query: type[Query] = Query
    body: type[BaseModel] | None = None
    body_is_required: bool = True
    answers: Mapping[int, type[BaseModel] | None] = field(default_factory=dict)
    is_stream: bool = False
    also_text: bool = False
    look: str | None = None
    is_file: bool = False
    problems: tuple[str, ...] = ()

    def route(self) -> web.RouteDef:
        """The route that checks the caller and calls it."""

        async def handler(request: web.Request) -> web.StreamResponse:
            if self.scope is not None:
                request[KEY] = await require_scope(request, self.scope)
            query_of(request, self.query)
            for name, value in request.match_info.items():  # PostgreSQL refuses to look for NUL; neither is in any name
                request.match_info[name] = value.replace("\0", "\ufffd")
            response = await self._answered(request)
            response.headers.update(NO_STORE)
            return response

        options = {"allow_head": True} if self.method == hdrs.METH_GET else {}
        # Whatever is percent-encoded in a segment belongs to it, braces too, which aiohttp leaves out by itself.
        path = re.sub(r"{(\w+)}", r"{\1:[^/]+}", self.path)
        return web.RouteDef(self.method, path, handler, options)

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        answered = partial(self.handle, request, request.app[SERVICES])
        if self.look is None or self.scope is None:
            return await answered()
        return await looked(request, request[KEY], self.look, answered)


def query_of(request: web.Request, model: type[M]) -> M:
    """Read the query string; a name given twice is an error, and so is one that is not known."""
    names = [name for name, _ in request.query.items()]  # iterating over it would say each name once
    if len(names) != len(set(names)):
        raise Problem("invalid_request", "A query parameter is given twice.")
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise invalid(error) from error


async def body_of(request: web.Request, model: type[M]) -> M:
    """Read a JSON body, strictly."""
    if request.content_type != "application/json":
        raise Problem("unsupported_media_type")
    with awaiting_peer(request):
        body = await request.read()
    try:
        strict_loads(body)
    except NotStrictJsonError as error:
        raise Problem("malformed_json", str(error)) from error
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from error


def answer(model: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Render a model."""
    return web.Response(
        body=model.model_dump_json(by_alias=True).encode(),
        status=status,
        content_type="application/json",
        charset="utf-8",
        headers=headers,
    )
