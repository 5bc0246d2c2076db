"""Subscriptions over the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from tracker.domain.breaker import BreakerState
from tracker.domain.consent import Status
from tracker.domain.manner import Manner, Order
from tracker.domain.subscription import EntryFilter, Subscription, SubscriptionState
from tracker.journal.entry import Entry
from tracker.ports import Undelivered
from tracker.usecases.ping import Pong
from tracker.usecases.subscribe import LONGEST_DESCRIPTION, MOST_PATTERNS, TYPE_PATTERN, SubscriptionChanges
from tracker.web.api.shapes.completions import COMPLETION, CompletionTermsIn, CompletionTermsOut
from tracker.web.api.shapes.fields import In, Name, Out, TimeOut, clean
from tracker.web.api.shapes.manner import AttemptsIn, AttemptsOut, MostInFlight, OrderIn
from tracker.web.api.shapes.polls import KEY_ID, KeyId, PollTermsIn, PollTermsOut
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

    url: _Url | None = Field(
        None, description="Where notifications are posted. Without it nothing is: they are polled."
    )
    types: _Types = Field(("*",), description="Exact types, `prefix.*` or `*`.")
    filter: FilterIn = FilterIn()
    description: _Description = Field("", description="For people.")
    include_private: bool = Field(
        default=False, description="Send personal values along; needs the scope `audit` as well."
    )
    from_sequence: Annotated[int, Field(ge=1, lt=2**63)] | None = Field(
        default=None, description="Begin with this entry; without it, with the next one that comes."
    )
    order: OrderIn = Field(Order.CONSENT, description="What keeps its order: the entries of each `consent`, or `none`.")
    most_in_flight: MostInFlight = Field(
        Manner().most_in_flight,
        description="So many posts may be under way at a time; how many are follows the answers.",
    )
    attempts: AttemptsIn = AttemptsIn()

    def manner(self) -> Manner:
        """In what manner it is to be told."""
        return Manner(order=self.order, most_in_flight=self.most_in_flight, attempts=self.attempts.attempts())

    poll: PollTermsIn | None = Field(default=None, description="How it is polled; goes with no `url`.")
    key_id: KeyId | None = Field(default=None, description=KEY_ID)
    completion: CompletionTermsIn | None = Field(default=None, description=COMPLETION)


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
    order: OrderIn = Field(Order.CONSENT, description="What keeps its order: the entries of each `consent`, or `none`.")
    most_in_flight: MostInFlight = Field(
        Manner().most_in_flight,
        description="So many posts may be under way at a time; how many are follows the answers.",
    )
    attempts: AttemptsIn = Field(AttemptsIn(), description="All of it.")
    poll: PollTermsIn = Field(PollTermsIn(), description="How it is polled; the whole of it.")
    key_id: KeyId | None = Field(default=None, description=KEY_ID)
    completion: CompletionTermsIn | None = Field(
        default=None, description=COMPLETION + " What is due already stays due."
    )

    def changes(self) -> SubscriptionChanges:
        """What was sent."""
        sent = self.model_fields_set
        asked = None if self.completion is None else self.completion.terms()
        others = {"polling": self.poll.terms(), "key_id": self.key_id, "completion": asked}
        return SubscriptionChanges(
            url=self.url if "url" in sent else None,
            types=self.types if "types" in sent else None,
            only=self.filter.only() if "filter" in sent else None,
            description=self.description if "description" in sent else None,
            include_private=self.include_private if "include_private" in sent else None,
            order=self.order if "order" in sent else None,
            most_in_flight=self.most_in_flight if "most_in_flight" in sent else None,
            attempts=self.attempts.attempts() if "attempts" in sent else None,
            others={term: others[term] for name, term in _OTHERS.items() if name in sent},
            sending=self.sending_changes(),
        )


_OTHERS = {"poll": "polling", "key_id": "key_id", "completion": "completion"}


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
    url: str | None = Field(description="Null: nothing is posted, they are polled.")
    types: tuple[str, ...]
    filter: FilterOut
    description: str
    include_private: bool
    order: Order
    most_in_flight: int
    attempts: AttemptsOut
    state: SubscriptionState = Field(description="`failing`: tried from time to time; `disabled`: given up.")
    breaker: BreakerState = Field(
        description="`closed`: sent what there is; `open`: left alone; `half_open`: the next entry shows whether it works again."
    )
    open_until: TimeOut | None = Field(description="Until when it is left alone, while the breaker is open for a time.")
    disables_at: TimeOut | None = Field(
        description="From when on a try that fails disables it, while it is failing; see `attempts`."
    )
    cursor: int = Field(description="Everything up to this sequence is settled.")
    failing_since: TimeOut | None
    next_attempt_at: TimeOut | None
    last_delivered_at: TimeOut | None
    last_error: str | None
    paused_at: TimeOut | None = Field(description="Since when nothing is sent because somebody wants it so.")
    created_at: TimeOut
    poll: PollTermsOut | None = Field(description="How it is polled; null: it has a `url`.")
    key_id: str | None = Field(description="The API key that acts for the subscriber.")
    completion: CompletionTermsOut | None = Field(description="What the subscriber must report as done.")
    version: int = Field(description="Rises when it is changed; also the `ETag`.")

    @classmethod
    def of(cls, subscription: Subscription, now: datetime) -> "SubscriptionOut":
        """Show one as it stands at a time."""
        return cls(**_facts(subscription, now))


class NewSubscriptionOut(SubscriptionOut):
    """A subscription with a secret that was just made."""

    secret: str | None = Field(
        description="For Standard Webhooks signatures. Shown this once. Null: nothing is posted that could be signed."
    )

    @classmethod
    def made(cls, subscription: Subscription, now: datetime) -> "NewSubscriptionOut":
        """Show one with its secret."""
        return cls(**_facts(subscription, now), secret=None if subscription.is_polled else subscription.secret)


class PongOut(Out):
    """What came of a ping."""

    id: str = Field(description="What it was sent under: `webhook-id`.")
    delivered: bool
    status: int | None = Field(description="What the endpoint answered; null: nothing.")
    error: str | None
    answer: str | None = Field(description="How a refusal begins; control characters are written out.")
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
            answer=delivery.shown_answer,
            seconds=round(pong.seconds, 3),
        )


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
    answer: str | None = Field(
        description="How the endpoint's last answer begins; control characters are written out. Null also where personal values "
        "are sent along and your key may not see those."
    )
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
            answer=undelivered.answer,
            next_attempt_at=undelivered.next_attempt_at,
            given_up_at=undelivered.given_up_at,
        )


class FailuresOut(Out):
    """A page of what a subscriber was not told."""

    items: tuple[FailureOut, ...]
    next_cursor: str | None


def _facts(subscription: Subscription, now: datetime) -> dict[str, Any]:
    heard, manner, breaker = subscription.entry_filter, subscription.manner, subscription.breaker(now)
    shaped = {"types", "filter", "order", "most_in_flight", "attempts", "breaker", "open_until"}
    shaped |= {"url", "poll", "completion", *SendingOut.model_fields}
    return {name: getattr(subscription, name) for name in SubscriptionOut.model_fields if name not in shaped} | {
        "url": subscription.url or None,
        "completion": None if subscription.completion is None else CompletionTermsOut.of(subscription.completion),
        "poll": PollTermsOut.of(subscription.polling) if subscription.is_polled else None,
        "types": heard.types,
        "last_error": subscription.trouble,
        **sending_facts(subscription.sending),
        "filter": FilterOut(
            provider=tuple(sorted(heard.provider)), kind=tuple(sorted(heard.kind)), to=tuple(sorted(heard.to))
        ),
        "order": manner.order,
        "most_in_flight": manner.most_in_flight,
        "attempts": AttemptsOut.of(manner.attempts),
        "breaker": breaker,
        "open_until": subscription.next_attempt_at if breaker is BreakerState.OPEN else None,
    }
