"""At the door: which requests are followed, and that nothing of what others wrote leaves with a span."""

import asyncio
import re
from typing import Any

import pytest

from tests.collector import Sink, a_collector
from tests.usecases.bench import CONSENT
from tests.web.site import DOOR, open_site
from tests.web.test_trail import ACCOUNT, IBAN, LOOPBACK, NAME, everything_goes_wrong
from tracker.adapters.store.store import SqlStore
from tracker.adapters.tracing import OtlpSpans
from tracker.domain.errors import StorageError


async def test_a_request_at_the_door_is_the_first_span(database, keys) -> None:
    sink = Sink()
    async with open_site(database, keys, spans=sink) as site:
        said = await site.post(site.event(), DOOR + "/demobank", headers={"traceparent": "00-1-2-03"})
        assert said.status == 202
    receive, store = sink.the("receive event"), sink.the("store event")
    assert (receive.kind, receive.parent, receive.has_failed, receive.link) == ("server", None, False, "00-1-2-03")
    assert store.parent == receive.place
    assert receive.facts["tracker.event_id"] == store.facts["tracker.event_id"]
    assert receive.facts["http.route"] == "/webhooks/{profile}/{provider}"
    assert receive.facts["http.response.status_code"] == 202


async def test_requests_at_once_are_not_mixed_up(database, keys) -> None:
    sink = Sink()
    async with open_site(database, keys, spans=sink) as site:
        bodies = [site.event() for _ in range(20)]
        await asyncio.gather(*(site.post(body) for body in bodies))
    stores = {span.facts["tracker.event_id"]: span for span in sink.named("store event")}
    receives = sink.named("receive event")
    assert len(receives) == len(stores) == 20
    assert all(stores[span.facts["tracker.event_id"]].parent == span.place for span in receives)


async def test_what_is_refused_at_the_door_and_what_is_no_event_has_no_span(database, keys, caplog) -> None:
    sink = Sink()
    async with open_site(database, keys, spans=sink, http={"port": 0}) as site:
        for body in (b"hello", b"", site.token()):
            assert (await site.post(body)).status == 400
        assert (await site.post(b"x", "/webhooks/elsewhere")).status == 404
        await site.get("/v1/journal")
        await site.call_bare("GET", "/nowhere")
    assert sink.spans == []
    assert "could not be told" not in caplog.text


async def test_an_event_that_cannot_be_kept_is_a_failed_request(
    database, keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise StorageError

    sink = Sink()
    async with open_site(database, keys, spans=sink) as site:
        monkeypatch.setattr(SqlStore, "admit", fail)
        assert (await site.post(site.event())).status == 503
    assert (sink.the("receive event").has_failed, sink.the("store event").has_failed) == (True, True)


async def test_a_mistake_of_ours_is_a_failed_request(database, keys, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> None:
        raise ZeroDivisionError

    sink = Sink()
    async with open_site(database, keys, spans=sink) as site:
        monkeypatch.setattr(SqlStore, "admit", fail)
        assert (await site.post(site.event())).status == 500
    assert sink.the("receive event").facts["http.response.status_code"] == 500


async def test_no_span_holds_a_token_an_account_or_a_name(database, keys, monkeypatch) -> None:
    async with a_collector() as collector:
        spans = OtlpSpans(collector.url, sample_ratio=1.0, version="1")
        async with open_site(database, keys, spans=spans, **LOOPBACK) as site:
            secrets = await everything_goes_wrong(site, monkeypatch)
            headers = {
                "x-fapi-interaction-id": IBAN,
                "traceparent": NAME,
                "tracestate": f"a={IBAN}",
                "User-Agent": NAME,
            }
            await site.post(site.event(), headers=headers)
            secrets += [site.hub.issuer, "127.0.0.1", "localhost"]
        await asyncio.to_thread(spans.close)
    names = {span.name for span in collector.spans}
    assert names == {
        "receive event",
        "store event",
        "open event",
        "record event",
        "append entry",
        "ask holder",
        "notify subscriber",
    }
    assert len(collector.spans) > 60
    text = b"\n".join(collector.bodies).decode("utf-8", "replace")
    for secret in (NAME, "Mansoori", IBAN, ACCOUNT, CONSENT):
        assert secret not in text
    for token in secrets:
        assert token not in text
        for part in token.split("."):
            assert len(part) < 20 or part not in text
    assert not re.search(r"eyJ[\w-]{10}", text)
