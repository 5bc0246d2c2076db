"""Listeners: each is one address, one application behind it, and a certificate that may change while it listens."""

import asyncio
import errno
import logging
import os
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web

from tracker.adapters.tls import ContextSource
from tracker.app.composition import Tracker
from tracker.domain.errors import ConfigurationError
from tracker.web.application import receiver_application, web_application
from tracker.web.connections import BACKLOG, CONNECTIONS, LIMITS, bounded
from tracker.web.metrics import metrics_application
from tracker.web.services import Services

_log = logging.getLogger(__name__)

_SHUTDOWN_SECONDS: Final = 5
_HANDSHAKE_SECONDS: Final = 10
"""Who has not finished the TLS handshake by then is cut off."""


def cannot_listen(section: str, host: str, port: int, error: OSError | UnicodeError) -> ConfigurationError:
    """Make the error for an address where nothing can listen."""
    number = getattr(error, "errno", None)
    # asyncio writes the address into the text, in its own way; names that cannot be resolved have numbers below zero.
    reason = os.strerror(number) if number is not None and number > 0 else getattr(error, "strerror", None) or error
    fix = "stop what has it, or change the port" if number == errno.EADDRINUSE else "change host or port"
    return ConfigurationError(f"Nothing can listen on {host}:{port} ({reason}); {fix} in [{section}].")


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
        self._runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS, **LIMITS
        )
        self._connections = application[CONNECTIONS]
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "http" if self._contexts is None else "https"
        host = f"[{self._host}]" if ":" in self._host else self._host
        port = self._server.sockets[0].getsockname()[1] if self._server is not None else self._port
        return f"{scheme}://{host}:{port}"

    async def start(self) -> None:
        """Open the door.

        Raises:
            ConfigurationError: Nothing can listen at this address.
        """
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connect, self._host, self._port, backlog=BACKLOG
            )
        except (OSError, UnicodeError) as error:  # UnicodeError: the host is no name
            raise cannot_listen(self._section, self._host, self._port, error) from error

    async def stop(self) -> None:
        """Close the door, and answer the requests that are under way."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _connect(self) -> asyncio.BaseProtocol:
        """Begin a connection, with the certificate of this moment.

        A server that is given a context keeps it for good, and one that is replaced drops those who are just coming in. So
        this one has none, and puts between itself and the application, for each connection, what it would have put there.
        """
        server = self._runner.server
        if server is None:
            return _HangUp()
        return bounded(
            server(), self._connections, None if self._contexts is None else partial(_secured, self._contexts())
        )


@dataclass(frozen=True, slots=True)
class Doors:
    """Which doors a process opens. Health, and metrics unless they are elsewhere, are behind that of `[http]` in any case.

    Attributes:
        receiver: For events.
        api: For the back office, with the documentation.
    """

    receiver: bool = True
    api: bool = True


class _Tls(SSLProtocol):
    """TLS on one connection."""

    max_size = 32 * 1024  # it is allocated for each connection, also for one on which nothing comes: else 256 KiB


def _secured(context: ssl.SSLContext, inner: asyncio.Protocol) -> asyncio.BufferedProtocol:
    return _Tls(
        asyncio.get_running_loop(),
        inner,
        context,
        None,  # type: ignore[arg-type] # nobody waits for the handshake; the application hears of it when it is done
        server_side=True,
        ssl_handshake_timeout=_HANDSHAKE_SECONDS,
        ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
    )


class _HangUp(asyncio.BaseProtocol):
    """For who was let in just when the door was closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


@asynccontextmanager
async def listening(tracker: Tracker, services: Services, doors: Doors | None = None) -> AsyncIterator[None]:
    """Open the listeners of the configuration, write their URLs to `listens_at`; close them at the end.

    Raises:
        ConfigurationError: Nothing can listen at one of the addresses.
    """
    async with AsyncExitStack() as stack:
        stack.callback(tracker.listens_at.clear)
        for section, listener in _listeners(tracker, services, doors or Doors()).items():
            stack.push_async_callback(listener.stop)
            await listener.start()
            tracker.listens_at[section] = listener.url
        if "metrics" in tracker.listens_at:
            _log.info("Metrics are at %s/metrics", tracker.listens_at["metrics"])
        yield


def _listeners(tracker: Tracker, services: Services, doors: Doors) -> dict[str, Listener]:
    http, receiver = tracker.settings.http, tracker.settings.receiver
    contexts = tracker.certificates.of_listener
    metrics = tracker.settings.metrics
    application = web_application(
        services,
        has_api=doors.api,
        has_receiver=doors.receiver and receiver.port is None,
        with_metrics=metrics.port is None,
    )
    found = {"http": Listener("http", application, http.host, http.port, contexts("http"))}
    if doors.receiver and receiver.port is not None:
        found["receiver"] = Listener(
            "receiver",
            receiver_application(services),
            receiver.host or http.host,
            receiver.port,
            contexts("receiver"),
        )
    if metrics.port is not None:
        found["metrics"] = Listener("metrics", metrics_application(services), metrics.host, metrics.port, None)
    return found
