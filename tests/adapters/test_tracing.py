"""OpenTelemetry: what goes over the wire, how much is kept, and that nobody ever waits for a collector."""

import asyncio
import hashlib
import logging
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.collector import Collector, a_collector
from tracker.adapters import tracing
from tracker.adapters.clock import SystemIds
from tracker.adapters.tracing import MOST_QUEUED, OtlpSpans, links_to
from tracker.ports import Place, Span

AT = datetime(2026, 3, 2, 11, 13, 19, 123456, tzinfo=UTC)
PLACE = Place(0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7)
THEIRS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def span(**changes: Any) -> Span:
    given = {"name": "open event", "place": PLACE, "parent": None, "began_at": AT, "seconds": 1.5}
    return Span(**given | changes)  # type: ignore[arg-type]


@asynccontextmanager
async def sending(url: str, ratio: float = 1.0, seconds: float = 5.0) -> AsyncIterator[OtlpSpans]:
    spans = OtlpSpans(url, sample_ratio=ratio, version="1.2.3")
    try:
        yield spans
    finally:
        await asyncio.to_thread(spans.close, seconds)


async def sent(*told: Span, ratio: float = 1.0) -> Collector:
    async with a_collector() as collector:
        async with sending(collector.url, ratio) as spans:
            for one in told:
                spans.take(one)
        return collector


# ---------------------------------------------------------------------------------------------- what is sent


async def test_a_span_arrives_as_it_was_told() -> None:
    parent = Place(PLACE.trace_id, 7)
    told = span(
        parent=parent, kind="client", facts={"tracker.outcome": "report", "tracker.attempts": 2}, has_failed=True
    )
    (taken,) = (collector := await sent(told)).spans
    assert (taken.name, taken.kind, taken.has_failed) == ("open event", 3, True)
    assert taken.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert (taken.span_id, taken.parent_id) == ("00f067aa0ba902b7", "0000000000000007")
    assert taken.facts == {"tracker.outcome": "report", "tracker.attempts": 2}
    assert abs(taken.began - 1_772_449_999_123_456_000) < 1000
    assert taken.ended - taken.began == 1_500_000_000
    assert collector.resources == [{"service.name": "consent-tracker", "service.version": "1.2.3"}]


async def test_the_first_span_of_a_trace_has_no_parent_and_has_its_own_number() -> None:
    (taken,) = (await sent(span())).spans
    assert (taken.trace_id, taken.span_id, taken.parent_id) == (
        "0af7651916cd43dd8448eb211c80319c",
        "00f067aa0ba902b7",
        "",
    )


async def test_the_sender_is_linked_to() -> None:
    (taken,) = (await sent(span(link=THEIRS))).spans
    assert taken.links == [("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")]
    assert taken.trace_id == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    "link",
    [
        "",
        "hello",
        THEIRS.upper(),
        THEIRS[:-1],
        THEIRS + "-more",
        "ff" + THEIRS[2:],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        "01" + THEIRS[2:] + "-" + "x" * 5000,
        THEIRS + "," + THEIRS,
        "\x00" * 55,
    ],
)
async def test_what_is_no_traceparent_is_left_out(link: str, caplog: pytest.LogCaptureFixture) -> None:
    (taken,) = (await sent(span(link=link))).spans
    assert taken.links == []
    assert caplog.records == []  # a stranger must not be able to write our log


@given(st.text(max_size=60) | st.text("0123456789abcdef-", max_size=60))
def test_no_text_in_the_place_of_a_traceparent_is_an_error(link: str) -> None:
    assert len(links_to(link)) <= 1


async def test_the_operator_names_the_service_and_the_key_of_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "consents-eu")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    collector = await sent(span())
    assert collector.resources[0]["service.name"] == "consents-eu"
    assert collector.resources[0]["deployment.environment"] == "test"


async def test_proxies_and_other_endpoints_of_the_environment_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    assert len((await sent(span())).spans) == 1


# ---------------------------------------------------------------------------------------------- how much is kept


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
async def test_about_so_many_traces_are_kept_whatever_their_ids_are_made_of(ratio: float) -> None:
    ids = SystemIds()
    digests = [int(hashlib.sha256(str(n).encode()).hexdigest()[:32], 16) for n in range(2000)]
    questions = [uuid.UUID(ids.random()).int for _ in range(2000)]
    entries = [uuid.UUID(SystemIds().ordered()).int for _ in range(2000)]
    async with sending("http://127.0.0.1:9", ratio) as spans:
        for traces in (digests, questions, entries):
            kept = sum(spans.keeps(one) for one in traces)
            assert abs(kept / len(traces) - ratio) < 0.06


async def test_a_trace_that_is_not_kept_is_not_sent() -> None:
    low, high = Place(1 << 100 | 1, 1), Place(1 << 100 | (1 << 56) - 1, 1)
    collector = await sent(span(place=low), span(place=high), ratio=0.5)
    assert [taken.trace_id for taken in collector.spans] == [f"{low.trace_id:032x}"]


# ---------------------------------------------------------------------------------------------- nobody waits


async def test_a_collector_that_never_answers_costs_the_oldest_spans_and_no_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with a_collector(status=None) as collector:
        spans = OtlpSpans(collector.url, sample_ratio=1.0, version="1")
        spans.take(span())
        await collector.until(lambda: bool(collector.bodies))
        began = time.monotonic()
        for n in range(MOST_QUEUED + 1000):
            spans.take(span(place=Place(PLACE.trace_id, n + 1)))
        each = (time.monotonic() - began) / (MOST_QUEUED + 1000)
        assert each < 0.005
        queue = spans._provider._active_span_processor._span_processors[0]._batch_processor._queue
        assert len(queue) <= MOST_QUEUED
        began = time.monotonic()
        await asyncio.to_thread(spans.close, 0.3)
        assert time.monotonic() - began < 3
        assert "The last spans were not taken by the collector in time, and are lost" in caplog.text
        collector.status = 400
        collector.released.set()
        await collector.until(lambda: "closing traces" not in {thread.name for thread in threading.enumerate()})


async def test_what_a_collector_does_not_take_is_said_once_and_that_it_works_again_too(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "_SEND_AFTER_MILLISECONDS", 20)
    caplog.set_level(logging.INFO, "tracker")
    async with a_collector(status=400) as collector, sending(collector.url) as spans:
        for n in range(3):
            spans.take(span())
            await collector.until(lambda n=n: len(collector.bodies) > n)  # type: ignore[misc]
        collector.status = 200
        spans.take(span())
        await collector.until(lambda: bool(collector.spans))
        await collector.until(lambda: "takes spans again" in caplog.text)
        spans.take(span())
        await collector.until(lambda: len(collector.spans) > 1)
    assert caplog.text.count("does not take spans") == 1
    assert caplog.text.count("takes spans again") == 1
    assert [one.name for one in caplog.records if not one.name.startswith("tracker")] == []


async def test_a_collector_that_is_not_there_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async with sending("http://127.0.0.1:9") as spans:
        spans.take(span())
    assert caplog.text.count("does not take spans") == 1


async def test_threads_do_not_mix_their_places_up() -> None:
    def tell(n: int) -> None:
        for m in range(100):
            spans.take(span(place=Place(n, n << 20 | m + 1), facts={"n": n}))

    interval = sys.getswitchinterval()
    async with a_collector() as collector:
        async with sending(collector.url) as spans:
            sys.setswitchinterval(1e-6)  # else each would be done before the next begins
            try:
                await asyncio.gather(*(asyncio.to_thread(tell, n) for n in range(1, 9)))
            finally:
                sys.setswitchinterval(interval)
        assert len(collector.spans) == 800
    assert all(int(one.trace_id, 16) == one.facts["n"] == int(one.span_id, 16) >> 20 for one in collector.spans)
