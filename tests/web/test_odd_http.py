"""What is no HTTP, or could be read in two ways, is refused and cut off: whatever stands behind it is not taken for a request."""

import asyncio
import logging
import zlib

import pytest

from tests.web.site import DOOR, Site
from tracker.cli.logs import _is_not_rubbish

POST = f"POST {DOOR} HTTP/1.1\r\nHost: x\r\n".encode()
SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
BROKEN = {
    "a length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "a length in hexadecimal": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "a length with an underscore": POST + b"Content-Length: 3_0\r\n\r\nabc",
    "a length in other digits": POST + "Content-Length: ٣\r\n\r\nabc".encode(),
    "a length beyond 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "identity": POST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    "nearly chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a control character before the value": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a folded header": POST + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "line feeds alone": POST.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n",
    "a carriage return alone": POST + b"X: a\rContent-Length: 0\r\n\r\n",
    "a NUL in a header": POST + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "no host": f"POST {DOOR} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode(),
    "two hosts": POST + b"Host: y\r\nContent-Length: 0\r\n\r\n",
    "a negative chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    "a chunk beyond 64 bits": POST + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx",
    "a chunk with 0x": POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
    "endless trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9": b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
    "a NUL in the method": b"G\x00T /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "a broken address": b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a port too large": b"GET http://a:99999/livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long target": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "packed with an unknown method": POST + b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc",
    "gzip that is none": POST + b"Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789",
    "deflate that is none": POST + b"Content-Encoding: deflate\r\nContent-Length: 10\r\n\r\n0123456789",
}


async def said(site: Site, text: bytes) -> bytes:
    """All that is answered until the other side hangs up."""
    reader, writer = await asyncio.open_connection(site.client.host, site.client.port)
    try:
        writer.write(text)
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("kind", BROKEN)
async def test_it_is_refused_and_nothing_behind_it_is_heard(
    site: Site, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.WARNING)
    answer = await said(site, BROKEN[kind] + SMUGGLED)
    assert answer.split(b" ")[1] == b"400"
    assert b" 200 OK" not in answer
    assert [record for record in caplog.records if _is_not_rubbish(record)] == []  # nor can it fill the log
    assert site.rows("SELECT count(*) FROM inbox") == [(0,)]


async def test_events_sent_without_waiting_are_taken_one_after_another(site: Site) -> None:
    body = site.event()
    one = POST + b"Content-Length: %d\r\n" % len(body)
    answer = await said(site, (one + b"\r\n" + body) * 4 + one + b"Connection: close\r\n\r\n" + body)
    assert answer.count(b"HTTP/1.1 202 ") == 5
    assert site.rows("SELECT count(*) FROM inbox") == [(5,)]


async def test_a_body_that_unpacks_to_too_much_is_refused_before_it_is_all_there(site: Site) -> None:
    packed = zlib.compress(b"a" * 50_000_000)
    head = b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(packed)
    assert (await said(site, POST + head + packed)).startswith(b"HTTP/1.1 413 ")
