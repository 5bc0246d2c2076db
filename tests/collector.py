"""A collector on a loopback port that takes OTLP over HTTP, decodes it and remembers, or never answers; and one in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracker.ports import Span


@dataclass(frozen=True)
class Taken:
    """A span as it came over the wire; ids in hexadecimal, times in nanoseconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    began: int
    ended: int
    has_failed: bool
    facts: dict[str, Any]
    links: list[tuple[str, str]]


@dataclass
class Collector:
    """What came.

    Attributes:
        status: What it answers from now on; None: it never does.
        bodies: Every request.
    """

    url: str = ""
    status: int | None = 200
    bodies: list[bytes] = field(default_factory=list)
    spans: list[Taken] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def named(self, name: str) -> list[Taken]:
        return [span for span in self.spans if span.name == name]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.02)

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        if self.status is None:
            await self.released.wait()
        if self.status != 200:
            return web.Response(status=self.status or 503)
        told = ExportTraceServiceRequest.FromString(self.bodies[-1])
        for resource in told.resource_spans:
            self.resources.append(_facts(resource.resource.attributes))
            self.spans += [_taken(span) for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")


class Sink:
    """`ports.Spans` in memory."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def keeps(self, trace_id: int) -> bool:
        return True

    def take(self, span: Span) -> None:
        self.spans.append(span)

    def named(self, name: str, **facts: Any) -> list[Span]:
        wanted = {f"tracker.{key}": value for key, value in facts.items()}
        return [span for span in self.spans if span.name == name and wanted.items() <= span.facts.items()]

    def the(self, name: str, **facts: Any) -> Span:
        (found,) = self.named(name, **facts)
        return found


@asynccontextmanager
async def a_collector(status: int | None = 200) -> AsyncIterator[Collector]:
    collector = Collector(status=status)
    application = web.Application()
    application.router.add_post("/v1/traces", collector.take)
    async with TestServer(application) as server:
        collector.url = str(server.make_url("/")).rstrip("/")
        try:
            yield collector
        finally:
            collector.released.set()


def _taken(span: Any) -> Taken:
    return Taken(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=span.kind,
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        has_failed=span.status.code == 2,
        facts=_facts(span.attributes),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
    )


def _facts(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
