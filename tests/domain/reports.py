"""Reports for the judge's tests: valid by default, so that a test says only what matters to it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from tracker.domain.consent import Channel, Status
from tracker.domain.report import Report

START: Final = datetime(2026, 3, 2, 6, tzinfo=UTC)
E: Final = START + timedelta(days=90)
"""When the consents of these tests end by themselves, unless they say otherwise."""
SETTLED: Final = 301
"""More than the settling time, in seconds."""

_DIGESTS: Final = count(1)


def at(seconds: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=seconds)


@dataclass
class Ear:
    """Hears reports in the order in which they are recorded, and counts our questions. Times are seconds from the start.

    Attributes:
        expiry: The expiry that each report states, unless it says otherwise.
        asks: How often we have asked.
    """

    expiry: datetime | None = E
    asks: int = 0

    def event(
        self,
        status: Status,
        since: float,
        *,
        received: float | None = None,
        recorded: float | None = None,
        channel: Channel = Channel.WEBHOOK,
        revoked_by: str | None = None,
        raw_status: str | None = None,
    ) -> Report:
        """Something that came without our asking; at once, unless said otherwise."""
        received_at = at(since if received is None else received)
        return Report(
            digest=f"{next(_DIGESTS):064x}",
            channel=channel,
            status=status,
            status_date_time=at(since),
            received_at=received_at,
            recorded_at=received_at if recorded is None else at(recorded),
            asks=self.asks,
            expiration_date_time=self.expiry,
            revoked_by=revoked_by,
            raw_status=raw_status,
        )

    def ask(self) -> int:
        """Ask a question; its answer comes later."""
        self.asks += 1
        return self.asks

    def answer(
        self, status: Status, since: float, *, asked: float, question: int | None = None, revoked_by: str | None = None
    ) -> Report:
        """The answer, 0.2 s later, to a question that was asked just now unless it is named."""
        ask = self.ask() if question is None else question
        return Report(
            digest=f"{next(_DIGESTS):064x}",
            channel=Channel.POLL,
            status=status,
            status_date_time=at(since),
            received_at=at(asked + 0.2),
            recorded_at=at(asked + 0.2),
            asks=self.asks,
            asked_at=at(asked),
            ask=ask,
            expiration_date_time=self.expiry,
            revoked_by=revoked_by,
        )
