"""A webhook endpoint that can go away and come back, for what brokers and webhooks have in common."""

import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import unused_port

from tests.adapters.sinks.heard import Heard

MOST_BYTES = 64 * 1024


class WebhookEndpoint:
    """Implements `tests.adapters.sinks.bench.Place`."""

    scheme = "http"

    def __init__(self) -> None:
        self.port = unused_port()
        self.kept: dict[str, list[Heard]] = {}
        self.runner: web.AppRunner | None = None

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        name = request.match_info["name"]
        if name not in self.kept:
            return web.Response(status=404)
        if len(body) > MOST_BYTES:
            return web.Response(status=413)
        headers = {key.lower(): value for key, value in request.headers.items()}
        event = json.loads(body)
        key = event["data"]["tracking_id"]
        self.kept[name].append(Heard(id=headers["webhook-id"], key=key, body=body, headers=headers))
        return web.Response(status=204)

    async def up(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/{name}", self.take)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def down(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    freeze, thaw = down, up

    async def make(self, name: str, **_: Any) -> str:
        self.kept[name] = []
        return self.missing(name)

    def missing(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    async def heard(self, name: str) -> list[Heard]:
        return self.kept[name]
