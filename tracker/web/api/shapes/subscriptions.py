"""Subscriptions over the wire."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from tracker.domain.consent import Status
from tracker.domain.subscription import EntryFilter, Subscription, SubscriptionState
from tracker.journal.entry import Entry
from tracker.ports import Undelivered
from tracker.usecases.ping import Pong
from tracker.usecases.subscribe import LONGEST_DESCRIPTION, MOST_PATTERNS, TYPE_PATTERN, SubscriptionChanges
from tracker.web.api.shapes.fields import In, Name, Out, TimeOut, clean
from tracker.web.api.shapes.sending import SendingIn, SendingOut, sending_facts

_Several = Field(max_length=MOST_PATTERNS, strict=False)


class FilterIn(In):
    """What of the journal is wanted; an empty list lets everything pass."""

    provider: Annotated[tuple[Name, ...], _Several] = ()
    kind: Annotated[tuple[Name, ...], _Several] = ()
    to: Annotated[tuple[Annotated[Status, Field(strict=False)], ...], _Several] = Field(
        (), description="Only entries that move to one of these; those that move to nothing never pass."
    )

    def only(self, types: tuple[str, ...] = ()) -> EntryFilter:
        """The filter, with types."""
        return EntryFilter(
            types=types,
            provider=frozenset(self.provider),
            kind=frozenset(self.kind),
            to=frozenset(status.value for status in self.to),
        )


TypePattern = Annotated[str, StringConstraints(pattern=rf"^{TYPE_PATTERN}$")]


_Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
_Types = Annotated[tuple[TypePattern, ...], Field(min_length=1, max_length=MOST_PATTERNS, strict=False)]
_Description = Annotated[str, StringConstraints(max_length=LONGEST_DESCRIPTION), BeforeValidator(clean)]


class SubscriptionIn(SendingIn):
    """Somebody who must be told."""

    url: _Url = Field(description="Where notifications are posted.")
    types: _Types = Field(("*",), description="Exact types, `prefix.*` or `*`.")
    filter: FilterIn = FilterIn()
    description: _Description = Field("", description="For people.")
    include_private: bool = Field(
        default=False, description="Send personal values along; needs the scope `audit` as well."
    )
    from_sequence: Annotated[int, Field(ge=1, lt=2**63)] | None = Field(
        default=None, description="Begin with this entry; without it, with the next one that comes."
    )
    order: Literal["consent"] = Field("consent", description="What keeps its order: the entries of each consent.")


class SubscriptionChangesIn(SendingIn):
    """What is to be other than it is; what is left out stays."""

    # What stands for one that was left out fits no schema, and is not looked at.
    url: _Url = Field(
        default_factory=str,
        description="Where notifications are posted; another one begins with a clean slate, also if it was disabled.",
    )
    types: _Types = Field(default_factory=tuple, description="Exact types, `prefix.*` or `*`; all of them.")
    filter: FilterIn = Field(FilterIn(), description="The whole of it.")
    description: _Description = Field("", description="For people.")
    include_private: bool = Field(
        default=False, description="Send personal values along; needs the scope `audit` as well."
    )

    def changes(self) -> SubscriptionChanges:
        """What was sent."""
        sent = self.model_fields_set
        return SubscriptionChanges(
            url=self.url if "url" in sent else None,
            types=self.types if "types" in sent else None,
            only=self.filter.only() if "filter" in sent else None,
            description=self.description if "description" in sent else None,
            include_private=self.include_private if "include_private" in sent else None,
            sending=self.sending_changes(),
        )


class RotationIn(In):
    """How a secret is to be replaced."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = Field(
        86_400, description="So long the one before signs beside it; at most 30 days."
    )


class FilterOut(Out):
    """What of the journal is wanted."""

    provider: tuple[str, ...]
    kind: tuple[str, ...]
    to: tuple[str, ...]


class SubscriptionOut(SendingOut):
    """A subscription and where it stands."""

    id: str
    url: str
    types: tuple[str, ...]
    filter: FilterOut
    description: str
    include_private: bool
    order: Literal["consent"] = "consent"
    state: SubscriptionState = Field(
        description="`pending`: its URL is not proved; `failing`: tried from time to time; `disabled`: given up."
    )
    cursor: int = Field(description="Everything up to this sequence is settled.")
    failing_since: TimeOut | None
    next_attempt_at: TimeOut | None
    last_delivered_at: TimeOut | None
    last_error: str | None
    paused_at: TimeOut | None = Field(description="Since when nothing is sent because somebody wants it so.")
    created_at: TimeOut
    version: int = Field(description="Rises when it is changed; also the `ETag`.")

    @classmethod
    def of(cls, subscription: Subscription) -> "SubscriptionOut":
        """Show one."""
        return cls(**_facts(subscription))


class NewSubscriptionOut(SubscriptionOut):
    """A subscription with a secret that was just made."""

    secret: str = Field(description="For Standard Webhooks signatures. Shown this once.")

    @classmethod
    def made(cls, subscription: Subscription) -> "NewSubscriptionOut":
        """Show one with its secret."""
        return cls(**_facts(subscription), secret=subscription.secret)


class PongOut(Out):
    """What came of a ping."""

    id: str = Field(description="What it was sent under: `webhook-id`.")
    delivered: bool
    status: int | None = Field(description="What the endpoint answered; null: nothing.")
    error: str | None
    seconds: float = Field(description="How long that took.")

    @classmethod
    def of(cls, pong: Pong) -> "PongOut":
        """Show it."""
        delivery = pong.delivery
        return cls(
            id=pong.id,
            delivered=delivery.delivered,
            status=delivery.status,
            error=delivery.error,
            seconds=round(pong.seconds, 3),
        )


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
    shaped = {"types", "filter", "order", *SendingOut.model_fields}
    heard = subscription.entry_filter
    return {name: getattr(subscription, name) for name in SubscriptionOut.model_fields if name not in shaped} | {
        "types": heard.types,
        "last_error": subscription.trouble,
        **sending_facts(subscription.sending),
        "filter": FilterOut(
            provider=tuple(sorted(heard.provider)), kind=tuple(sorted(heard.kind)), to=tuple(sorted(heard.to))
        ),
    }
