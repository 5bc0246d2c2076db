"""The real service and a real OTLP collector: one webhook, one trace, down to what the subscriber got."""

import asyncio
import hashlib
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.collector import Collector, Taken, a_collector
from tests.e2e.service import Service, an_event, issuer

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
AT = "2026-03-02T15:13:19+04:00"
ALLOWED = '[notifications]\nallow_networks = ["127.0.0.0/8"]\n'


def tracing(url: str, ratio: float = 1.0) -> str:
    return f'{ALLOWED}[tracing]\nendpoint = "{url}"\nsample_ratio = {ratio}\n'


@asynccontextmanager
async def a_subscriber() -> AsyncIterator[tuple[str, list[tuple[str, str]]]]:
    """Give its URL, and the entry id and traceparent of each post."""
    got: list[tuple[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.headers["webhook-id"], request.headers.get("traceparent", "")))
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/", take)
    async with TestServer(application) as server:
        yield str(server.make_url("/")), got


async def prepared(service: Service, subscriber_url: str) -> aiohttp.ClientSession:
    """Start it, register a consent and subscribe; give a session that may do everything."""
    await service.start()
    key = await service.run("keys", "add-api-key", "--name", "test", "--scope", "read,write,admin")
    http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})
    consent = {"provider": "demobank", "kind": "account-access", "consent_id": "c-1"}
    for path, body in (("/v1/consents", consent), ("/v1/subscriptions", {"url": subscriber_url, "from_sequence": 1})):
        async with http.post(service.url + path, json=body) as response:
            assert response.status == 201, await response.text()
    return http


def stage(collector: Collector, name: str, trace_id: str) -> Taken:
    (found,) = [span for span in collector.named(name) if span.trace_id == trace_id]
    return found


async def test_one_webhook_is_one_trace_down_to_the_notification(tmp_path: Path) -> None:
    async with issuer() as issuer_url, a_collector() as collector, a_subscriber() as (url, got):
        service = Service(tmp_path, issuer_url, tracing(collector.url))
        async with await prepared(service, url) as http:
            body = an_event(issuer_url, "c-1", "Authorized", AT, time.time())
            trace_id = hashlib.sha256(body).hexdigest()[:32]
            headers = {"traceparent": TRACEPARENT, "x-fapi-interaction-id": "AE070331234567890123456"}
            async with http.post(f"{service.url}/webhooks/uae-v2.1", data=body, headers=headers) as response:
                assert response.status == 202
            await collector.until(lambda: any(s.trace_id == trace_id for s in collector.named("notify subscriber")))
            async with http.get(f"{service.url}/v1/journal") as response:
                entries = (await response.json())["items"]
        assert await service.terminate() == 0
    names = ("receive event", "store event", "record event", "append entry", "notify subscriber")
    receive, store, record, append, notify = (stage(collector, name, trace_id) for name in names)
    # It may be opened once to see which key it needs, and again when that has been fetched.
    opened = [span for span in collector.named("open event") if span.trace_id == trace_id]
    assert [span.facts["tracker.outcome"] for span in opened][-1] == "report"
    assert receive.parent_id == ""
    assert {span.parent_id for span in (store, record, *opened)} == {receive.span_id}
    assert (append.parent_id, notify.parent_id) == (record.span_id, append.span_id)
    assert (receive.kind, notify.kind, record.kind) == (2, 3, 1)  # server, client, internal
    assert receive.began <= store.began <= store.ended <= receive.ended
    assert record.began <= record.ended <= notify.ended
    assert receive.links == [("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")]
    assert receive.facts["http.response.status_code"] == 202
    assert receive.facts["http.route"] == "/webhooks/{profile}"
    assert record.facts["tracker.outcome"] == "moved"
    # The trace can be found from the journal, and the subscriber goes on in it.
    (entry,) = [entry for entry in entries if entry["id"] == append.facts["tracker.entry_id"]]
    assert entry["data"]["evidence"][0]["jwe_sha256"][:32] == trace_id
    assert dict(got)[entry["id"]] == f"00-{trace_id}-{notify.span_id}-01"
    # What the registration and the question told is in traces of their own, and every parent is there.
    present = {(span.trace_id, span.span_id) for span in collector.spans}
    assert {(s.trace_id, s.parent_id) for s in collector.spans if s.parent_id} <= present
    assert len(present) == len(collector.spans)
    registered = next(span for span in collector.named("append entry") if not span.parent_id)
    assert registered.facts["tracker.entry_type"] == "consent.registered"
    assert all(span.has_failed for span in collector.named("ask holder"))
    assert collector.resources[0]["service.name"] == "consent-tracker"
    # Nothing of what others wrote.
    told = b"".join(collector.bodies)
    for secret in (b"eyJ", b"c-1", b"AE0703", b"whsec_", b"trk_", body[:40], b"127.0.0.1", b"ReadAccounts"):
        assert secret not in told


async def test_a_collector_that_never_answers_holds_up_nothing(tmp_path: Path) -> None:
    async with issuer() as issuer_url, a_collector(status=None) as collector, a_subscriber() as (url, got):
        service = Service(tmp_path, issuer_url, tracing(collector.url))
        async with await prepared(service, url) as http:
            await collector.until(lambda: bool(collector.bodies))  # it is trying by now
            slowest = 0.0
            for n in range(40):
                body = an_event(
                    issuer_url, "c-1", ("Authorized", "Suspended")[n % 2], f"2026-03-02T15:{n:02}:00Z", time.time()
                )
                began = time.monotonic()
                async with http.post(f"{service.url}/webhooks/uae-v2.1", data=body) as response:
                    assert response.status == 202
                slowest = max(slowest, time.monotonic() - began)
            await service.until_worked_off()
            (head,) = service.rows("SELECT max(sequence) FROM entry")[0]
            await collector.until(lambda: len(got) >= head)
            assert slowest < 4
        began = time.monotonic()
        assert await service.terminate() == 0
        assert time.monotonic() - began < 15
    log = (tmp_path / "log.txt").read_text()
    assert "Traceback" not in log
    assert "The last spans were not taken by the collector in time, and are lost" in log


WITHOUT_THE_EXTRA = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"opentelemetry", "requests", "google"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from tracker.cli import main
sys.argv[0] = "tracker"
sys.exit(main())
"""


class Bare(Service):
    """A service where the extra is not installed."""

    @property
    def command(self) -> tuple[str, ...]:
        return sys.executable, "-c", WITHOUT_THE_EXTRA, "serve"


async def test_without_the_extra_the_service_runs(tmp_path: Path) -> None:
    async with issuer() as issuer_url:
        service = Bare(tmp_path, issuer_url)
        await service.start()
        async with aiohttp.ClientSession() as http:
            body = an_event(issuer_url, "c-1", "Authorized", AT, time.time())
            async with http.post(f"{service.url}/webhooks/uae-v2.1", data=body) as response:
                assert response.status == 202
        assert await service.terminate() == 0


async def test_tracing_without_the_extra_says_what_to_install(tmp_path: Path) -> None:
    service = Bare(tmp_path, "https://auth1.bank.example", tracing("http://127.0.0.1:4318"))
    process = await asyncio.create_subprocess_exec(
        *service.command, stderr=asyncio.subprocess.PIPE, env=service.environment
    )
    _, told = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert told.decode() == (
        "tracker: [tracing] endpoint needs OpenTelemetry, which is not installed; "
        'install it with `python3 -m pip install ".[otel]"` in the checkout, or take the endpoint out.\n'
    )
