"""Listeners: each is one address, one application behind it, and a certificate that may change while it listens."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from aiohttp import web

from tracker.adapters.tls import ContextSource
from tracker.app.composition import Tracker
from tracker.domain.errors import ConfigurationError
from tracker.web.application import receiver_application, web_application
from tracker.web.services import Services

_SHUTDOWN_SECONDS: Final = 5.0
_HANDSHAKE_SECONDS: Final = 10.0
"""Who has not finished the TLS handshake by then is cut off."""


class Listener:
    """Listens from `start` to `stop`."""

    def __init__(
        self, section: str, application: web.Application, host: str, port: int, contexts: ContextSource | None
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            section: The section of the configuration that it comes from, for errors.
            application: What answers.
            host: A host name or address of this machine.
            port: 0: any free one.
            contexts: What it answers with; None: no TLS.
        """
        self._section = section
        self._host = host
        self._port = port
        self._contexts = contexts
        self._context: ssl.SSLContext | None = None
        self._runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        self._servers: Sequence[asyncio.Server] = ()

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "http" if self._contexts is None else "https"
        host = f"[{self._host}]" if ":" in self._host else self._host
        port = self._servers[0].sockets[0].getsockname()[1] if self._servers else self._port
        return f"{scheme}://{host}:{port}"

    async def start(self) -> None:
        """Open the door.

        Raises:
            ConfigurationError: Nothing can listen at this address.
        """
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            # Only binds; `_serve_on` listens, so that there is one way to do it.
            bound = await loop.create_server(asyncio.Protocol, self._host, self._port, start_serving=False)
            await self._serve_on(bound)
        except (OSError, UnicodeError) as error:  # UnicodeError: the host is no name
            raise ConfigurationError(
                f"Nothing can listen on {self._host}:{self._port} ({getattr(error, 'strerror', None) or error}); "
                f"see [{self._section}]."
            ) from error

    async def renew(self) -> None:
        """Let connections that begin from now on be made with the newest certificate; the others go on.

        A server of asyncio keeps the context that it began with, so there are new servers on copies of the same sockets. They
        share the queue of connections that wait: there is no moment at which nobody listens.
        """
        if self._contexts is not None and self._contexts() is not self._context:
            await self._serve_on(*self._servers)

    async def stop(self) -> None:
        """Close the door, and answer the requests that are under way."""
        for server in self._servers:
            server.close()
        self._servers = ()
        await self._runner.cleanup()

    async def _serve_on(self, *others: asyncio.Server) -> None:
        """Take over the sockets of other servers."""
        context = None if self._contexts is None else self._contexts()
        loop = asyncio.get_running_loop()
        self._servers = [
            await loop.create_server(
                self._connect,
                sock=sock.dup(),
                ssl=context,
                ssl_handshake_timeout=None if context is None else _HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=None if context is None else _SHUTDOWN_SECONDS,
            )
            for other in others
            for sock in other.sockets
        ]
        self._context = context
        for other in others:
            other.close()

    def _connect(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        return _HangUp() if server is None else server()


class _HangUp(asyncio.BaseProtocol):
    """For who was let in just when the door was closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


@asynccontextmanager
async def listening(tracker: Tracker, services: Services) -> AsyncIterator[None]:
    """Open the listeners of the configuration, write their URLs to `listens_at`, follow the certificates; close at the end.

    Raises:
        ConfigurationError: Nothing can listen at one of the addresses.
    """
    async with AsyncExitStack() as stack:
        stack.callback(tracker.listens_at.clear)
        for section, listener in _listeners(tracker, services).items():
            stack.push_async_callback(listener.stop)
            await listener.start()
            tracker.listens_at[section] = listener.url
            stack.callback(tracker.certificates.follow(listener.renew))
        yield


def _listeners(tracker: Tracker, services: Services) -> dict[str, Listener]:
    http, receiver = tracker.settings.http, tracker.settings.receiver
    contexts = tracker.certificates.of_listener
    has_own = receiver.port is not None
    application = web_application(services, has_receiver=not has_own)
    found = {"http": Listener("http", application, http.host, http.port, contexts("http"))}
    if receiver.port is not None:
        found["receiver"] = Listener(
            "receiver",
            receiver_application(services),
            receiver.host or http.host,
            receiver.port,
            contexts("receiver"),
        )
    return found
