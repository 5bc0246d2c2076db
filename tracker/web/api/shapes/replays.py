"""Jobs that tell a subscriber again, over the wire."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tracker.domain.replay import FASTEST, MOST_SEQUENCES, USUAL_RATE, NotTaken, Replay, ReplayState, Wanted
from tracker.usecases.replays import ReplayRequest
from tracker.web.api.shapes.fields import In, Out, TimeIn, TimeOut

_Number = Annotated[int, Field(ge=1, lt=2**63)]
_ONE_OF = ("sequence", "sequences", "failed", "missing", "from_sequence", "from_time")


class SpanIn(In):
    """A span of time."""

    since: TimeIn = Field(description="Given up at this time or later.")
    until: TimeIn | None = Field(None, description="Given up before; without it, up to now.")


class ReplayIn(In):
    """What is to be told again: one of the first six members, and how fast."""

    sequence: _Number | None = Field(None, description="One entry.")
    sequences: Annotated[tuple[_Number, ...], Field(min_length=1, max_length=MOST_SEQUENCES, strict=False)] | None = (
        Field(None, description="These entries.")
    )
    failed: SpanIn | None = Field(None, description="Dead letters that were given up in a span of time.")
    missing: Literal[True] | None = Field(None, description="All dead letters.")
    from_sequence: _Number | None = Field(None, description="Everything from this entry on.")
    from_time: TimeIn | None = Field(None, description="Everything that was recorded from here on.")
    to_sequence: _Number | None = Field(
        None, description="Up to this entry; without it, or beyond, up to the `cursor` of now."
    )
    per_second: Annotated[int, Field(ge=1, le=FASTEST)] = Field(
        USUAL_RATE, description="At most so many posts a second."
    )

    @model_validator(mode="after")
    def _is_one(self) -> "ReplayIn":
        chosen = [name for name in _ONE_OF if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise ValueError(f"should have one of {', '.join(_ONE_OF)}")
        if self.to_sequence is not None and not chosen[0].startswith("from_"):
            raise ValueError("to_sequence goes with from_sequence or from_time")
        return self

    def request(self) -> ReplayRequest:
        """What was asked for."""
        return ReplayRequest(
            sequences=self.sequences if self.sequence is None else (self.sequence,),
            since=None if self.failed is None else self.failed.since,
            until=None if self.failed is None else self.failed.until,
            is_missing=self.missing is not None,
            from_sequence=self.from_sequence,
            from_time=self.from_time,
            to_sequence=self.to_sequence,
            per_second=self.per_second,
        )


class JobOut(Out):
    """A job, and how far it has come."""

    id: str
    subscription_id: str
    resends: Wanted
    sequences: tuple[int, ...] = Field(description="Those that were named; empty otherwise.")
    from_sequence: int = Field(description="The first that may be told.")
    to_sequence: int = Field(description="The last that may be told.")
    since: TimeOut | None = Field(description="Dead letters given up from here on.")
    until: TimeOut | None = Field(description="Dead letters given up before.")
    per_second: int
    state: ReplayState = Field(
        description="`waiting`: it has not begun; `stopped`: the endpoint said 410, or took nothing for three days."
    )
    position: int = Field(description="Everything chosen up to this sequence is settled.")
    total: int = Field(description="How many entries were chosen when it was asked for.")
    done: int = Field(description="How many of them the endpoint took.")
    failed: int = Field(description="How many it refused, each a few times.")
    skipped: int = Field(description="How many were not sent: not heard by now, or still told by themselves.")
    created_at: TimeOut
    started_at: TimeOut | None
    finished_at: TimeOut | None
    next_attempt_at: TimeOut | None = Field(description="While its endpoint takes nothing: when it is tried again.")
    last_error: str | None

    @classmethod
    def of(cls, replay: Replay) -> "JobOut":
        """Show one."""
        return cls(**_facts(replay))


class JobFailureOut(Out):
    """An entry that failed in a job."""

    sequence: str = Field(description="Which entry; 20 digits.")
    tracking_id: str
    attempts: int = Field(description="How often it was refused in this job.")
    last_error: str | None
    answer: str | None = Field(
        description="How the endpoint's last answer begins. Null also where personal values are sent along and your key may not "
        "see those."
    )
    failed_at: TimeOut


class FollowedJobOut(JobOut):
    """A job, how far it has come, and what has failed in it."""

    failures: tuple[JobFailureOut, ...] = Field(description="The first 100.")

    @classmethod
    def with_failures(cls, replay: Replay, found: "tuple[NotTaken, ...]") -> "FollowedJobOut":
        """Show one."""
        failures = tuple(
            JobFailureOut(
                sequence=f"{one.sequence:020}",
                tracking_id=one.tracking_id,
                attempts=one.attempts,
                last_error=one.last_error,
                answer=one.answer,
                failed_at=one.failed_at,
            )
            for one in found
        )
        return cls(**_facts(replay), failures=failures)


class JobsOut(Out):
    """A page of the jobs of a subscription, the last asked for first."""

    items: tuple[JobOut, ...]
    next_cursor: str | None


def _facts(replay: Replay) -> dict[str, object]:
    selection = replay.selection
    own = {"resends", "sequences", "from_sequence", "to_sequence", "since", "until"}
    return {name: getattr(replay, name) for name in JobOut.model_fields if name not in own} | {
        "resends": selection.wanted,
        "sequences": selection.sequences,
        "from_sequence": selection.first,
        "to_sequence": selection.last,
        "since": selection.since,
        "until": selection.until,
    }
