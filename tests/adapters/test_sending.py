"""How subscribers want to be told: our own signature, their headers, access tokens that we fetch."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from standardwebhooks import Webhook

from tests.adapters.test_sender import AT, BODY, LOOPBACK, SECRET, a_subscription, an_endpoint, says
from tracker.adapters.notification_keys import NotificationKey, NotificationKeys
from tracker.adapters.sender import WebhookSender, open_sender
from tracker.domain.errors import InvalidRequestError
from tracker.domain.sending import ClientCredentials, Sending, StaticHeader
from tracker.ports import Delivery

FIRST, SECOND = (NotificationKey(name, Ed25519PrivateKey.from_private_bytes(name.encode() * 32)) for name in "ab")
BOTH_SIGNATURES = Sending(signatures=("v1", "v1a"))


async def send(sender: WebhookSender, url: str, sending: Sending, body: bytes = BODY) -> Delivery:
    return await sender.send(replace(a_subscription(url), sending=sending), "0198f1c2", body, AT)


# ---------------------------------------------------------------------------------------------- v1a


def verify(whpk: str, headers: dict[str, str], body: bytes) -> None:
    """As the specification writes it, with nothing of ours."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(whpk.removeprefix("whpk_")))
    signatures = [text.partition(",")[2] for text in headers["webhook-signature"].split() if text.startswith("v1a,")]
    assert len(signatures) == 1
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key.verify(base64.b64decode(signatures[0], validate=True), said)


async def test_both_signatures_are_made_of_the_same_and_the_published_key_verifies_ours() -> None:
    async with (
        an_endpoint(says(204)) as endpoint,
        open_sender(LOOPBACK, keys=NotificationKeys([FIRST, SECOND])) as sender,
    ):
        assert (await send(sender, endpoint.url, BOTH_SIGNATURES)).delivered
        [whpk, other] = [key["whpk"] for key in sender.public_jwks()["keys"]]
    [heard] = endpoint.heard
    verify(whpk, heard.headers, heard.body)
    for key, body in ((whpk, heard.body + b" "), (other, heard.body)):
        with pytest.raises(InvalidSignature):
            verify(key, heard.headers, body)
    v1 = heard.headers["webhook-signature"].split()[0]
    assert v1 == Webhook(SECRET).sign("0198f1c2", AT, BODY.decode())


async def test_who_did_not_ask_for_it_gets_no_signature_of_ours() -> None:
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK, keys=NotificationKeys([FIRST])) as sender:
        await send(sender, endpoint.url, Sending())
    assert "v1a" not in endpoint.heard[0].headers["webhook-signature"]


async def test_without_a_key_nothing_is_sent_and_no_entry_is_to_blame() -> None:
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK) as sender:
        delivery = await send(sender, endpoint.url, BOTH_SIGNATURES)
        with pytest.raises(InvalidRequestError, match="no signing_key"):
            sender.check_means(BOTH_SIGNATURES)
        assert sender.public_jwks() == {"keys": []}
        assert endpoint.heard == []
        assert (delivery.status, delivery.retry_after_seconds, "signing_key" in str(delivery.error)) == (
            None,
            0.0,
            True,
        )
        sender.sign_with(NotificationKeys([SECOND]))
        sender.check_means(BOTH_SIGNATURES)
        assert (await send(sender, endpoint.url, BOTH_SIGNATURES)).delivered
    verify(SECOND.whpk, endpoint.heard[0].headers, BODY)


# ---------------------------------------------------------------------------------------------- headers


async def test_static_headers_are_sent_and_never_in_the_place_of_ours() -> None:
    headers = (StaticHeader("X-Api-Key", "s3cret"), StaticHeader("authorization", "Basic abc"))
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK) as sender:
        await send(sender, endpoint.url, Sending(headers=headers))
        assert "s3cret" not in repr(Sending(headers=headers))
        delivery = await send(sender, endpoint.url, Sending(headers=(StaticHeader("X-A", "a\r\nX-B: c"),)))
    assert (endpoint.heard[0].headers["X-Api-Key"], endpoint.heard[0].headers["Authorization"]) == (
        "s3cret",
        "Basic abc",
    )
    assert len(endpoint.heard) == 1
    assert delivery.status is None


# ---------------------------------------------------------------------------------------------- access tokens


class AuthorizationServer:
    """A real token endpoint that answers as told and remembers."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: Callable[[], Any] = lambda: {
            "access_token": f"t{len(self.asked)}",
            "token_type": "Bearer",
            "expires_in": 60,
        }
        self.status = 200
        self.before: Callable[[], Awaitable[object]] | None = None

    async def handle(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append((request.headers["Authorization"], form))
        if self.before is not None:
            await self.before()
        answer = self.answer()
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return web.Response(text=text, status=self.status, headers={"Location": self.url} if self.status == 302 else {})


@pytest.fixture
async def server() -> AsyncIterator[AuthorizationServer]:
    found = AuthorizationServer()
    async with an_endpoint(found.handle) as endpoint:  # type: ignore[arg-type]
        found.url = endpoint.url
        yield found


def by_token(server: AuthorizationServer, **changes: Any) -> Sending:
    facts = {"token_url": server.url, "client_id": "crm:1", "client_secret": "s3cret%", "scope": "hooks write"}
    return Sending(credentials=ClientCredentials(**{**facts, **changes}))


def bearer(endpoint: Any) -> list[str]:
    return [heard.headers["Authorization"] for heard in endpoint.heard]


async def test_a_token_is_fetched_once_shown_and_kept(server: AuthorizationServer) -> None:
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK) as sender:
        for _ in range(3):
            assert (await send(sender, endpoint.url, by_token(server))).delivered
    assert bearer(endpoint) == ["Bearer t1"] * 3
    [(authorization, form)] = server.asked
    assert form == {"grant_type": "client_credentials", "scope": "hooks write"}
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"crm%3A1:s3cret%25"


async def test_many_posts_at_once_wait_for_one_fetch(server: AuthorizationServer) -> None:
    release = asyncio.Event()
    server.before = release.wait
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK) as sender:
        posts = [asyncio.create_task(send(sender, endpoint.url, by_token(server))) for _ in range(5)]
        while not server.asked:
            await asyncio.sleep(0.005)
        assert endpoint.heard == []
        release.set()
        assert all(delivery.delivered for delivery in await asyncio.gather(*posts))
    assert bearer(endpoint) == ["Bearer t1"] * 5
    assert len(server.asked) == 1


async def test_a_token_that_is_refused_is_fetched_anew_once(server: AuthorizationServer) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=204 if request.headers["Authorization"] == "Bearer t2" else 401)

    async with an_endpoint(answer) as endpoint, open_sender(LOOPBACK) as sender:
        assert (await send(sender, endpoint.url, by_token(server))).delivered
        assert bearer(endpoint) == ["Bearer t1", "Bearer t2"]
        assert (await send(sender, endpoint.url, by_token(server))).delivered
    assert len(server.asked) == 2


async def test_a_receiver_that_refuses_every_token_gets_two_and_no_more(server: AuthorizationServer) -> None:
    async with an_endpoint(says(401)) as endpoint, open_sender(LOOPBACK) as sender:
        delivery = await send(sender, endpoint.url, by_token(server))
    assert (delivery.status, len(endpoint.heard), len(server.asked)) == (401, 2, 2)


BAD_ANSWERS: dict[str, tuple[Any, int, str]] = {
    "refused": ({"error": "invalid_client", "error_description": "s3cret"}, 401, "answered 401"),
    "redirect": ({}, 302, "answered 302"),
    "no JSON": ("<html>", 200, "not JSON"),
    "a list": ([], 200, "not a JSON object"),
    "too long": ("[" + " " * 70_000 + "]", 200, "too long"),
    "no token": ({"token_type": "Bearer"}, 200, "no access_token"),
    "a line feed": ({"access_token": "a\r\nX-B: c", "token_type": "Bearer"}, 200, "no access_token"),
    "another type": ({"access_token": "a", "token_type": "DPoP"}, 200, "not of the type Bearer"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_without_a_token_nothing_is_sent_and_no_entry_is_to_blame(server: AuthorizationServer, name: str) -> None:
    answer, server.status, words = BAD_ANSWERS[name]
    server.answer = lambda: answer
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK) as sender:
        delivery = await send(sender, endpoint.url, by_token(server))
        assert (delivery.status, delivery.retry_after_seconds) == (None, 0.0)
        assert words in str(delivery.error)
        assert "s3cret" not in str(delivery.error)
        assert endpoint.heard == []
        server.status, server.answer = 200, lambda: {"access_token": "good", "token_type": "bearer"}
        assert (await send(sender, endpoint.url, by_token(server))).delivered
    assert bearer(endpoint) == ["Bearer good"]


async def test_a_token_endpoint_inside_is_not_connected_to(server: AuthorizationServer) -> None:
    async with open_sender(()) as sender:
        delivery = await send(sender, "https://hooks.invalid/", by_token(server))
    assert server.asked == []
    assert (delivery.status, "token endpoint could not be reached" in str(delivery.error)) == (None, True)


async def test_a_token_endpoint_that_hangs_takes_no_longer_than_a_post_may(server: AuthorizationServer) -> None:
    release = asyncio.Event()
    server.before = release.wait
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK, total_seconds=0.1) as sender:
        delivery = await send(sender, endpoint.url, by_token(server))
        assert "did not answer in time" in str(delivery.error)
        assert delivery.retry_after_seconds == 0.0
        release.set()
    assert endpoint.heard == []


@pytest.mark.parametrize(
    ("seconds", "fetches"), [(0.000_001, 2), (60, 1), (-5, 1), ("90", 1), (True, 1), (1e300, 1), (None, 1)]
)
async def test_a_token_is_kept_until_shortly_before_it_ends(
    server: AuthorizationServer, seconds: Any, fetches: int
) -> None:
    server.answer = lambda: {"access_token": "t", "token_type": "Bearer", "expires_in": seconds}
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK) as sender:
        for _ in range(2):
            assert (await send(sender, endpoint.url, by_token(server))).delivered
    assert len(server.asked) == fetches


async def test_each_has_the_token_of_its_own_credentials(server: AuthorizationServer) -> None:
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK) as sender:
        for name in ("a", "b", "a"):
            await send(sender, endpoint.url, by_token(server, client_id=name))
    assert bearer(endpoint) == ["Bearer t1", "Bearer t2", "Bearer t1"]


def test_what_is_kept_shows_no_token_and_no_secret() -> None:
    assert "s3cret" not in repr(ClientCredentials(token_url="u", client_id="c", client_secret="s3cret"))
