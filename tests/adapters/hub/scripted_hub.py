"""A holder that says what a test tells it to, and remembers what it was asked.

It shares no code with the sandbox hub nor with the tracker: its tokens are made by joserfc.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "tpp-client-001"


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    route: str
    method: str
    raw_path: str
    headers: dict[str, str]
    form: dict[str, str]
    body: bytes = b""


Reply = Callable[[Seen], web.StreamResponse]


def says(status: int = 200, body: bytes | str = b"", content_type: str | None = None, **headers: str) -> Reply:
    """An answer word for word; header names are written with underscores."""

    def reply(_: Seen) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type is not None:
            named["Content-Type"] = content_type
        return web.Response(status=status, body=body.encode() if isinstance(body, str) else body, headers=named)

    return reply


def says_json(value: Any, status: int = 200, **headers: str) -> Reply:
    return says(status, json.dumps(value), "application/json", **headers)


class ScriptedHub:
    """Answers by the script (`next`, then `always`), else as a well-behaved holder."""

    def __init__(self, key: RSAKey) -> None:
        self.issuer = ""
        self.key = key
        self.published = [key]
        self.seen: list[Seen] = []
        self.peers: set[Any] = set()
        self.next: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self.always: dict[str, Reply] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.jwks_headers: dict[str, str] = {}
        self.discovery_headers: dict[str, str] = {}
        self.discovery_changes: dict[str, Any] = {}
        self.expires_in: Any = 600
        self.message: dict[str, Any] = {"Data": {"ConsentId": "c-1", "Status": "Authorized"}}
        self.clock_seconds = 0
        self._news = asyncio.Condition()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        return app

    def count(self, route: str) -> int:
        return sum(seen.route == route for seen in self.seen)

    def last(self, route: str) -> Seen:
        return [seen for seen in self.seen if seen.route == route][-1]

    async def asked(self, route: str, times: int = 1) -> None:
        """Wait until a route has been asked so often."""
        async with self._news:
            await self._news.wait_for(lambda: self.count(route) >= times)

    def hold(self, route: str) -> asyncio.Event:
        """Let requests wait until the event is set."""
        self.gates[route] = asyncio.Event()
        return self.gates[route]

    def release(self) -> None:
        for gate in self.gates.values():
            gate.set()

    def signed(self, key: RSAKey | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A signed answer; a change to None leaves the claim out."""
        key = key or self.key
        now = self.clock_seconds
        claims = {
            "iss": self.issuer,
            "aud": [CLIENT_ID],
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "message": self.message,
        }
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(
            {"alg": "PS256", "kid": key.kid} | (header or {}), claims, key, algorithms=["PS256", "PS384", "RS256"]
        )

    def says_signed(self, key: RSAKey | None = None, header: dict[str, Any] | None = None, **changes: Any) -> Reply:
        return says(200, self.signed(key, header, **changes), "application/jwt")

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        form = {name: str(value) for name, value in (await request.post()).items()}
        seen = Seen(_route(request.path), request.method, request.raw_path, dict(request.headers), form, body)
        self.seen.append(seen)
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        async with self._news:
            self._news.notify_all()
        if seen.route in self.gates:
            await self.gates[seen.route].wait()
        if self.next[seen.route]:
            return self.next[seen.route].popleft()(seen)
        usual = {"discovery": self._discovery, "jwks": self._jwks, "token": self._token, "consent": self._consent}
        return self.always.get(seen.route, usual[seen.route])(seen)

    def _discovery(self, _: Seen) -> web.Response:
        document = {
            "issuer": self.issuer,
            "token_endpoint": f"{self.issuer}/plain-token",
            "jwks_uri": f"{self.issuer}/application.jwks",
            "mtls_endpoint_aliases": {"token_endpoint": f"{self.issuer}/token"},
        } | self.discovery_changes
        return web.json_response(document, headers=self.discovery_headers)

    def _jwks(self, seen: Seen) -> web.Response:
        tag = '"' + "-".join(str(key.kid) for key in self.published) + '"'
        headers = {"ETag": tag} | self.jwks_headers
        if seen.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        keys = [key.as_dict(private=False) | {"use": "sig"} for key in self.published]
        return web.json_response({"keys": keys}, headers=headers)

    def _token(self, _: Seen) -> web.Response:
        value = f"secret-token-{self.count('token')}"
        return web.json_response({"access_token": value, "token_type": "Bearer", "expires_in": self.expires_in})

    def _consent(self, seen: Seen) -> web.StreamResponse:
        if seen.method == "PATCH":
            return web.Response(status=204)
        return self.says_signed()(seen)


def _route(path: str) -> str:
    if path.endswith("/.well-known/openid-configuration"):
        return "discovery"
    if path.endswith("application.jwks"):
        return "jwks"
    return "token" if path.endswith("token") else "consent"
