"""A name server of our own on the loopback, and a resolver that asks it: DNS over UDP, as much of it as is needed.

Spec: RFC 1035 §4.1 (messages), §3.2.2 (types), RFC 3596 §2.1 (AAAA).
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import cast

from aiohttp.abc import AbstractResolver, ResolveResult

_A, _AAAA, _IN = 1, 28, 1
_ANSWER, _NAME_AT_12 = 0x8580, 0xC00C
_TYPES = {_A: 4, _AAAA: 6}


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers every question as told.

    Attributes:
        answer: What a name stands for: it is given the name and how often it was asked for so far.
        asked: Every name, once for each look-up.
    """

    answer: Callable[[str, int], list[str]]
    asked: list[str] = field(default_factory=list)
    port: int = 0
    _transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, question = _question(data)
        kind = struct.unpack("!H", question[-4:-2])[0]
        if kind == _A:
            self.asked.append(name)
        said = [ip_address(text) for text in self.answer(name, len(self.asked) - 1)]
        wanted = [address.packed for address in said if address.version == _TYPES[kind]]
        head = struct.pack("!2sHHHHH", data[:2], _ANSWER, 1, len(wanted), 0, 0)
        records = b"".join(struct.pack("!HHHIH", _NAME_AT_12, kind, _IN, 0, len(packed)) + packed for packed in wanted)
        assert self._transport is not None
        self._transport.sendto(head + question + records, addr)


def _question(message: bytes) -> tuple[str, bytes]:
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), message[12 : at + 5]


class AskingResolver(AbstractResolver):
    """Asks that server and nobody else, and keeps nothing."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = []
        for kind in (_A, _AAAA):
            for text in await asyncio.to_thread(self._ask, host, kind):
                is_4 = ip_address(text).version == _TYPES[_A]
                found.append(
                    ResolveResult(
                        hostname=host,
                        host=text,
                        port=port,
                        family=socket.AF_INET if is_4 else socket.AF_INET6,
                        proto=socket.IPPROTO_TCP,
                        flags=socket.AI_NUMERICHOST,
                    )
                )
        return found

    def _ask(self, host: str, kind: int) -> list[str]:
        name = b"".join(bytes([len(label)]) + label.encode() for label in host.split(".")) + b"\0"
        question = name + struct.pack("!HH", kind, _IN)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(10)
            asking.sendto(struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question, ("127.0.0.1", self._port))
            message = asking.recv(4096)
        count, at, found = struct.unpack("!H", message[6:8])[0], 12 + len(question), []
        for _ in range(count):
            length = struct.unpack("!H", message[at + 10 : at + 12])[0]
            found.append(str(ip_address(message[at + 12 : at + 12 + length])))
            at += 12 + length
        return found

    async def close(self) -> None:
        pass


@asynccontextmanager
async def a_name_server(answer: Callable[[str, int], list[str]]) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: NameServer(answer), local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
