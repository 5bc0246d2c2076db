"""Subscriptions over the wire."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from tracker.domain.consent import Status
from tracker.domain.subscription import Subscription, SubscriptionState
from tracker.journal.entry import Entry
from tracker.ports import Undelivered
from tracker.usecases.subscribe import LONGEST_DESCRIPTION, MOST_PATTERNS, TYPE_PATTERN
from tracker.web.api.shapes.fields import In, Name, Out, TimeOut, clean

_Several = Field(max_length=MOST_PATTERNS, strict=False)


class FilterIn(In):
    """What of the journal is wanted; an empty list lets everything pass."""

    provider: Annotated[tuple[Name, ...], _Several] = ()
    kind: Annotated[tuple[Name, ...], _Several] = ()
    to: Annotated[tuple[Annotated[Status, Field(strict=False)], ...], _Several] = Field(
        (), description="Only entries that move to one of these; those that move to nothing never pass."
    )


TypePattern = Annotated[str, StringConstraints(pattern=rf"^{TYPE_PATTERN}$")]


class SubscriptionIn(In):
    """Somebody who must be told."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] = Field(
        description="Where notifications are posted."
    )
    types: Annotated[tuple[TypePattern, ...], Field(min_length=1, max_length=MOST_PATTERNS, strict=False)] = Field(
        ("*",), description="Exact types, `prefix.*` or `*`."
    )
    filter: FilterIn = FilterIn()
    description: Annotated[str, StringConstraints(max_length=LONGEST_DESCRIPTION), BeforeValidator(clean)] = Field(
        "", description="For people."
    )
    include_private: bool = Field(
        default=False, description="Send personal values along; needs the scope `audit` as well."
    )
    from_sequence: Annotated[int, Field(ge=1, lt=2**63)] | None = Field(
        default=None, description="Begin with this entry; without it, with the next one that comes."
    )
    order: Literal["consent"] = Field("consent", description="What keeps its order: the entries of each consent.")


class FilterOut(Out):
    """What of the journal is wanted."""

    provider: tuple[str, ...]
    kind: tuple[str, ...]
    to: tuple[str, ...]


class SubscriptionOut(Out):
    """A subscription and where it stands."""

    id: str
    url: str
    types: tuple[str, ...]
    filter: FilterOut
    description: str
    include_private: bool
    order: Literal["consent"] = "consent"
    state: SubscriptionState = Field(description="`failing`: tried from time to time; `disabled`: given up.")
    cursor: int = Field(description="Everything up to this sequence is settled.")
    failing_since: TimeOut | None
    next_attempt_at: TimeOut | None
    last_delivered_at: TimeOut | None
    last_error: str | None
    created_at: TimeOut

    @classmethod
    def of(cls, subscription: Subscription) -> "SubscriptionOut":
        """Show one."""
        return cls(**_facts(subscription))


class NewSubscriptionOut(SubscriptionOut):
    """A subscription just made, with its secret."""

    secret: str = Field(description="For Standard Webhooks signatures. Shown this once.")

    @classmethod
    def made(cls, subscription: Subscription) -> "NewSubscriptionOut":
        """Show one with its secret."""
        return cls(**_facts(subscription), secret=subscription.secret)


class SubscriptionsOut(Out):
    """A page of subscriptions."""

    items: tuple[SubscriptionOut, ...]
    next_cursor: str | None


class FailureOut(Out):
    """An entry that a subscriber was not told."""

    sequence: str = Field(description="Which entry; 20 digits.")
    entry_id: str | None = Field(description="Its id; null when the journal no longer has it.")
    type: str | None
    tracking_id: str
    state: Literal["waiting", "refused", "given_up"] = Field(
        description="`waiting` behind an earlier entry of its consent, `refused` and tried again, `given_up`: told no more."
    )
    attempts: int = Field(description="How often it was refused.")
    last_error: str | None
    next_attempt_at: TimeOut | None = Field(description="When it is tried again at the earliest.")
    given_up_at: TimeOut | None

    @classmethod
    def of(cls, undelivered: Undelivered, entry: Entry | None) -> "FailureOut":
        """Show one."""
        refused: Literal["waiting", "refused"] = "refused" if undelivered.attempts else "waiting"
        return cls(
            sequence=f"{undelivered.sequence:020}",
            entry_id=None if entry is None else entry.id,
            type=None if entry is None else entry.type,
            tracking_id=undelivered.tracking_id,
            state=refused if undelivered.given_up_at is None else "given_up",
            attempts=undelivered.attempts,
            last_error=undelivered.last_error,
            next_attempt_at=undelivered.next_attempt_at,
            given_up_at=undelivered.given_up_at,
        )


class FailuresOut(Out):
    """A page of what a subscriber was not told."""

    items: tuple[FailureOut, ...]
    next_cursor: str | None


def _facts(subscription: Subscription) -> dict[str, Any]:
    shaped = {"types", "filter", "order"}
    heard = subscription.entry_filter
    return {name: getattr(subscription, name) for name in SubscriptionOut.model_fields if name not in shaped} | {
        "types": heard.types,
        "filter": FilterOut(
            provider=tuple(sorted(heard.provider)), kind=tuple(sorted(heard.kind)), to=tuple(sorted(heard.to))
        ),
    }
