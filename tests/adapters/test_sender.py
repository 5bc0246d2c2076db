import asyncio
import json
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from standardwebhooks import Webhook, WebhookVerificationError

from tracker.adapters.sender import WebhookSender, open_sender
from tracker.domain.subscription import Subscription
from tracker.ports import Delivery

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"id":"0198f1c2","data":{"reason":null,"kind":"Zoë €"}}'.encode()
AT = datetime(2026, 3, 2, 11, 13, 21, 999_999, tzinfo=UTC)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def a_subscription(url: str, secret: str = SECRET) -> Subscription:
    return Subscription(id="s", url=url, secret=secret, cursor=0, created_at=AT)


@dataclass
class Heard:
    headers: dict[str, str]
    body: bytes
    peer: Any = None


@dataclass
class Endpoint:
    url: str
    heard: list[Heard] = field(default_factory=list)


@asynccontextmanager
async def an_endpoint(answer: Handler, **kwargs: Any) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint("")

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")
        endpoint.heard.append(Heard(dict(request.headers), await request.read(), peer))
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    async with TestServer(app, **kwargs) as server:
        endpoint.url = str(server.make_url("/hook"))
        yield endpoint


def says(status: int, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    async with open_sender(LOOPBACK) as sender:
        yield sender


async def send(sender: WebhookSender, url: str, at: datetime = AT) -> Delivery:
    return await sender.send(a_subscription(url), "0198f1c2", BODY, at)


async def test_a_post_is_signed_so_that_the_standard_library_verifies_it(sender: WebhookSender) -> None:
    now = datetime.now(UTC)
    async with an_endpoint(says(204)) as endpoint:
        assert await send(sender, endpoint.url, now) == Delivery(status=204)
    [heard] = endpoint.heard
    assert heard.body == BODY
    assert Webhook(SECRET).verify(heard.body, heard.headers) == json.loads(BODY)
    assert heard.headers["webhook-id"] == "0198f1c2"
    assert heard.headers["webhook-timestamp"] == str(int(now.timestamp()))
    assert heard.headers["Content-Type"] == "application/cloudevents+json"
    assert heard.headers["User-Agent"].startswith("consent-tracker")
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(heard.body.replace(b"null", b"nul1"), heard.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(heard.body, heard.headers)


async def test_the_signature_is_the_same_in_every_zone_that_the_time_is_given_in(sender: WebhookSender) -> None:
    async with an_endpoint(says(200)) as endpoint:
        await send(sender, endpoint.url, AT)
        await send(sender, endpoint.url, AT.astimezone(timezone(timedelta(hours=4))))
    first, second = (heard.headers for heard in endpoint.heard)
    assert first["webhook-timestamp"] == second["webhook-timestamp"] == "1772450001"
    assert first["webhook-signature"] == second["webhook-signature"]


async def test_connections_are_used_again(sender: WebhookSender) -> None:
    async with an_endpoint(says(200)) as endpoint:
        for _ in range(3):
            await send(sender, endpoint.url)
    assert len({heard.peer for heard in endpoint.heard}) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_taken(sender: WebhookSender, status: int) -> None:
    async with an_endpoint(says(status)) as endpoint:
        assert (await send(sender, endpoint.url)).delivered


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 410, 413, 422, 429, 500, 503])
async def test_any_other_status_is_a_failure_that_names_it(sender: WebhookSender, status: int) -> None:
    async with an_endpoint(says(status)) as endpoint:
        delivery = await send(sender, endpoint.url)
    assert not delivery.delivered
    assert delivery.status == status
    assert str(status) in str(delivery.error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(sender: WebhookSender, status: int) -> None:
    async with an_endpoint(says(200)) as inside:
        async with an_endpoint(says(status, Location=inside.url)) as endpoint:
            delivery = await send(sender, endpoint.url)
        assert not delivery.delivered
        assert "redirects are not followed" in str(delivery.error)
        assert inside.heard == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        (format_datetime(AT.replace(microsecond=0) + timedelta(seconds=91), usegmt=True), 90.000001),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("Mon, 02 Mar 2026 11:13:31 -0000", 9.000001),
        ("9" * 400, 86_400.0),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("soon", None),
        ("Wed, 99 Foo 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +99999999999999999", None),
        (f"Wed, 21 Oct 2015 {'9' * 30}:28:00 GMT", None),
        ("", None),
    ],
)
async def test_retry_after_is_read_as_seconds_or_date_and_bounded(
    sender: WebhookSender, value: str, seconds: float | None
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": value})

    async with an_endpoint(answer) as endpoint:
        delivery = await send(sender, endpoint.url)
    assert delivery.retry_after_seconds == (None if seconds is None else pytest.approx(seconds))


async def test_an_endpoint_that_is_too_slow_has_failed() -> None:
    release = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with open_sender(LOOPBACK, total_seconds=0.1) as sender, an_endpoint(hang) as endpoint:
        delivery = await send(sender, endpoint.url)
        release.set()
    assert delivery == Delivery(status=None, error="The endpoint did not answer in time.")


async def test_an_answer_without_end_counts_by_its_status_and_is_not_read() -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(64 * 1024))
                sent += 64 * 1024
        except ConnectionError:
            return response

    async with open_sender(LOOPBACK, total_seconds=10) as sender, an_endpoint(flood) as endpoint:
        assert await send(sender, endpoint.url) == Delivery(status=200)
        assert sent < 16 * 1024 * 1024


async def test_an_answer_whose_body_hangs_counts_by_its_status() -> None:
    release = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"x")
        await release.wait()
        return response

    async with open_sender(LOOPBACK, total_seconds=0.2) as sender, an_endpoint(drip) as endpoint:
        delivery = await send(sender, endpoint.url)
        release.set()
    assert delivery == Delivery(status=200)


async def test_a_compressed_answer_is_not_unpacked(sender: WebhookSender) -> None:
    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=zlib.compress(bytes(10_000_000)), headers={"Content-Encoding": "deflate"})

    async with an_endpoint(bomb) as endpoint:
        assert (await send(sender, endpoint.url)).delivered
    assert endpoint.heard[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("size", [0, 5, 1_024, 1_025, 20_000])
async def test_how_a_refusal_begins_is_kept_and_no_more_of_it(sender: WebhookSender, size: int) -> None:
    body = bytes(n % 251 for n in range(size))

    async def refuse(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=422)
        await response.prepare(request)
        for begin in range(0, size, 700):
            await response.write(body[begin : begin + 700])
        return response

    async with an_endpoint(refuse) as endpoint:
        delivery = await send(sender, endpoint.url)
    assert delivery.answer == (body[:1_024] or None)
    assert "answer=" not in repr(delivery)


async def test_how_an_answer_begins_is_at_hand_for_the_proof_that_it_may_be(sender: WebhookSender) -> None:
    async def thank(_: web.Request) -> web.Response:
        return web.Response(text="thank you")

    async with an_endpoint(thank) as endpoint:
        assert (await send(sender, endpoint.url)).answer == b"thank you"


async def test_cookies_are_not_kept(sender: WebhookSender) -> None:
    async with an_endpoint(says(200, Set_Cookie="a=b")) as endpoint:
        await send(sender, endpoint.url)
        await send(sender, endpoint.url)
    assert all("Cookie" not in heard.headers for heard in endpoint.heard)


async def test_proxies_in_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with an_endpoint(says(200)) as proxy, an_endpoint(says(200)) as endpoint:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with open_sender(LOOPBACK) as sender:
            assert (await send(sender, endpoint.url)).delivered
        assert proxy.heard == []


async def test_a_connection_that_is_closed_while_idle_is_not_held_against_the_endpoint(sender: WebhookSender) -> None:
    """A server that closes an idle connection at the moment of our post has not refused it."""
    drop = False

    async def answer(request: web.Request) -> web.Response:
        nonlocal drop
        if drop and request.transport is not None:
            drop = False
            request.transport.abort()
        return web.Response()

    async with an_endpoint(answer) as endpoint:
        assert (await send(sender, endpoint.url)).delivered
        drop = True
        assert (await send(sender, endpoint.url)).delivered
    assert len(endpoint.heard) == 3


async def test_an_endpoint_that_always_hangs_up_has_failed(sender: WebhookSender) -> None:
    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with an_endpoint(hang_up) as endpoint:
        delivery = await send(sender, endpoint.url)
    assert delivery.status is None
    assert "closed the connection" in str(delivery.error)
    assert len(endpoint.heard) == 2


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"http://127.0.0.1:{unused_port()}/", "could not be reached"),
        ("http://nowhere.invalid/", "name cannot be resolved"),
        ("http://", "could not be reached"),
        ("nonsense", "could not be reached"),
        ("http://[::1", "could not be reached"),
    ],
    ids=["nobody listens", "no such name", "no host", "no URL", "half an address"],
)
async def test_an_endpoint_that_is_not_there_is_an_answer_and_no_exception(
    sender: WebhookSender, url: str, says: str
) -> None:
    delivery = await send(sender, url)
    assert delivery.status is None
    assert says in str(delivery.error)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_é", "whsec_a"])
async def test_a_secret_that_is_none_is_an_answer_and_no_exception(sender: WebhookSender, secret: str) -> None:
    async with an_endpoint(says(200)) as endpoint:
        delivery = await sender.send(a_subscription(endpoint.url, secret), "x", BODY, AT)
    assert not delivery.delivered
    assert endpoint.heard == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(sender: WebhookSender) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        delivery = await send(sender, f"https://127.0.0.1:{runner.addresses[0][1]}/")
    finally:
        await runner.cleanup()
    assert delivery == Delivery(status=None, error="The endpoint could not be reached: its certificate is not trusted.")


SPELLINGS = [
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "localhost",
    "①②⑦.⓪.⓪.①",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "169.254.169.254",
    "100.64.0.1",
    "10.0.0.1",
    "0.0.0.0",
    "224.0.0.1",
]


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_an_inner_address_is_connected_to(host: str) -> None:
    async with an_endpoint(says(200), host="127.0.0.1") as endpoint, open_sender(()) as sender:
        port = endpoint.url.rpartition(":")[2]
        delivery = await send(sender, f"http://{host}:{port}")
        assert delivery.status is None
        # Some spellings aiohttp does not even take for a host.
        assert ("not an address that may be posted to" in str(delivery.error)) or "InvalidUrl" in str(delivery.error)
        assert endpoint.heard == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_a_listed_address_is_connected_to_in_every_spelling(host: str) -> None:
    async with an_endpoint(says(200), host="127.0.0.1") as endpoint, open_sender(LOOPBACK) as sender:
        port = endpoint.url.rpartition(":")[2]
        assert (await send(sender, f"http://{host}:{port}")).delivered


async def test_cancelling_a_post_cancels_it(sender: WebhookSender) -> None:
    release, arrived = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        arrived.set()
        await release.wait()
        return web.Response()

    async with an_endpoint(hang) as endpoint:
        post = asyncio.create_task(send(sender, endpoint.url))
        await arrived.wait()
        post.cancel()
        with pytest.raises(asyncio.CancelledError):
            await post
        release.set()
