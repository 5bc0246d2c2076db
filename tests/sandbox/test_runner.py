"""Real sockets: chosen ports, https with client certificates, starting again."""

import ssl
from dataclasses import replace

import aiohttp
import pytest
import trustme
from aiohttp import web

from tracker.sandbox import Hub, Outcome, running_hub


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def server_context(authority, *, asks_for_certificate=False):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if asks_for_certificate:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(authority, *, with_certificate=True):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if with_certificate:
        authority.issue_cert("tpp-client-001").configure_cert(context)
    return context


async def test_hub_takes_the_given_port_and_frees_it(options, http, unused_tcp_port):
    for _ in range(2):
        async with running_hub(Hub("demobank", options), port=unused_tcp_port) as hub:
            assert hub.issuer == f"http://127.0.0.1:{unused_tcp_port}"
            async with http.get(f"{hub.url}/jwks") as response:
                assert response.status == 200


async def test_taken_port_is_an_error(hub, options):
    port = int(hub.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        async with running_hub(Hub("otherbank", options), port=port):
            pass


async def test_hub_asks_for_client_certificates_over_https(options, http, authority):
    context = server_context(authority, asks_for_certificate=True)
    async with running_hub(Hub("demobank", options), ssl_context=context) as hub:
        url = f"{hub.issuer}/.well-known/openid-configuration"
        async with http.get(url, ssl=client_context(authority)) as response:
            assert (await response.json())["token_endpoint"].startswith("https://127.0.0.1:")
        with pytest.raises(aiohttp.ClientError):
            await http.get(url, ssl=client_context(authority, with_certificate=False))


async def test_events_go_to_https_webhooks_that_are_trusted(options, registration, authority):
    async def accept(request):
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/", accept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(authority)).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/"
    outcomes = []
    for trust in (client_context(authority, with_certificate=False), None):
        async with running_hub(Hub("demobank", replace(options, webhook_ssl=trust))) as hub:
            hub.register_client(**registration | {"webhook_url": url})
            event = hub.authorize(hub.stage("insurance").consent_id)
            await hub.settle()
            outcomes.append(event.outcome)
    await runner.cleanup()

    assert outcomes == [Outcome.DELIVERED, Outcome.FAILED]


async def test_stopped_hub_can_be_started_again_with_its_consents(tpp, options, registration, webhook):
    hub = Hub("demobank", options)
    hub.register_client(**registration)
    for status in ("Authorized", "Suspended"):
        async with running_hub(hub):
            if status == "Authorized":
                hub.stage("account-access", "c-1")
            hub.move("c-1", status)
            await hub.settle()

    assert len(webhook.received) == 2
