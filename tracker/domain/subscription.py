"""Someone who must be told: what they want to hear, where they stand in the journal, how it goes with their endpoint.

*Down* and *poisoned* are different. An endpoint that refuses everything is waited for, for days, and no entry pays for
it; an entry that is refused while others pass gets a few attempts over minutes and is then given up, so that what comes
after it for the same consent is told. The moves between the states of a subscription are functions here; which of the two
it is, `usecases.stream` finds out.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tracker.domain.announced import DISABLED, NOTHING, Announced, next_step_at, step
from tracker.domain.breaker import BreakerState
from tracker.domain.changed import changed
from tracker.domain.completion import CompletionTerms
from tracker.domain.manner import LONGEST_WAIT_DOWN, Manner
from tracker.domain.pull import PollTerms
from tracker.domain.sending import AS_USUAL, Sending


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which entries a subscription hears; an empty part lets everything pass.

    Attributes:
        types: Exact types, `prefix.*`, or `*`.
        provider: Provider ids.
        kind: Kinds of consent.
        to: Statuses moved to; an entry that has none never passes where this is given.
    """

    types: tuple[str, ...] = ()
    provider: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()
    to: frozenset[str] = frozenset()

    def passes(self, *, entry_type: str, provider: str | None, kind: str | None, to: str | None) -> bool:
        """Whether an entry of these members is heard."""
        return (
            (not self.types or any(_matches(pattern, entry_type) for pattern in self.types))
            and (not self.provider or provider in self.provider)
            and (not self.kind or kind in self.kind)
            and (not self.to or to in self.to)
        )


def _matches(pattern: str, entry_type: str) -> bool:
    if pattern == "*":
        return True
    if pattern.endswith(".*"):
        return entry_type.startswith(pattern[:-1])
    return pattern == entry_type


class SubscriptionState(StrEnum):
    """Whether a subscription is being told."""

    ACTIVE = "active"
    FAILING = "failing"
    """Its endpoint refuses everything, or asked us to wait; it is tried from time to time."""
    DISABLED = "disabled"
    """Nothing is sent any more: it said so (410), or it failed for days. The cursor stays."""
    PENDING = "pending"
    """Nothing is sent yet but challenges: nobody has proved that its URL is theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredSecret:
    """A secret that another has taken the place of, and that signs beside it for a while.

    Attributes:
        secret: `whsec_…`.
        until: Until when it signs.
    """

    secret: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One subscription.

    Its *terms* are changed by whoever made it: `url`, `entry_filter`, the secrets, `description`, `include_private`, `paused_at`,
    `manner`; each change raises `version`. Its *progress* is written by who tells it: the others. What is found out about the
    endpoint by who does not know the latest terms does not count.

    Attributes:
        id: UUIDv7.
        url: Where notifications are posted; empty: they are polled.
        entry_filter: What it hears.
        secret: The Standard Webhooks secret, `whsec_…`.
        description: For people.
        include_private: Whether private values are sent along.
        cursor: Up to this sequence everything is settled: delivered, filtered out, parked or given up.
        state: Whether it is being told.
        failing_since: Since when the endpoint refuses everything; None unless failing or disabled for it.
        failures: How many tries in a row, spread over the ladder, it refused everything.
        next_attempt_at: While failing: when to try again.
        last_delivered_at: When it last took something.
        last_error: What is wrong with the endpoint, for people; None while it takes what it gets.
        created_at: When it was made.
        version: Rises with each change of the terms.
        paused_at: Since when nothing is sent because somebody wants it so; the cursor stays.
        retired_secrets: Those that sign too, for a while.
        manner: In what order, how much at a time, how often again.
        announced: What others were told of its failing.
        polling: How it is polled; it counts only where there is no URL.
        key_id: The API key that acts for the subscriber; None: no key in particular.
        completion: What the subscriber must report as done; None: nothing.
        sending: How it wants to be told; a part of the terms.
        challenge: While it is pending, the SHA-256 of the text that was posted to its URL last, in hex; a part of the terms.
        tried_at: While failing: when it was tried last; None: an older version did that.
        held_at: When its endpoint last asked a replay to wait; the stream's own answers count in `next_attempt_at`.
        held_until: Until when it wants to be left alone for that; written by who replays.
        locked: Why what is secret of it cannot be read here, for people; None: it can. It is not told by then, and this is found
            out at each reading, never written.
    """

    id: str
    url: str
    entry_filter: EntryFilter = field(default_factory=EntryFilter)
    secret: str = field(repr=False)
    description: str = ""
    include_private: bool = False
    cursor: int
    state: SubscriptionState = SubscriptionState.ACTIVE
    failing_since: datetime | None = None
    failures: int = 0
    next_attempt_at: datetime | None = None
    last_delivered_at: datetime | None = None
    last_error: str | None = None
    created_at: datetime
    version: int = 1
    paused_at: datetime | None = None
    retired_secrets: tuple[RetiredSecret, ...] = ()
    manner: Manner = field(default_factory=Manner)
    announced: Announced = NOTHING
    polling: PollTerms = field(default_factory=PollTerms)
    key_id: str | None = None
    completion: CompletionTerms | None = None
    sending: Sending = AS_USUAL
    challenge: str | None = None
    tried_at: datetime | None = None
    held_at: datetime | None = None
    held_until: datetime | None = None
    locked: str | None = None

    @property
    def is_polled(self) -> bool:
        """Whether the subscriber comes and asks, and nothing is sent."""
        return not self.url

    @property
    def is_told(self) -> bool:
        """Whether anything is to be sent."""
        is_for_us = not self.is_polled and self.locked is None
        is_ready = self.state not in {SubscriptionState.DISABLED, SubscriptionState.PENDING}
        return is_ready and self.paused_at is None and is_for_us

    @property
    def trouble(self) -> str | None:
        """Why nothing arrives, for people; None if all is well."""
        return self.locked or self.last_error

    def breaker(self, now: datetime) -> BreakerState:
        """Whether its endpoint is sent what there is, or left alone for minutes, or tried with one entry."""
        if self.state is not SubscriptionState.FAILING:
            return BreakerState.CLOSED if self.state is SubscriptionState.ACTIVE else BreakerState.OPEN
        is_due = self.next_attempt_at is None or now >= self.next_attempt_at
        return BreakerState.HALF_OPEN if is_due else BreakerState.OPEN

    def held_for(self, now: datetime) -> timedelta:
        """How long its endpoint is still to be left alone, as a replay was asked; not at all by a clock set back behind that."""
        if self.held_at is None or self.held_until is None or now < self.held_at - _CLOCKS_APART:
            return timedelta()
        return max(timedelta(), self.held_until - max(now, self.held_at))

    @property
    def disables_at(self) -> datetime | None:
        """From when on a try of its endpoint that fails disables it; None unless it is failing."""
        if self.state is not SubscriptionState.FAILING or self.failing_since is None:
            return None
        return self.failing_since + self.manner.attempts.disable_after

    def secrets(self, at: datetime) -> tuple[str, ...]:
        """The secrets that sign what is sent at an instant; the newest first."""
        return (self.secret, *(retired.secret for retired in self.retired_secrets if at < retired.until))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """An entry that was refused, or that waits behind an earlier one of its consent.

    Of the parked entries of one consent only the first is tried.

    Attributes:
        sequence: Which entry.
        tracking_id: Whose consent's order it keeps.
        attempts: How often it alone was refused; 0 for one that only waits behind another.
        next_attempt_at: When to try again; for one that was given up, when that was.
        last_error: Why it was refused, for people.
        is_unordered: Whether it was parked by itself, where no order is kept: it neither waits for others nor holds them back.
        answer: How the endpoint's answer begins, as text to be shown.
    """

    sequence: int
    tracking_id: str
    attempts: int = 0
    next_attempt_at: datetime
    last_error: str | None = None
    is_unordered: bool = False
    answer: str | None = field(default=None, repr=False)


MOST_RETIRED_SECRETS: Final = 4
"""So many retired secrets sign beside the one in use: each is a signature more in a header."""

_CLOCKS_APART: Final = timedelta(minutes=1)
"""The clocks of two processes may differ by so much."""
_UNTRIED: Final = 0.1
"""Whoever was not tried for such a part of the way to disablement is not disabled by the first try after it."""
REFUSED_BY_ALL: Final = 10
"""So many consents' entries refused in a row, each with the words that mean "this body", mean the endpoint after all."""


def delivered(subscription: Subscription, now: datetime) -> Subscription:
    """It took an entry: whatever was wrong with the endpoint is over."""
    is_well = subscription.state is SubscriptionState.ACTIVE and subscription.last_error is None
    # Once for each delivery: what is well already need not be put right.
    return changed(subscription if is_well else reachable(subscription), last_delivered_at=now, announced=NOTHING)


def reachable(subscription: Subscription) -> Subscription:
    """The endpoint works, whatever it thinks of single entries."""
    return replace(
        subscription,
        state=SubscriptionState.ACTIVE,
        failing_since=None,
        failures=0,
        next_attempt_at=None,
        last_error=None,
        tried_at=None,
        held_at=None,
        held_until=None,
    )


def resumed(subscription: Subscription) -> Subscription:
    """It goes on where it stands; one whose URL is not proved is pending still."""
    ready = subscription if subscription.state is SubscriptionState.PENDING else reachable(subscription)
    return replace(ready, paused_at=None)


def moved(subscription: Subscription, *, is_proved: bool) -> Subscription:
    """It has another URL: a clean slate, and pending until that is proved."""
    clean = replace(reachable(subscription), challenge=None)
    return clean if is_proved else replace(clean, state=SubscriptionState.PENDING)


def failing(
    subscription: Subscription, now: datetime, *, error: str | None, fraction: float, wait_seconds: float | None = None
) -> Subscription:
    """The endpoint refused everything once more: wait longer, and disable it after days.

    Args:
        subscription: As it was.
        now: When it refused.
        error: What it said, for people.
        fraction: A random number from 0 up to 1, for jitter.
        wait_seconds: How long it asked us to wait; it is never tried earlier, but perhaps later.
    """
    since, due_at = subscription.failing_since, subscription.next_attempt_at
    if since is None or since > now:  # a clock that was ahead has begun to count
        since = now
    days = subscription.manner.attempts.disable_after
    # After a time in which nobody tried, by our fault or by the clock's, one failure says little of that time.
    was_tried = due_at is None or now - due_at < days * _UNTRIED
    if was_tried and now - since >= days:
        return disabled(replace(subscription, failing_since=since), error=error)
    failures = subscription.failures + 1
    wait = max(
        subscription.manner.attempts.wait_down(failures, fraction=fraction), timedelta(seconds=wait_seconds or 0)
    )
    return replace(
        subscription,
        state=SubscriptionState.FAILING,
        failing_since=since,
        failures=failures,
        next_attempt_at=now + wait,
        last_error=error,
        tried_at=now,
    )


def by_this_clock(subscription: Subscription, now: datetime, set_back: timedelta = timedelta()) -> Subscription:
    """The subscription with nothing ahead that a clock has put there which was ahead itself.

    What it waits for it waits for no longer than was meant when it was tried, and it has been failing since now at the latest.

    Args:
        subscription: As it was.
        now: What our clock says.
        set_back: By how much it was set back while we looked on: nothing waits longer for that.
    """
    since, tried_at, due_at = subscription.failing_since, subscription.tried_at, subscription.next_attempt_at
    if since is not None and since > now:
        told = subscription.announced
        if told.failing_since == since:
            told = replace(told, failing_since=now)
        subscription = replace(subscription, failing_since=now, announced=told)
    if due_at is None:
        return subscription
    if tried_at is None:  # all that is known is that no wait is longer than this
        due_at = now if due_at - now > LONGEST_WAIT_DOWN + set_back else due_at - set_back
    else:
        meant = due_at - tried_at
        due_at = min(due_at - set_back, now + meant)
        tried_at = due_at - meant
    return replace(subscription, next_attempt_at=due_at, tried_at=tried_at)


def with_new_secret(subscription: Subscription, secret: str, now: datetime, overlap: timedelta) -> Subscription:
    """Give it another secret; those before sign beside it for so long, and no longer than they would have."""
    older = (RetiredSecret(secret=subscription.secret, until=now + overlap), *subscription.retired_secrets)
    if subscription.locked is not None:  # those before can sign nothing any more
        older = ()
    kept = tuple(retired for retired in older if now < retired.until)[:MOST_RETIRED_SECRETS]
    return replace(subscription, secret=secret, retired_secrets=kept)


def disabled(subscription: Subscription, *, error: str | None) -> Subscription:
    """Nothing is sent any more; the cursor stays where it is."""
    return replace(
        subscription, state=SubscriptionState.DISABLED, next_attempt_at=None, tried_at=None, last_error=error
    )


def announced(subscription: Subscription, now: datetime) -> Subscription:
    """The subscription with what others are to have been told of its failing by now.

    While it works, what was told stands until it takes something: see `delivered`.
    """
    told, since = subscription.announced, subscription.failing_since
    if subscription.state is SubscriptionState.FAILING and since is not None:
        told = step(told, since, subscription.manner.attempts.disable_after, now)
    elif subscription.state is SubscriptionState.DISABLED and told.percent != DISABLED:
        told = Announced(percent=DISABLED, failing_since=since)
    return subscription if told == subscription.announced else replace(subscription, announced=told)


def next_announcement_at(subscription: Subscription) -> datetime | None:
    """When others are to be told more of its failing, whatever it does; None: nothing is to come by time alone."""
    if subscription.state is not SubscriptionState.FAILING or subscription.failing_since is None:
        return None
    return next_step_at(subscription.announced, subscription.failing_since, subscription.manner.attempts.disable_after)
