"""Spans for OpenTelemetry: kept in a bounded queue, sent by a thread of their own as OTLP over HTTP.

This is the only module that imports OpenTelemetry, and only the service imports it, if it is configured. Nothing waits for a
collector: when it is slow the queue fills, and the oldest spans in it are dropped; what it does not take is dropped too.

Variables `OTEL_…` that say how to send (`OTEL_EXPORTER_OTLP_HEADERS`, `…_CERTIFICATE`, `…_COMPRESSION`) and what the service is
called (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`) are followed by the library.

Spec: OpenTelemetry 1.x, trace SDK; OTLP 1.x, "OTLP/HTTP"; W3C Trace Context.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Final

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace import get_current_span as span_of
from opentelemetry.trace import set_span_in_context as context_of
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracker.ports import Place, Span

_log = logging.getLogger(__name__)

MOST_QUEUED: Final = 4096
_BATCH: Final = 512
_SEND_AFTER_MILLISECONDS: Final = 1000
_SEND_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 3.0
_RANDOM_BITS: Final = 56  # the part of a trace id that others too take for random: Trace Context level 2, §3.2.2.3
_LONGEST_TRACEPARENT: Final = 55
_NANOSECONDS: Final = 1_000_000_000
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_KINDS: Final = {"server": SpanKind.SERVER, "internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}


class OtlpSpans:
    """Implements `ports.Spans`."""

    def __init__(self, endpoint: str, *, sample_ratio: float, version: str) -> None:
        """Begin to send; nobody need be there yet.

        Args:
            endpoint: The collector's URL, without the path of the signal.
            sample_ratio: Which part of all traces is kept, over 0 to 1.
            version: Ours.
        """
        self._bound = round(sample_ratio * (1 << _RANDOM_BITS))
        ours = Resource({SERVICE_NAME: "consent-tracker", SERVICE_VERSION: version})
        self._places = _Places()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=ours.merge(OTELResourceDetector().detect()),
            shutdown_on_exit=False,
            id_generator=self._places,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _Telling(endpoint),
                max_queue_size=MOST_QUEUED,
                schedule_delay_millis=_SEND_AFTER_MILLISECONDS,
                max_export_batch_size=_BATCH,
            )
        )
        self._tracer = self._provider.get_tracer("tracker", version)

    def keeps(self, trace_id: int) -> bool:
        """Whether the spans of a trace are kept; the answer for one trace never changes."""
        return trace_id & ((1 << _RANDOM_BITS) - 1) < self._bound

    def take(self, span: Span) -> None:
        """Queue a span, if its trace is kept."""
        if not self.keeps(span.place.trace_id):
            return
        began = round(span.began_at.timestamp() * _NANOSECONDS)
        parent = context_of(NonRecordingSpan(_context(span.parent)))
        self._places.next = span.place
        made = self._tracer.start_span(
            span.name,
            parent,
            _KINDS[span.kind],
            dict(span.facts),
            links_to(span.link),
            began,
        )
        if span.has_failed:
            made.set_status(Status(StatusCode.ERROR))
        made.end(began + round(span.seconds * _NANOSECONDS))

    def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """Send what is queued, for so long; then give it up. Blocks.

        The library's own end of it waits for half a minute and for an answer under way, so it is given a thread that
        nobody need wait for.
        """
        closing = threading.Thread(target=self._provider.shutdown, name="closing traces", daemon=True)
        closing.start()
        closing.join(seconds)
        if closing.is_alive():
            _log.warning("The last spans were not taken by the collector in time, and are lost")


def links_to(traceparent: str | None) -> list[Link]:
    """What a sender's header names, if it names anything. A stranger says that, so nothing but a link follows from it."""
    if traceparent is None or len(traceparent) > _LONGEST_TRACEPARENT:
        return []
    theirs = span_of(_PROPAGATOR.extract({"traceparent": traceparent})).get_span_context()
    return [Link(theirs)] if theirs.is_valid else []


def _context(place: Place | None) -> SpanContext:
    if place is None:
        return SpanContext(0, 0, is_remote=False)
    return SpanContext(place.trace_id, place.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class _Places(IdGenerator):
    """Gives the next span of this thread the place that it is to have: the library asks for ids, and takes none."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def _set_next(self, place: Place) -> None:
        self._of_thread.place = place

    next = property(None, _set_next)

    def generate_span_id(self) -> int:
        return int(self._of_thread.place.span_id)

    def generate_trace_id(self) -> int:
        return int(self._of_thread.place.trace_id)


class _Telling(SpanExporter):
    """Sends spans, and says once when that fails and once when it works again."""

    def __init__(self, endpoint: str) -> None:
        session = requests.Session()
        session.trust_env = False  # proxy variables are not followed anywhere here
        self._endpoint = endpoint
        self._exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=_SEND_SECONDS, session=session)
        self._works = True
        # It has a line for every try; ours says all that there is to know.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        works = result is SpanExportResult.SUCCESS
        if works and not self._works:
            _log.info("The collector at %s takes spans again", self._endpoint)
        if not works and self._works:
            _log.warning("The collector at %s does not take spans; they are dropped until it does", self._endpoint)
        self._works = works
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
