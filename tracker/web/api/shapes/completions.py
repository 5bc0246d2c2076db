"""What subscribers must do, and what they report of it, over the wire."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from tracker.domain.completion import (
    LONGEST_WITHIN,
    MOST_WORK,
    SHORTEST_WITHIN,
    WORK_PATTERN,
    CompletionTerms,
    Work,
    WorkStatus,
)
from tracker.domain.consent import Status
from tracker.usecases.complete import CompletionReport
from tracker.usecases.subscribe import MOST_PATTERNS, TYPE_PATTERN
from tracker.web.api.shapes.fields import In, Out, PageQuery, TimeIn, TimeOut, clean

COMPLETION: Final = (
    "What must be reported as done, of which of the entries that are heard, and within which time; null: nothing."
)
_Word = Annotated[str, StringConstraints(pattern=rf"^{WORK_PATTERN}$")]
_Type = Annotated[str, StringConstraints(pattern=rf"^{TYPE_PATTERN}$")]
_Within = Annotated[int, Field(ge=int(SHORTEST_WITHIN.total_seconds()), le=int(LONGEST_WITHIN.total_seconds()))]


_RUNS_WHERE_SHOWN = ("javascript:", "vbscript:", "data:", "blob:")


def _leads_somewhere(url: str) -> str:
    if url.startswith(_RUNS_WHERE_SHOWN):  # in a page that makes a link of it
        raise ValueError("should lead to a proof, not be a page or a program itself")
    return url


class CompletionTermsIn(In):
    """What a subscriber must report as done."""

    types: tuple[_Type, ...] = Field(
        ("consent.status_changed",),
        min_length=1,
        max_length=MOST_PATTERNS,
        strict=False,
        description="Of entries of these types: exact, `prefix.*` or `*`. Those of subscriptions ask for nothing.",
    )
    to: tuple[Annotated[Status, Field(strict=False)], ...] = Field(
        (), max_length=MOST_PATTERNS, strict=False, description="Only of entries that move to one of these."
    )
    work: tuple[_Word, ...] = Field(
        min_length=1,
        max_length=MOST_WORK,
        strict=False,
        json_schema_extra={"uniqueItems": True},
        description="What is to be done, in words of yours, such as `data_access_stopped` and `data_deleted`.",
    )
    within_seconds: _Within = Field(description="Within so long after the entry was recorded.")

    @model_validator(mode="after")
    def _each_once(self) -> "CompletionTermsIn":
        if len(set(self.work)) < len(self.work):
            raise ValueError("work names something twice")
        return self

    def terms(self) -> CompletionTerms:
        """The same for the domain."""
        return CompletionTerms(
            types=self.types,
            to=frozenset(status.value for status in self.to),
            work=self.work,
            within=timedelta(seconds=self.within_seconds),
        )


class CompletionTermsOut(Out):
    """What a subscriber must report as done."""

    types: tuple[str, ...]
    to: tuple[str, ...]
    work: tuple[str, ...]
    within_seconds: int

    @classmethod
    def of(cls, terms: CompletionTerms) -> "CompletionTermsOut":
        """Show them."""
        within = round(terms.within.total_seconds())
        return cls(types=terms.types, to=tuple(sorted(terms.to)), work=terms.work, within_seconds=within)


class CompletionReportIn(In):
    """What a subscriber has done."""

    entry_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        None, description="The entry that asked for it; or its `sequence`."
    )
    sequence: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")] | None = Field(
        None, description="The same, where `entry_id` is not given."
    )
    work: _Word = Field(description="What was done.")
    evidence_url: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z][a-z0-9+.-]{0,31}:[!-~]{1,2000}$"),
        BeforeValidator(clean),
        AfterValidator(_leads_somewhere),
    ] = Field(description="Where the proof is. It is kept and shown, and never followed.")
    done_at: TimeIn = Field(description="When it was done, by your clock; not ahead of ours.")

    @model_validator(mode="after")
    def _one_of_two(self) -> "CompletionReportIn":
        if (self.entry_id is None) == (self.sequence is None):
            raise ValueError("entry_id goes with no sequence, and one of them is needed")
        return self

    def report(self) -> CompletionReport:
        """The same for the use case."""
        return CompletionReport(
            entry_id=self.entry_id,
            sequence=None if self.sequence is None else min(int(self.sequence), 2**63 - 1),
            work=self.work,
            evidence_url=self.evidence_url,
            done_at=self.done_at,
        )


class CompletionsQuery(PageQuery):
    """A page of what a subscriber must do."""

    status: WorkStatus | None = Field(None, description="Only what stands so.")


class CompletionOut(Out):
    """A piece of work that an entry asks a subscriber for."""

    sequence: str = Field(description="Which entry; 20 digits.")
    entry_id: str
    tracking_id: str
    work: str
    status: WorkStatus = Field(
        description="`due`: there is time left; `overdue`: there is none; `done`: it was reported."
    )
    due_at: TimeOut
    overdue_told_at: TimeOut | None = Field(description="When `subscription.completion_overdue` was told.")
    evidence_url: str | None
    done_at: TimeOut | None = Field(description="When it was done, as reported.")
    reported_at: TimeOut | None

    @classmethod
    def of(cls, work: Work, now: datetime) -> "CompletionOut":
        """Show it."""
        same = {name: getattr(work, name) for name in cls.model_fields if name not in {"sequence", "status"}}
        return cls(sequence=f"{work.sequence:020}", status=work.status(now), **same)


class CompletionsOut(Out):
    """A page of what a subscriber must do."""

    items: tuple[CompletionOut, ...]
    next_cursor: str | None
