"""Run a hub on a real socket."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from tracker.sandbox import consent_api, control_api, discovery_api, exchange, token_api
from tracker.sandbox.context import HUB
from tracker.sandbox.hub import Hub

HOST = "127.0.0.1"
TICK_SECONDS = 0.2


def application(hub: Hub) -> web.Application:
    """Build the application of one hub; whoever serves it sets `hub.url`."""
    app = web.Application(middlewares=[exchange.recorded, control_api.explained, exchange.absent, exchange.faulty])
    app[HUB] = hub
    for module in (discovery_api, token_api, consent_api, control_api):
        app.add_routes(module.routes())
    return app


@asynccontextmanager
async def running_hub(
    hub: Hub | None = None, *, host: str = HOST, port: int = 0, ssl_context: ssl.SSLContext | None = None
) -> AsyncIterator[Hub]:
    """Serve a hub until the block ends; then what is on its way is given up.

    Args:
        hub: the hub; a new one with the default options unless given.
        host: loopback address to bind.
        port: 0 takes a free one.
        ssl_context: speak https with it, client certificates included if it asks for them.

    Yields:
        The hub, which knows its `url` and `issuer` now and flips consents whose time has come by itself.

    Raises:
        OSError: the port is taken.
    """
    hub = hub or Hub()
    runner = web.AppRunner(application(hub), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=ssl_context)
        await site.start()
        scheme = "http" if ssl_context is None else "https"
        bound = runner.addresses[0][1]
        hub.url = f"{scheme}://{host}:{bound}"

        async def listen_again() -> None:
            nonlocal site
            site = web.TCPSite(runner, host, bound, ssl_context=ssl_context)
            await site.start()
            hub.outages.stop_listening = site.stop

        hub.outages.stop_listening, hub.outages.listen_again = site.stop, listen_again
        ticking = asyncio.create_task(_tick(hub))
        try:
            yield hub
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
            await hub.close()
    finally:
        await runner.cleanup()


async def serve(port: int, announce: Callable[[str], None], *, hub: Hub | None = None, host: str = HOST) -> None:
    """Serve a hub alone until cancelled; it is driven over HTTP.

    Args:
        port: where to listen; 0 takes a free one.
        announce: is called once, when the hub listens, with the lines to show to whoever started it.
        hub: the hub; a new one with the default options unless given.
        host: loopback address to bind.

    Raises:
        OSError: the port is taken.
    """
    async with running_hub(hub, host=host, port=port) as running:
        announce(introduction(running))
        await asyncio.Event().wait()


def introduction(hub: Hub) -> str:
    """Tell how to use a running hub with curl."""
    return f"""\
simulated API Hub of {hub.name}: {hub.issuer}
  discovery     {hub.issuer}/.well-known/openid-configuration
  resources     {hub.url}/open-finance/{{account-information,payment,insurance}}/v2.1/…
  1. register   curl {hub.url}/sandbox/clients -d '{{"client_id": "tpp-client-001",
                  "webhook_url": "http://127.0.0.1:8080/webhooks/uae-v2.1",
                  "signing_jwks": {{"keys": […]}}, "encryption_jwks": {{"keys": […]}}}}'   (public keys)
  2. stage      curl {hub.url}/sandbox/consents -d '{{"kind": "account-access", "consent_id": "c-1"}}'
  3. move       curl {hub.url}/sandbox/consents/c-1/move -d '{{"status": "Authorized"}}'
  4. look       curl {hub.url}/sandbox/events   ·   curl {hub.url}/sandbox/requests"""


async def _tick(hub: Hub) -> None:
    while True:
        hub.tick()
        await asyncio.sleep(TICK_SECONDS)
