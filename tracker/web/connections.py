"""Connections: how many there may be, and which goes when there are more.

A stranger can open connections and say nothing on them, or dribble a TLS handshake, a header or a body. Of all connections
that wait for the other side, whether for a handshake, for a request, for the rest of one or for an answer to be taken, the one
that has waited longest makes room for a new one; one over which nothing was ever taken before all others. A holder's event is
on its way for milliseconds, so it is never that one; and a request on which work is being done is not interrupted at all.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Handler

BACKLOG = 128  # so many may be accepted in one go, before any of them can make another close

LIMITS: dict[str, Any] = {
    "keepalive_timeout": 75.0,  # longer than proxies keep theirs; also for a connection on which no request ever comes
    "lingering_time": 1.0,  # how long the rest of a body is read and thrown away after an answer that did not wait for it
    "max_line_size": 8190,
    "max_field_size": 4096,
    "max_headers": 64,
}
"""For aiohttp's runner."""

Secure = Callable[[asyncio.Protocol], asyncio.BufferedProtocol]


class Connections:
    """The connections of one listener."""

    def __init__(self, most: int) -> None:
        self._most = most
        # The longest waiting first. Those over which something came that was taken are the last to go.
        self._strangers: dict[asyncio.Transport, None] = {}
        self._acquaintances: dict[asyncio.Transport, None] = {}
        self._at_work: set[asyncio.Transport] = set()
        self._known: set[asyncio.Transport] = set()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._strangers) + len(self._acquaintances) + len(self._at_work)

    def admit(self, transport: asyncio.Transport) -> bool:
        """Count a new connection, if need be in another's place; False if none can make room."""
        if len(self) >= self._most:
            longest = next(iter(self._strangers or self._acquaintances), None)
            if longest is None:
                return False
            self.forget(longest)
            longest.abort()
        self._strangers[transport] = None
        return True

    def secured(self, outside: asyncio.Transport, inside: asyncio.Transport) -> bool:
        """TLS has been agreed on: from now on it is known by the transport inside. False if it has made room already."""
        if outside not in self._strangers:
            return False
        del self._strangers[outside]
        self._strangers[inside] = None
        return True

    def forget(self, transport: asyncio.Transport) -> None:
        """It is closed."""
        self._strangers.pop(transport, None)
        self._acquaintances.pop(transport, None)
        self._at_work.discard(transport)
        self._known.discard(transport)

    def works_on(self, transport: asyncio.Transport | None) -> None:
        """A whole request has come over it."""
        if transport in self._strangers or transport in self._acquaintances:
            self._strangers.pop(transport, None)
            self._acquaintances.pop(transport, None)
            self._at_work.add(transport)

    def waits_on(self, transport: asyncio.Transport | None) -> None:
        """From now on the other side has to do something: send, or take an answer."""
        if transport in self._at_work:
            self._at_work.discard(transport)
            (self._acquaintances if transport in self._known else self._strangers)[transport] = None

    def know(self, transport: asyncio.Transport | None) -> None:
        """What came over it was taken: an event was kept, or an API key was good."""
        if transport in self._at_work:
            self._known.add(transport)


CONNECTIONS = web.AppKey("connections", Connections)


@web.middleware
async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Work is done on a request while its handler runs."""
    connections, transport = request.app[CONNECTIONS], request.transport
    connections.works_on(transport)
    try:
        return await handler(request)
    finally:
        connections.waits_on(transport)


@contextmanager
def awaiting_peer(request: web.Request) -> Iterator[None]:
    """While the other side has to do something, its connection counts as one that waits, although a request is worked on.

    It may send the rest of a body, or take what it is told, or never do either.
    """
    connections = request.app[CONNECTIONS]
    connections.waits_on(request.transport)
    try:
        yield
    finally:
        connections.works_on(request.transport)


class _Watched(asyncio.Protocol):
    """Stands before a server's protocol, and lets a connection through if there is room."""

    def __init__(
        self,
        inner: asyncio.Protocol,
        let_in: Callable[[asyncio.Transport], bool],
        forget: Callable[[asyncio.Transport], None],
    ) -> None:
        self._inner = inner
        self._let_in = let_in
        self._forget = forget
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._let_in(of_stream := _stream(transport)):
            of_stream.abort()
            return
        self._transport = of_stream
        self._inner.connection_made(of_stream)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._forget(self._transport)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class _WatchedTls(asyncio.BufferedProtocol):
    """Stands before TLS: a connection counts from its first byte on, not only when both sides have agreed."""

    def __init__(self, inner: asyncio.Protocol, connections: Connections, secure: Secure) -> None:
        self._connections = connections
        self._tls = secure(_Watched(inner, self._secured, connections.forget))
        self._transport: asyncio.Transport | None = None

    def _secured(self, transport: asyncio.Transport) -> bool:
        return self._transport is not None and self._connections.secured(self._transport, transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._connections.admit(of_stream := _stream(transport)):
            of_stream.abort()
            return
        self._transport = of_stream
        self._tls.connection_made(of_stream)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._connections.forget(self._transport)
            self._tls.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._tls.get_buffer(sizehint))

    def buffer_updated(self, nbytes: int) -> None:
        if self._transport is not None:
            self._tls.buffer_updated(nbytes)

    def eof_received(self) -> bool | None:
        return self._tls.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._tls.pause_writing()

    def resume_writing(self) -> None:
        self._tls.resume_writing()


def _stream(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """What a server's connection comes with; uvloop's is no subclass of asyncio's."""
    return cast("asyncio.Transport", transport)


def bounded(
    inner: asyncio.Protocol, connections: Connections, secure: Secure | None = None
) -> asyncio.Protocol | asyncio.BufferedProtocol:
    """Put the bound before a server's protocol for one connection.

    Args:
        inner: The server's protocol.
        connections: Where it is counted.
        secure: Puts TLS before a protocol; None: there is none.
    """
    if secure is None:
        return _Watched(inner, connections.admit, connections.forget)
    return _WatchedTls(inner, connections, secure)
