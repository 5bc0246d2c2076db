"""Over the wire: was it usable at an instant, and did we have reason to think so?"""

from datetime import datetime

from pydantic import Field

from tracker.domain.consent import Status
from tracker.journal.entry import Entry, parse_rfc3339
from tracker.usecases.consult import UsableReason
from tracker.usecases.was_usable import Hindsight, Standing, WasUsable
from tracker.web.api.shapes.fields import Out, Query, TimeIn, TimeOut


class WasUsableQuery(Query):
    """Of which instant."""

    at: TimeIn = Field(description="When it was used, or was to be used.", examples=["2026-03-02T10:42:00Z"])


class TodayOut(Out):
    """By all that we know today."""

    usable: bool
    reason: UsableReason = Field(description="`ok`, or the first reason that applies, as `/usable` says it.")
    effective_status: Status
    status_date_time: TimeOut | None = Field(description="Since when, by the holder's clock.")

    @classmethod
    def of(cls, standing: Standing, seen_status: Status, since: datetime | None) -> "TodayOut":
        """Show it."""
        return cls(usable=standing.usable, reason=standing.reason, effective_status=seen_status, status_date_time=since)


class WordOut(Out):
    """An entry, as far as it says who told what when."""

    sequence: int = Field(description="The journal's entry.")
    type: str
    from_status: str | None = Field(serialization_alias="from")
    to_status: str | None = Field(serialization_alias="to")
    status_date_time: TimeOut | None = Field(description="The holder's time.")
    recorded_at: TimeOut = Field(description="Ours: when it was written down.")
    channel: str | None
    signed: bool = Field(description="Whether the holder signed what it rests on.")
    late: bool
    corrected: bool

    @classmethod
    def of(cls, entry: Entry) -> "WordOut":
        """Show it."""
        data = entry.data
        since = data["status_date_time"]
        return cls(
            sequence=entry.sequence,
            type=entry.type,
            from_status=data["from"],
            to_status=data["to"],
            status_date_time=None if since is None else parse_rfc3339(since),
            recorded_at=entry.recorded_at,
            channel=data["channel"],
            signed=any(evidence["signed"] for evidence in data["evidence"]),
            late=data["late"],
            corrected=data["corrected"],
        )


class ThenOut(Out):
    """By what we believed at that instant."""

    usable: bool
    reason: UsableReason = Field(description="`ok`, or the first reason; `unknown_consent`: it was not tracked yet.")
    effective_status: Status | None = Field(description="Null if it was not tracked.")
    in_doubt: bool | None
    paused: bool | None
    word: WordOut | None = Field(
        description="The entry that had told the status last; null: the holder had said nothing."
    )
    confirmed_at: TimeOut | None = Field(
        description=(
            "The latest instant for which the holder had vouched, by the confirmation log and the reports on record; null: "
            "none, or none is kept any more."
        )
    )
    age_seconds: float | None = Field(description="How old that was.")


class WasUsableOut(Out):
    """Whether it was usable at an instant, and whether we had reason to think so."""

    at: TimeOut
    tracking_id: str
    hindsight: Hindsight = Field(description="How the two answers go together.")
    today: TodayOut
    then: ThenOut
    learned_since: tuple[WordOut, ...] = Field(
        description="Entries that were recorded after the instant and speak of it, or of the time before it."
    )

    @classmethod
    def of(cls, found: WasUsable) -> "WasUsableOut":
        """Show it."""
        seen, then = found.today.seen or found.consent, found.then.seen
        return cls(
            at=found.at,
            tracking_id=found.consent.consent.tracking_id,
            hindsight=found.hindsight,
            today=TodayOut.of(found.today, seen.effective_status, seen.decision.since),
            then=ThenOut(
                usable=found.then.usable,
                reason=found.then.reason,
                effective_status=None if then is None else then.effective_status,
                in_doubt=None if then is None else then.decision.is_in_doubt,
                paused=None if then is None else then.consent.overlay.paused,
                word=None if found.word is None else WordOut.of(found.word),
                confirmed_at=found.confirmed_at,
                age_seconds=found.age_seconds,
            ),
            learned_since=tuple(WordOut.of(entry) for entry in found.learned_since),
        )
