"""A subscriber who wants us to post into our own house: by how an address is written, by what a name stands for, by the
environment. Every one is tried at the sender itself, with nothing before it that looks at texts."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from tests.adapters.test_sender import AT, BODY, Handler, a_subscription, an_endpoint, says
from tests.attacks.dns import AskingResolver, a_name_server
from tracker.adapters.address_guard import check_url, is_allowed
from tracker.adapters.sender import WebhookSender, open_sender
from tracker.domain.errors import InvalidRequestError
from tracker.domain.sending import ClientCredentials, Sending
from tracker.ports import Delivery

TRICKS = {
    "dotted": ("127.0.0.1", "127.0.0.1"),
    "decimal": ("2130706433", "127.0.0.1"),
    "hexadecimal": ("0x7f000001", "127.0.0.1"),
    "hexadecimal and short": ("0x7f.1", "127.0.0.1"),
    "octal": ("0177.0.0.1", "127.0.0.1"),
    "short": ("127.1", "127.0.0.1"),
    "zero": ("0.0.0.0", "0.0.0.0"),
    "other digits": ("①②⑦.⓪.⓪.①", "127.0.0.1"),
    "IPv6": ("[::1]", "::1"),
    "mapped": ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
    "NAT64": ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
    "6to4": ("[2002:7f00:1::]", "2002:7f00:1::"),
    "link-local, and the clouds' metadata": ("169.254.169.254", "169.254.169.254"),
    "carrier-grade NAT": ("100.64.0.1", "100.64.0.1"),
    "link-local of IPv6": ("[fe80::1]", "fe80::1"),
    "Teredo": ("[2001:0:7f00:1::]", "2001:0:7f00:1::"),
    "a name of the hosts file": ("localhost", "127.0.0.1"),
}
"""How it is written, and which address is meant. The first fourteen beside the dotted one are those of every such list."""


async def post(sender: WebhookSender, url: str, sending: Sending | None = None) -> Delivery:
    return await sender.send(replace(a_subscription(url), sending=sending or Sending()), "0198f1c2", BODY, AT)


def closing(status: int = 204) -> Handler:
    """Answer, and want another connection for the next."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Connection": "close"})

    return answer


def test_there_are_enough_tricks_and_each_leads_inside() -> None:
    assert len(TRICKS) >= 14
    assert not any(is_allowed(ip_address(address), ()) for _, address in TRICKS.values())


@pytest.mark.parametrize("trick", TRICKS)
async def test_no_trick_gets_past_the_socket(trick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []
    real = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda self, where: (connected.append(where), real(self, where))[1])
    loop = asyncio.get_running_loop()

    async def sock_connect(_: socket.socket, where: object) -> None:
        connected.append(where)
        raise OSError("must not be tried")

    async with an_endpoint(says(204), host="127.0.0.1") as inside, open_sender(()) as sender:
        monkeypatch.setattr(loop, "sock_connect", sock_connect)
        delivery = await post(sender, f"http://{TRICKS[trick][0]}:{inside.url.rsplit(':', 1)[1]}")
        assert (delivery.status, delivery.delivered, inside.heard, connected) == (None, False, [], [])


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_is_taken_for_a_url(trick: str) -> None:
    for scheme in ("https", "http"):
        with pytest.raises(InvalidRequestError):
            check_url(f"{scheme}://{TRICKS[trick][0]}/", ())


@pytest.mark.parametrize("trick", TRICKS)
async def test_no_name_that_stands_for_such_an_address_is_connected_to(trick: str) -> None:
    address = TRICKS[trick][1]
    async with (
        an_endpoint(says(204), host="127.0.0.1") as inside,
        a_name_server(lambda _, __: [address]) as names,
        open_sender((), resolver=AskingResolver(names.port)) as sender,
    ):
        delivery = await post(sender, f"http://hooks.example:{inside.url.rsplit(':', 1)[1]}")
        assert names.asked == ["hooks.example"]
        assert "is not an address that may be posted to" in str(delivery.error)
        assert inside.heard == []


# Of all addresses the operator lists one: it stands for the outside, and the rest of the loopback for the inside.
OUTSIDE, INSIDE = "127.0.0.1", "127.0.0.2"
LISTED = (ip_network(f"{OUTSIDE}/32"),)


@asynccontextmanager
async def the_same_port_inside(port: int) -> AsyncIterator[list[object]]:
    """Somebody who listens inside, at a port that is taken outside."""
    met: list[object] = []

    def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(meet, INSIDE, port)
    try:
        yield met
    finally:
        server.close()


async def test_a_name_that_is_bound_to_the_inside_later_is_refused_then() -> None:
    async with an_endpoint(closing(), host=OUTSIDE) as endpoint:
        port = int(endpoint.url.rsplit(":", 1)[1].split("/")[0])
        async with (
            the_same_port_inside(port) as met,
            a_name_server(lambda _, n: [OUTSIDE if n == 0 else INSIDE]) as names,
            open_sender(LISTED, resolver=AskingResolver(names.port)) as sender,
        ):
            url = f"http://rebinding.example:{port}/"
            assert (await post(sender, url)).delivered
            delivery = await post(sender, url)
            assert (delivery.status, f"{INSIDE} is not an address" in str(delivery.error)) == (None, True)
            assert (len(endpoint.heard), met, len(names.asked)) == (1, [], 2)


@pytest.mark.parametrize("answers", [[INSIDE, OUTSIDE], [OUTSIDE, INSIDE], [INSIDE, "::1", OUTSIDE]])
async def test_of_several_answers_none_that_leads_inside_is_connected_to(answers: list[str]) -> None:
    async with an_endpoint(closing(), host=OUTSIDE) as endpoint:
        port = int(endpoint.url.rsplit(":", 1)[1].split("/")[0])
        async with (
            the_same_port_inside(port) as met,
            a_name_server(lambda _, __: answers) as names,
            open_sender(LISTED, resolver=AskingResolver(names.port)) as sender,
        ):
            assert (await post(sender, f"http://mixed.example:{port}/")).delivered
            assert (len(endpoint.heard), met) == (1, [])


async def test_where_nobody_answers_outside_the_inside_is_not_tried_instead() -> None:
    port = unused_port()
    async with (
        the_same_port_inside(port) as met,
        a_name_server(lambda _, __: [OUTSIDE, INSIDE]) as names,
        open_sender(LISTED, resolver=AskingResolver(names.port)) as sender,
    ):
        assert not (await post(sender, f"http://mixed.example:{port}/")).delivered
        assert met == []


async def test_where_tokens_are_fetched_is_guarded_in_the_same_way() -> None:
    async with an_endpoint(closing(), host=OUTSIDE) as endpoint:
        port = int(endpoint.url.rsplit(":", 1)[1].split("/")[0])
        credentials = ClientCredentials(token_url=f"http://as.example:{port}/", client_id="c", client_secret="s")
        async with (
            the_same_port_inside(port) as met,
            a_name_server(lambda _, __: [INSIDE]) as names,
            open_sender(LISTED, resolver=AskingResolver(names.port)) as sender,
        ):
            delivery = await post(sender, endpoint.url, Sending(credentials=credentials))
            assert (delivery.status, endpoint.heard, met) == (None, [], [])


async def test_a_port_that_is_not_listed_is_not_connected_to() -> None:
    async with an_endpoint(says(204), host=OUTSIDE) as endpoint:
        port = int(endpoint.url.rsplit(":", 1)[1].split("/")[0])
        for ports, is_taken in (((range(443, 444),), False), ((range(port, port + 1),), True)):
            async with open_sender(LISTED, allow_ports=ports) as sender:
                delivery = await post(sender, endpoint.url)
            assert delivery.delivered is is_taken
            assert is_taken or f"{port} is not a port that may be posted to" in str(delivery.error)
        assert len(endpoint.heard) == 1


def test_a_port_that_is_not_listed_is_refused_in_a_url() -> None:
    ports = (range(443, 444), range(8000, 8100))
    check_url("https://hooks.example.com/", (), ports)
    check_url("https://hooks.example.com:8099/", (), ports)
    with pytest.raises(InvalidRequestError, match="port is one of 443, 8000-8099, not 8100"):
        check_url("https://hooks.example.com:8100/", (), ports)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_of_the_environment_sees_nothing(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(1024))
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        for spelling in (name, name.upper()):
            monkeypatch.setenv(spelling, address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    try:
        async with an_endpoint(says(204), host=OUTSIDE) as endpoint, open_sender(LISTED) as sender:
            delivery = await post(sender, endpoint.url.replace("http:", f"{scheme}:"))
            assert delivery.delivered is (scheme == "http")  # nobody speaks TLS there; what counts is who was called
            assert seen == []
    finally:
        server.close()
