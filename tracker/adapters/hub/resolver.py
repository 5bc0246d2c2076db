"""Looking up host names, each provider in threads of its own.

The system's resolver blocks its thread, for minutes when a name server is gone, and nobody can call it back: what times out
is only whoever waits for it. In the event loop's common threads, of which there are a handful, one provider's dead name
server would so come to hold them all, and with them everybody else's look-ups.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS: Final = 2
_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class OwnThreadsResolver(AbstractResolver):
    """The system's resolver, in threads that nobody else needs."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look a name up. Raises `OSError` if it has no address."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, family)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=proto, flags=_NUMERIC)
            for kind, proto, address in found
        ]

    async def close(self) -> None:
        """Let look-ups that wait be; one under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[tuple[int, int, str]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    return [(kind, proto, str(address[0])) for kind, _, proto, _, address in found]
