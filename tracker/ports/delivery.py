"""What leaves the house."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tracker.domain.answer import shown
from tracker.domain.subscription import Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of one attempt to tell a subscriber.

    Attributes:
        status: The HTTP status, or what a message broker's refusal is in those words; None if there was no answer, or a
            broker took it.
        retry_after_seconds: How long the endpoint asked us to wait.
        error: What went wrong, for people; None when it was taken.
        answer: How the answer's body begins, as it came: the endpoint's words, for operators and not for logs.
        delivered: Whether it was taken.
    """

    status: int | None
    retry_after_seconds: float | None = None
    error: str | None = None
    answer: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def delivered(self) -> bool:
        """Whether the subscriber took it."""
        return self.error is None

    @property
    def shown_answer(self) -> str | None:
        """How the answer begins, as text that may be shown."""
        return shown(self.answer)


class Sender(Protocol):
    """Posting notifications."""

    async def send(
        self, subscription: Subscription, entry_id: str, body: bytes, at: datetime, *, traceparent: str | None = None
    ) -> Delivery:
        """Sign and post one body; a failure is an answer, never an exception. Redirects are not followed.

        Args:
            subscription: To whom.
            entry_id: What it tells of.
            body: What is posted.
            at: Now.
            traceparent: Our place in a trace, for the subscriber to go on from.
        """
