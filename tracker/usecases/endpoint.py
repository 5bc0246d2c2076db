"""What the answers of one subscriber say: whether its endpoint is at fault, or single entries.

A refusal is read like this. An answer that means "this body" (400, 409, 413, 422) is about the entry. Anything else that
goes wrong is about the endpoint, until another entry passes: then it was the entry after all. Two consents' entries that go
wrong with none passing, or one and nothing to compare it with, make the endpoint *failing*: from then on only its
foremost entry is tried, and one other beside it for comparison, at the pace of the endpoint's own ladder. So do ten
consents' entries whose bodies were refused with none passing: a receiver that lost its secret refuses in those words too.
Where there is no other to compare with, and others of its consent wait behind it, a ping is posted for comparison: on a
quiet stream an end would else wait for days behind an entry that its receiver stumbles over.

An entry that was refused alone before says nothing about the endpoint any more. It is tried again whatever else goes on;
that counts as one of its few attempts if anything passed since the last one, or if others wait behind it and the
endpoint at least answers.

An answer that asks us to wait (429, or any with Retry-After) is always obeyed. Whoever got it is not the next to be tried:
if it is always the same, the others go on in between. Then it is about the entry after all, but for 429, which never is:
such an entry is parked, and waits.

How much the endpoint gets at a time follows from its answers too: `domain.in_flight`.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto

from tracker.domain import subscription as domain
from tracker.domain.in_flight import InFlight
from tracker.domain.subscription import REFUSED_BY_ALL, Subscription, SubscriptionState
from tracker.ports import Clock, Delivery, Entropy
from tracker.usecases.backlog import Backlog, Waiting

_log = logging.getLogger(__name__)

_ALMOST_GIVEN_UP = timedelta(seconds=5)
_LONGEST_WAIT_FOR_PROOF = timedelta(minutes=10)

_THIS_BODY = frozenset({400, 409, 413, 422})
_TOO_FAST = 429
_GONE = 410
_NOBODY_HOME = frozenset({None, 502, 503, 504})


class _About(Enum):
    """What an answer is about."""

    TAKEN = auto()
    ENTRY = auto()
    ENDPOINT = auto()
    PACE = auto()
    END = auto()


def _about(delivery: Delivery) -> _About:
    if delivery.delivered:
        return _About.TAKEN
    if delivery.status == _GONE:
        return _About.END
    if delivery.status in _THIS_BODY:
        return _About.ENTRY
    if delivery.status == _TOO_FAST or delivery.retry_after_seconds is not None:
        return _About.PACE
    return _About.ENDPOINT


class Endpoint:
    """What is known of a subscriber's endpoint, and the backlog that its answers are applied to.

    Attributes:
        subscription: The subscription as it now is, but for its cursor.
        in_flight: How many posts it gets at a time; after a failure it starts again with one.
    """

    def __init__(self, subscription: Subscription, backlog: Backlog, clock: Clock, entropy: Entropy) -> None:
        self.subscription = subscription
        self.in_flight = InFlight(subscription.manner.most_in_flight)
        self._backlog = backlog
        self._clock = clock
        self._entropy = entropy
        # Of the run of deliveries or the pair of tries that is under way:
        self._suspects: list[tuple[Waiting, Delivery]] = []
        self._known_bad: list[tuple[Waiting, Delivery]] = []
        self._pace: Delivery | None = None
        self._end: Delivery | None = None
        # Since anything passed:
        self._refused: set[str] = set()
        self._refuses_all = False
        # Of the last pair of tries:
        self._tried: frozenset[int] = frozenset()
        self._was_compared = True
        self._held_back = False
        # Who was asked to wait last:
        self._asked_to_wait: Waiting | None = None

    @property
    def state(self) -> SubscriptionState:
        """How it stands."""
        return self.subscription.state

    # ------------------------------------------------------------------------------------------ while it works

    @property
    def may_start(self) -> bool:
        """Whether what was heard in this run lets more be sent."""
        return self._end is None and self._pace is None and len(self._suspects) <= 1 and not self._refuses_all

    def hear(self, waiting: Waiting, delivery: Delivery, seconds: float) -> None:
        """Take in one answer while the endpoint is not known to be failing.

        Args:
            waiting: Who was tried.
            delivery: What came of it.
            seconds: How long that took.
        """
        match _about(delivery):
            case _About.TAKEN:
                self.in_flight.note_taken(seconds)
                self._passed(waiting)
                self._blame_suspects()
            case _About.ENTRY:
                self.in_flight.note_taken(seconds)
                self._body_refused(waiting, delivery)
                self._blame_suspects()
            case _About.ENDPOINT if waiting.is_known_bad:  # of that the endpoint was acquitted before
                self._known_bad.append((waiting, delivery))
            case _About.ENDPOINT:
                self.in_flight.note_failed()
                self._suspects.append((waiting, delivery))
            case _About.PACE:
                self.in_flight.note_failed()
                self._put_off(waiting, delivery)
                self._pace = delivery
            case _About.END:
                self._backlog.release(waiting)
                self._end = delivery

    def conclude(self) -> None:
        """See what a run of deliveries that is over says about the endpoint, and forget the run."""
        suspects, known_bad, pace, end = self._suspects, self._known_bad, self._pace, self._end
        self._suspects, self._known_bad, self._pace, self._end = [], [], None, None
        for waiting, _ in suspects:
            self._backlog.release(waiting)
        self._compared(suspects, enough=pace is not None)
        if end is not None:
            self._become(domain.disabled(self.subscription, error=end.error))
        elif pace is not None:
            self._fail(pace)
        elif suspects:
            self._fail(suspects[0][1])
        elif self._refuses_all:
            self._fail(Delivery(status=None, error="The endpoint refuses every body."))
        for waiting, delivery in known_bad:
            if self.state is SubscriptionState.ACTIVE:
                self._refuse_again(waiting, delivery)
            else:
                self._backlog.release(waiting)

    def _put_off(self, waiting: Waiting, delivery: Delivery) -> None:
        """It was asked to wait. If others passed since it was asked before, it is set aside, and the cursor goes on past it.

        A refusal is that only in words that can mean it too: 429 is never about an entry.
        """
        self._asked_to_wait = waiting
        now, tried_at = self._clock.now(), waiting.tried_at
        if tried_at is None or not self._has_passed_since(tried_at):
            waiting.tried_at = now
            self._backlog.release(waiting)
        elif delivery.status != _TOO_FAST:
            self._refuse(waiting, delivery)
        else:
            waiting.tried_at = now
            attempts = 0 if waiting.parked is None else waiting.parked.attempts
            self._park(waiting, attempts, now + _ALMOST_GIVEN_UP, delivery)

    def mind_the_clock(self, *, set_back: timedelta) -> None:
        """What waits for longer than anything ever has to was put off by a clock that was ahead: it is due.

        Args:
            set_back: By how much the clock was set back while we looked on: what waits for the endpoint waits no longer for that.
        """
        now, attempts = self._clock.now(), self.subscription.manner.attempts
        self._backlog.hurry(now, max(attempts.longest_wait_alone, _LONGEST_WAIT_FOR_PROOF))
        self.subscription = domain.by_this_clock(self.subscription, now, set_back)

    # ------------------------------------------------------------------------------------------ while it fails

    def to_try(self) -> list[Waiting]:
        """What to try on a failing endpoint now: nothing, or its foremost entry and perhaps one for comparison."""
        heads = self._backlog.heads()
        if not heads:
            return []
        foremost, others = heads[0], heads[1:]
        if self._is_early:
            # Not yet its time. But when the last tries had nothing to be compared with, and now there is, that may show
            # at once that it was the entry; and so may a ping, once others wait behind it.
            new = next((head for head in heads if not head.is_known_bad and head.sequence not in self._tried), None)
            is_news = new is not None or (self._backlog.has_followers(foremost) and not self._held_back)
            if self._was_compared or not is_news:
                return []
            others = others if new in {None, foremost} else [new]
        if not others:
            return [foremost]
        other = others[self.subscription.failures % len(others)]
        # Whoever asks us to wait is heard at once, and no other tried. It must not always be the same who is tried first.
        return [other, foremost] if foremost is self._asked_to_wait else [foremost, other]

    def is_unclear(self, waiting: Waiting, delivery: Delivery) -> bool:
        """Whether only a ping can show whose fault it was that the one entry that could be tried went wrong."""
        is_new = not waiting.is_known_bad and not self._refuses_all
        answers = _about(delivery) is _About.ENDPOINT and delivery.status not in _NOBODY_HOME
        return is_new and answers and self._backlog.has_followers(waiting)

    def hear_ping(self, waiting: Waiting, delivery: Delivery, pong: Delivery) -> bool:
        """Take in what a ping was answered, for comparison with an entry; whether that shows that it was the entry."""
        if _about(pong) not in {_About.TAKEN, _About.ENTRY}:
            return False
        self._become(domain.reachable(self.subscription))
        self._refuse(waiting, delivery)
        self.in_flight.begin_anew()
        return True

    def hear_tries(self, answers: list[tuple[Waiting, Delivery]], *, are_enough: bool) -> bool:
        """Take in the answers to what was tried, as far as they are there; whether it is settled how it stands.

        Args:
            answers: Who was tried, and what came of it, in order.
            are_enough: Whether no more will come.
        """
        waiting, delivery = answers[-1]
        about = _about(delivery)
        if about is _About.PACE:
            self._asked_to_wait = waiting
        if about is _About.TAKEN or (about is _About.ENTRY and not self._refuses_all):
            self._suspects = answers[:-1]
            self._works_again(waiting, delivery)
            return True
        if not are_enough and about in {_About.ENTRY, _About.ENDPOINT}:
            return False
        self._compared(answers, enough=about is _About.PACE)
        if about is _About.ENDPOINT and all(tried.is_known_bad for tried, _ in answers) and not self._refuses_all:
            self._become(domain.reachable(self.subscription))  # as far as can be known
            for tried, refusal in answers:
                self._refuse_again(tried, refusal)
            return True
        for tried, _ in answers:
            self._backlog.release(tried)
        if about is _About.END:
            self._become(domain.disabled(self.subscription, error=delivery.error))
        elif about is _About.PACE:
            self._fail(delivery)
        elif not self._is_early:
            self._fail(answers[0][1])
        return True

    @property
    def _is_early(self) -> bool:
        due_at = self.subscription.next_attempt_at
        return due_at is not None and self._clock.now() < due_at

    def _works_again(self, waiting: Waiting, delivery: Delivery) -> None:
        if delivery.delivered:
            self._passed(waiting)
        else:
            self._become(domain.reachable(self.subscription))
            self._body_refused(waiting, delivery)
        self._blame_suspects()
        self.in_flight.begin_anew()

    def _compared(self, answers: list[tuple[Waiting, Delivery]], *, enough: bool) -> None:
        self._tried = frozenset(waiting.sequence for waiting, _ in answers)
        self._held_back = any(self._backlog.has_followers(waiting) for waiting, _ in answers)
        self._was_compared = enough or (len(answers) > 1 and not all(waiting.is_known_bad for waiting, _ in answers))

    # ------------------------------------------------------------------------------------------ entries

    def _passed(self, waiting: Waiting) -> None:
        self._backlog.settle(waiting)
        self._refused.clear()
        self._refuses_all = False
        self._become(domain.delivered(self.subscription, self._clock.now()))

    def _body_refused(self, waiting: Waiting, delivery: Delivery) -> None:
        if waiting.parked is None:
            self._refused.add(waiting.tracking_id)
            self._refuses_all = len(self._refused) >= REFUSED_BY_ALL
        self._refuse(waiting, delivery)

    def _blame_suspects(self) -> None:
        """The endpoint works: what went wrong before was about the entries."""
        suspects = self._suspects + self._known_bad
        self._suspects, self._known_bad = [], []
        for waiting, delivery in suspects:
            self._refuse(waiting, delivery)

    def _refuse_again(self, waiting: Waiting, delivery: Delivery) -> None:
        """An entry that was refused alone before went wrong, and nothing has passed in this run to compare it with."""
        row = waiting.parked
        if row is None:
            raise ValueError("Only parked entries were refused before.")
        pause = self._wait_alone(row.attempts) or _ALMOST_GIVEN_UP
        tried_at = waiting.tried_at or row.next_attempt_at - pause
        answers = delivery.status not in _NOBODY_HOME
        if self._has_passed_since(tried_at) or (answers and self._backlog.has_followers(waiting)):
            self._refuse(waiting, delivery)
            return
        now = waiting.tried_at = self._clock.now()
        since = now - (self.subscription.last_delivered_at or self.subscription.created_at)
        until = now + max(pause, min(since, _LONGEST_WAIT_FOR_PROOF))
        self._park(waiting, row.attempts, until, delivery)

    def _refuse(self, waiting: Waiting, delivery: Delivery) -> None:
        """An entry was refused alone: try it again later, or give it up."""
        now = self._clock.now()
        row = waiting.parked
        if row is not None and row.next_attempt_at > now:  # it was tried for comparison only
            self._backlog.release(waiting)
            return
        waiting.tried_at = now
        attempts = 1 if row is None else row.attempts + 1
        wait = self._wait_alone(attempts)
        if row is not None and wait is None and waiting.sequence <= self._backlog.cursor:
            lost = replace(row, attempts=attempts, next_attempt_at=now, last_error=delivery.error)
            lost = replace(lost, answer=delivery.shown_answer)
            _log.warning(
                "Subscription %s will not get entry %d: %s", self.subscription.id, row.sequence, delivery.error
            )
            self._backlog.give_up(waiting, lost)
        else:  # ahead of the cursor nothing is given up: after a crash it would be read, and told, again
            until = now + (wait or _ALMOST_GIVEN_UP)
            self._park(waiting, attempts, until, delivery)

    def _has_passed_since(self, time: datetime) -> bool:
        """Whether anything was taken since; what a clock that was ahead says of it does not count."""
        passed_at = self.subscription.last_delivered_at
        return passed_at is not None and time < passed_at <= self._clock.now()

    def _park(self, waiting: Waiting, attempts: int, until: datetime, delivery: Delivery) -> None:
        answer = delivery.shown_answer
        self._backlog.park(waiting, attempts=attempts, until=until, error=delivery.error, answer=answer)

    def _wait_alone(self, refusals: int) -> timedelta | None:
        return self.subscription.manner.attempts.wait_alone(refusals, fraction=self._entropy.fraction())

    # ------------------------------------------------------------------------------------------ states

    def _fail(self, delivery: Delivery) -> None:
        self._become(
            domain.failing(
                self.subscription,
                self._clock.now(),
                error=delivery.error,
                fraction=self._entropy.fraction(),
                wait_seconds=delivery.retry_after_seconds,
            )
        )

    def _become(self, changed: Subscription) -> None:
        before, self.subscription = self.subscription, changed
        if changed.state is not before.state:
            level = logging.INFO if changed.state is SubscriptionState.ACTIVE else logging.WARNING
            _log.log(
                level, "Subscription %s is %s now: %s", changed.id, changed.state, changed.last_error or "it works"
            )
