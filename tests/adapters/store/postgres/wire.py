"""A wire to PostgreSQL that can be cut at the worst moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import make_url

_COMMIT: Final = b"COMMIT;\0"
_DONE: Final = b"COMMIT\0"


class Wire:
    """Passes everything on, until it is told to cut at the next commit.

    Attributes:
        url: The database through this wire.
        cut: None; `"before"` the server hears of the commit; `"after"` it answered, and nobody hears of that.
        cuts: How often it was cut.
        is_down: Whether it takes no new connection after that.
        is_stuck: Whether nothing passes any more, and nobody is told so: a firewall that forgot all connections.
    """

    def __init__(self, url: str) -> None:
        self._to = make_url(url)
        self.url = ""
        self.cut: str | None = None
        self.cuts = 0
        self.is_down = False
        self.is_stuck = False
        self._writers: list[asyncio.StreamWriter] = []

    def say_goodbye(self) -> None:
        """Tell all that are connected what a server tells them that shuts down; it hangs up a little later."""
        fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
        for writer in self._writers:
            writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down and self.cuts:
            writer.close()
            return
        host = self._to.query.get("host")
        if isinstance(host, str) and host.startswith("/"):
            theirs, ours = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{self._to.port or 5432}")
        else:
            theirs, ours = await asyncio.open_connection(self._to.host, self._to.port or 5432)
        self._writers.append(writer)
        committing = asyncio.Event()

        async def out() -> None:
            while data := await reader.read(65536):
                if _COMMIT in data and self.cut is not None:
                    if self.cut == "before":
                        self.cuts += 1
                        break
                    committing.set()
                if not self.is_stuck:
                    ours.write(data)

        async def back() -> None:
            while data := await theirs.read(65536):
                if committing.is_set() and _DONE in data:
                    self.cuts += 1
                    break
                if not self.is_stuck:
                    writer.write(data)

        ways = [asyncio.create_task(out()), asyncio.create_task(back())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (ours, writer):
            end.close()


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    """A wire to the database of a URL."""
    wire = Wire(url)
    server = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through = make_url(url).set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
    wire.url = through.render_as_string(hide_password=False)
    async with server:
        yield wire
