"""Whether events are followed, and by what. OpenTelemetry is imported here at the earliest, and only if it is to be used."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from tracker.app.observatory import our_version
from tracker.domain.errors import ConfigurationError
from tracker.ports import Spans
from tracker.settings import Settings
from tracker.settings_sections import TracingSettings

_NEEDED = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


@asynccontextmanager
async def following(settings: Settings) -> AsyncIterator[Spans | None]:
    """Open what takes the spans; at the end what is left is sent, for a few seconds. None: nothing is followed.

    Raises:
        ConfigurationError: What is needed for it is not installed.
    """
    tracing = settings.tracing
    if tracing.endpoint is None:
        yield None
        return
    require_extra(tracing)
    from tracker.adapters.tracing import OtlpSpans  # noqa: PLC0415 - optional, and slow to import

    spans = OtlpSpans(tracing.endpoint, sample_ratio=tracing.sample_ratio, version=our_version())
    try:
        yield spans
    finally:
        await asyncio.get_running_loop().run_in_executor(None, spans.close)


def require_extra(tracing: TracingSettings) -> None:
    """See that what tracing needs is installed, if it is wanted; nothing of it is imported.

    Raises:
        ConfigurationError: It is not.
    """
    if tracing.endpoint is None:
        return
    try:
        missing = any(find_spec(name) is None for name in _NEEDED)
    except ImportError:  # a parent of it is not there
        missing = True
    if missing:
        raise ConfigurationError(
            "[tracing] endpoint needs OpenTelemetry, which is not installed; "
            'install it with `python3 -m pip install ".[otel]"` in the checkout, or take the endpoint out.'
        )
