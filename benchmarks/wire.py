"""HTTP/1.1 in as little CPU as a load on the same machine may take: who asks, and who is told.

Only what the tracker speaks is understood: bodies with a Content-Length, on connections that are kept. A request costs a
fraction of what it costs with a whole client, which on two cores would be a good part of the load.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_END = b"\r\n\r\n"


class _Wire(asyncio.Protocol):
    """A connection that takes whole messages off the wire."""

    def __init__(self) -> None:
        self._received = bytearray()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(_END)) >= 0:
            head = bytes(self._received[:end])
            whole = end + len(_END) + _length(head)
            if len(self._received) < whole:
                return
            body = bytes(self._received[end + len(_END) : whole])
            del self._received[:whole]
            self.message(head, body)

    def message(self, head: bytes, body: bytes) -> None:
        raise NotImplementedError


def _length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(head[at + 17 :].split(b"\r\n", 1)[0])


class _Asking(_Wire):
    """A connection on which one question is under way at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: asyncio.Future[int] | None = None
        self.is_open = True

    def message(self, head: bytes, body: bytes) -> None:  # noqa: ARG002 - nobody reads the answers
        self.is_open = self.is_open and b"\r\nconnection: close" not in head.lower()
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self.is_open = False
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(0)


class Asker:
    """Sends requests to one server, over no more connections than said; who finds none free waits in line."""

    def __init__(self, url: str, *, headers: str = "", most: int = 256, seconds: float = 20.0) -> None:
        """Prepare; nothing is connected.

        Args:
            url: Of the server.
            headers: Lines that go with each request, each with its end.
            most: So many connections at a time.
            seconds: An answer that takes longer counts as none.
        """
        place = urlsplit(url)
        self._host, self._port = place.hostname or "", place.port or 0
        self._common = f"Host: {place.netloc}\r\n{headers}".encode()
        self._seconds = seconds
        self._free: list[_Asking] = []
        self._room = asyncio.Semaphore(most)

    async def ask(self, method: str, path: str, body: bytes = b"") -> int:
        """Send one; give the status of the answer, or 0 if there was none."""
        async with self._room:
            try:
                wire = await self._wire()
            except OSError:
                return 0
            wire.answer = asyncio.get_running_loop().create_future()
            length = b"Content-Length: %d\r\n\r\n" % len(body)
            wire.transport.write(f"{method} {path} HTTP/1.1\r\n".encode() + self._common + length + body)
            try:
                async with asyncio.timeout(self._seconds):
                    status = await wire.answer
            except BaseException as error:
                wire.transport.abort()
                if isinstance(error, TimeoutError):
                    return 0
                raise
            if wire.is_open:
                self._free.append(wire)
            else:
                wire.transport.abort()
            return status

    async def _wire(self) -> _Asking:
        while self._free:
            wire = self._free.pop()
            if wire.is_open:
                return wire
        _, wire = await asyncio.get_running_loop().create_connection(_Asking, self._host, self._port)
        return wire

    def close(self) -> None:
        """Hang up."""
        for wire in self._free:
            wire.transport.abort()


@dataclass(frozen=True, slots=True)
class Told:
    """A notification as it came; it is read later, when nobody waits for it.

    Attributes:
        at: When its last byte was there, by the monotonic clock.
    """

    at: float
    head: bytes
    body: bytes

    def headers(self) -> dict[str, str]:
        lines = (line.partition(":") for line in self.head.decode().split("\r\n")[1:])
        return {name.strip().lower(): value.strip() for name, _, value in lines}


@asynccontextmanager
async def sink(told: Callable[[Told], None]) -> AsyncIterator[str]:
    """Who is told, and takes all; gives its URL."""

    class Taking(_Wire):
        def message(self, head: bytes, body: bytes) -> None:
            told(Told(time.monotonic(), head, body))
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    server = await asyncio.get_running_loop().create_server(Taking, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def paced(count: int, rate: float, deed: Callable[[int, float], Coroutine[Any, Any, None]]) -> None:
    """Do something `count` times, each at its instant, whatever became of those before; return when all have ended.

    Args:
        count: How often.
        rate: A second.
        deed: Gives what is to be awaited; takes the number and its planned instant by the monotonic clock.
    """
    begin = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for n in range(count):
            planned = begin + n / rate
            if (wait := planned - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            group.create_task(deed(n, planned))
