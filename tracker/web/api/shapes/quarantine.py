"""Events that were put aside, over the wire."""

from pydantic import Field

from tracker.ports import Quarantined
from tracker.web.api.shapes.fields import Out, TimeOut


class QuarantinedOut(Out):
    """An event that was put aside."""

    id: str
    profile: str
    step: str = Field(description="Which step of opening it refused it.")
    reason: str
    verified: bool = Field(description="Whether the holder's signature held.")
    received_at: TimeOut
    quarantined_at: TimeOut
    interaction_id: str
    provider: str | None
    kid: str | None
    size_bytes: int

    @classmethod
    def of(cls, event: Quarantined) -> "QuarantinedOut":
        """Show it, but for its body."""
        facts = {name: getattr(event, name) for name in cls.model_fields if name != "size_bytes"}
        return cls(**facts, size_bytes=len(event.body))


class QuarantineOut(Out):
    """A page of the quarantine, the newest first."""

    items: tuple[QuarantinedOut, ...]
    next_cursor: str | None
