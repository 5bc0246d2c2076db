"""Reports: what is claimed about a consent, by whom, and when we heard it."""

from dataclasses import dataclass
from datetime import datetime

from tracker.domain.consent import Channel, Status

Claim = tuple[Status, datetime]
"""A status and the holder's time for it."""


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class Report:
    """One claim that a consent has a status. All times are aware; ours are UTC.

    Attributes:
        digest: What makes a repeat a repeat: hex SHA-256 of its meaning; every poll has a fresh one.
        channel: How it reached us.
        status: The canonical status; `UNKNOWN` when the profile does not have the holder's word.
        status_date_time: Since when, by the holder's clock.
        received_at: When we had the whole of it.
        recorded_at: When it was judged.
        asks: How often we had asked the holder about this consent when this was recorded; a poll's own question counts.
        asked_at: Polls: when the question was asked.
        ask: Polls: which question this answers (1, 2, …).
        expiration_date_time: When the consent ends by itself, if the holder said so.
        revoked_by: Who revoked, in the holder's words.
        raw_status: The holder's own word, where it is not the canonical one.
    """

    digest: str
    channel: Channel
    status: Status
    status_date_time: datetime
    received_at: datetime
    recorded_at: datetime
    asks: int
    asked_at: datetime | None = None
    ask: int | None = None
    expiration_date_time: datetime | None = None
    revoked_by: str | None = None
    raw_status: str | None = None

    @property
    def claim(self) -> Claim:
        """What is claimed."""
        return self.status, self.status_date_time

    @property
    def is_poll(self) -> bool:
        """Whether the holder said it because we asked."""
        return self.channel is Channel.POLL

    def was_asked_after(self, other: "Report") -> bool:
        """Whether this answers a question that was asked when the other report was recorded already."""
        return self.ask is not None and self.ask > other.asks
