"""Where it is told how long each stage took, for whoever follows one event or one question through the service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span stands.

    Attributes:
        trace_id: 128 bits, not 0: all that came of one event or one question.
        span_id: 64 bits, not 0: one stage of it.
    """

    trace_id: int
    span_id: int

    def traceparent(self, *, is_kept: bool) -> str:
        """Name it to another service. Spec: W3C Trace Context §3.2, version 00.

        Args:
            is_kept: Whether the trace's spans are kept.
        """
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{is_kept:02x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One stage that is over.

    Attributes:
        name: What was done; one of few.
        place: Where it stands.
        parent: The span that it was done for, of the same trace; None for the first.
        began_at: When it began.
        seconds: How long it took.
        kind: Whether it answered a request, made one, or neither.
        facts: What is known of it: ids that we gave, and words that come from our code or from the configuration. Never a
            token, and nothing that a holder or a caller wrote.
        has_failed: Whether it did not do what it was for.
        link: The `traceparent` of who sent the request, as it came.
    """

    name: str
    place: Place
    parent: Place | None
    began_at: datetime
    seconds: float
    kind: Literal["server", "internal", "client"] = "internal"
    facts: Mapping[str, str | int] = field(default_factory=dict)
    has_failed: bool = False
    link: str | None = None


class Spans(Protocol):
    """Following. Callable from any thread; never waits, and nothing is ever decided by what was told."""

    def keeps(self, trace_id: int) -> bool:
        """Whether the spans of a trace are kept; the answer for one trace never changes."""

    def take(self, span: Span) -> None:
        """Keep a span, if its trace is kept."""
