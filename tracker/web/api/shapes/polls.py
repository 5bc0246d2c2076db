"""Polling over the wire, with the words of RFC 8936."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from tracker.domain.pull import LONGEST_VISIBILITY, SHORTEST_VISIBILITY, PollFormat, PollTerms
from tracker.usecases.poll import MOST_AT_ONCE
from tracker.usecases.security_event import EVENT_URN
from tracker.web.api.shapes.fields import In, Out, clean
from tracker.web.api.shapes.journal import EntryJson

MOST_ANSWERS = 1000

KEY_ID = (
    "The id of the API key that acts for the subscriber: with the scope `read` alone it may poll this subscription. Without it "
    "that takes `write` too."
)
KeyId = Annotated[str, StringConstraints(pattern=r"^[a-z2-7]{16}$")]
_EntryId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Visibility = Annotated[
    int, Field(ge=int(SHORTEST_VISIBILITY.total_seconds()), le=int(LONGEST_VISIBILITY.total_seconds()))
]


class PollTermsIn(In):
    """How a subscription is to be polled."""

    format: Annotated[PollFormat, Field(strict=False)] = Field(
        PollFormat.ENTRY,
        description="`entry`: the CloudEvent that a webhook would carry. `set`: a signed Security Event Token.",
    )
    visibility_seconds: _Visibility = Field(
        60,
        description=(
            "What was handed out and not answered for is handed out again after this time. Longer than your work takes."
        ),
    )

    def terms(self) -> PollTerms:
        """The same for the domain."""
        return PollTerms(format=self.format, visibility=timedelta(seconds=self.visibility_seconds))


class PollTermsOut(Out):
    """How a subscription is polled."""

    format: PollFormat
    visibility_seconds: int

    @classmethod
    def of(cls, terms: PollTerms) -> "PollTermsOut":
        """Show them."""
        return cls(format=terms.format, visibility_seconds=round(terms.visibility.total_seconds()))


class SetErrorIn(In):
    """Why an entry is refused."""

    err: Annotated[str, StringConstraints(min_length=1, max_length=64), BeforeValidator(clean)] = Field(
        description="A code, such as `invalid_request`."
    )
    description: Annotated[str, StringConstraints(max_length=500), BeforeValidator(clean)] = Field(
        "", description="For people."
    )


class PollIn(In):
    """What a subscriber asks for, and what it answers. Spec: RFC 8936 §2.4."""

    max_events: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        MOST_AT_ONCE,
        alias="maxEvents",
        description=f"At most so many entries, and never more than {MOST_AT_ONCE}. 0: only answer.",
    )
    return_immediately: bool = Field(
        default=False, alias="returnImmediately", description="Do not wait where there is nothing to hand out."
    )
    ack: tuple[_EntryId, ...] = Field(
        (), max_length=MOST_ANSWERS, strict=False, description="Ids of entries that you have taken, in any order."
    )
    set_errs: dict[_EntryId, SetErrorIn] = Field(
        default_factory=dict,
        max_length=MOST_ANSWERS,
        alias="setErrs",
        description="Ids of entries that you will not take, and why: they are not handed out again.",
    )

    def refused(self) -> dict[str, str]:
        """Why, for people."""
        return {
            entry_id: error.err + (f": {error.description}" if error.description else "")
            for entry_id, error in self.set_errs.items()
        }


class PollOut(Out):
    """What is handed out. Spec: RFC 8936 §2.3."""

    sets: dict[str, EntryJson | str] = Field(
        description=(
            "By their ids, in sequence: entries, or Security Event Tokens (RFC 8417, `secevent+jwt`, EdDSA). A token's `iss` is "
            "the journal, its `aud` the subscription as `urn:uuid:…`, its `jti` the entry's id, and `events` has the entry "
            f"under `{EVENT_URN}` and its type."
        )
    )
    more_available: bool = Field(
        serialization_alias="moreAvailable", description="Whether another poll would have more at once."
    )
