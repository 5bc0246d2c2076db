"""What answers mean, without a network or a store."""

from datetime import timedelta

import pytest

from tests.clocks import START, ManualClock
from tests.journal.drafts import a_draft, sealed, uuid
from tests.usecases.telling import NoJitter
from tracker.domain.subscription import REFUSED_BY_ALL, Subscription, SubscriptionState
from tracker.ports import Delivery
from tracker.usecases.backlog import Backlog, Waiting
from tracker.usecases.endpoint import Endpoint

TAKEN = Delivery(status=204)
DAY = 86_400.0


def refusal(status: int | None, retry_after: float | None = None) -> Delivery:
    return Delivery(status=status, retry_after_seconds=retry_after, error=f"{status}")


class Desk:
    """An endpoint, its backlog and a clock."""

    def __init__(self, *consents: int) -> None:
        self.clock = ManualClock()
        self.backlog = Backlog(0, [])
        subscription = Subscription(id="s", url="https://x.example", secret="whsec_", cursor=0, created_at=START)
        self.endpoint = Endpoint(subscription, self.backlog, self.clock, NoJitter())
        self.told: list[tuple[int, int | None]] = []
        self._sequence = 0
        self.arrive(*consents)

    def arrive(self, *consents: int) -> None:
        drafts = [a_draft(id=uuid(n), tracking_id=uuid(n)) for n in range(self._sequence)]
        new = [a_draft(id=uuid(n), tracking_id=uuid(1_000 + c)) for n, c in enumerate(consents, self._sequence)]
        for entry in sealed([*drafts, *new])[self._sequence :]:
            self.backlog.take(entry, self.clock.now())
        self._sequence += len(consents)

    def state(self) -> SubscriptionState:
        return self.endpoint.state

    def run(self, *bad: int, says: Delivery = TAKEN, otherwise: Delivery = TAKEN) -> None:
        """One turn: these sequences are answered so, the others otherwise."""
        if self.state() is SubscriptionState.FAILING:
            self._try(bad, says, otherwise)
        if self.state() is SubscriptionState.ACTIVE:
            while self.endpoint.may_start and (waiting := self.backlog.next(self.clock.now())) is not None:
                self.endpoint.hear(waiting, self._answer(waiting, bad, says, otherwise), 0.1)
            self.endpoint.conclude()
        self.backlog.saved()

    def _try(self, bad: tuple[int, ...], says: Delivery, otherwise: Delivery) -> None:
        pair = [self.backlog.begin(waiting) for waiting in self.endpoint.to_try()]
        answers: list[tuple[Waiting, Delivery]] = []
        for waiting in pair:
            answers.append((waiting, self._answer(waiting, bad, says, otherwise)))
            if self.endpoint.hear_tries(answers, are_enough=len(answers) == len(pair)):
                break
        for waiting in pair[len(answers) :]:
            self.backlog.release(waiting)

    def _answer(self, waiting: Waiting, bad: tuple[int, ...], says: Delivery, otherwise: Delivery) -> Delivery:
        answer = says if waiting.sequence in bad else otherwise
        self.told.append((waiting.sequence, answer.status))
        return answer

    def attempts(self) -> dict[int, int]:
        return {head.sequence: head.parked.attempts for head in self.backlog.heads() if head.parked is not None}


def test_two_troubles_stop_the_run_and_one_with_nothing_else_ends_it() -> None:
    desk = Desk(1, 2, 3, 4)
    desk.run(otherwise=refusal(500))
    assert [sequence for sequence, _ in desk.told] == [1, 2]
    assert desk.state() is SubscriptionState.FAILING
    assert desk.attempts() == {}
    desk = Desk(1)
    desk.run(otherwise=refusal(500))
    assert desk.state() is SubscriptionState.FAILING


def test_what_passes_after_a_trouble_blames_the_entry() -> None:
    desk = Desk(1, 2)
    desk.run(1, says=refusal(500))
    assert desk.state() is SubscriptionState.ACTIVE
    assert desk.attempts() == {1: 1}


def test_what_passed_before_a_trouble_blames_nobody() -> None:
    desk = Desk(1, 2)
    desk.run(2, says=refusal(500))
    assert desk.state() is SubscriptionState.FAILING
    assert desk.attempts() == {}


def test_a_refused_body_after_a_trouble_shows_that_the_endpoint_is_at_work() -> None:
    desk = Desk(1, 2, 3)
    desk.run(2, says=refusal(422), otherwise=refusal(500))
    assert desk.attempts() == {1: 1, 2: 1}


def test_a_failing_endpoint_is_compared_by_another_entry_each_time() -> None:
    desk = Desk(1, 2, 3, 4)
    tried = []
    for _ in range(7):
        desk.told.clear()
        desk.run(otherwise=refusal(503))
        tried.append([sequence for sequence, _ in desk.told])
        desk.clock.advance(4_000)
    assert tried[0] == [1, 2]
    assert all(len(pair) == 2 and pair[0] == 1 for pair in tried)
    assert {pair[1] for pair in tried} == {2, 3, 4}


def test_a_comparison_that_passes_blames_the_foremost() -> None:
    desk = Desk(1, 2, 3)
    desk.run(otherwise=refusal(503))
    desk.clock.advance(1)
    desk.run(1, says=refusal(503))
    assert desk.state() is SubscriptionState.ACTIVE
    assert desk.attempts() == {1: 1}
    assert desk.endpoint.in_flight.places == 1


def test_a_failing_endpoint_that_refuses_a_body_works_again() -> None:
    desk = Desk(1, 2)
    desk.run(otherwise=refusal(None))
    desk.clock.advance(1)
    desk.run(1, 2, says=refusal(422))
    assert desk.state() is SubscriptionState.ACTIVE
    assert desk.attempts() == {1: 1, 2: 1}


def test_bodies_refused_by_all_mean_the_endpoint() -> None:
    desk = Desk(*range(REFUSED_BY_ALL + 5))
    desk.run(otherwise=refusal(400))
    assert desk.state() is SubscriptionState.FAILING
    assert len(desk.told) == REFUSED_BY_ALL
    for _ in range(20):
        desk.clock.advance(4_000)
        desk.run(otherwise=refusal(400))
    assert desk.state() is SubscriptionState.FAILING
    assert set(desk.attempts().values()) == {1}
    desk.clock.advance(4_000)
    desk.run()
    assert desk.state() is SubscriptionState.ACTIVE
    assert desk.backlog.cursor == REFUSED_BY_ALL + 5


def test_bodies_refused_now_and_then_are_about_the_entries() -> None:
    desk = Desk(*range(60))
    desk.run(*[n for n in range(1, 61) if n % REFUSED_BY_ALL], says=refusal(400))
    assert desk.state() is SubscriptionState.ACTIVE
    assert len(desk.attempts()) == 54


@pytest.mark.parametrize("status", [500, None])
def test_a_known_poison_on_a_quiet_stream_does_not_disable_its_endpoint(status: int | None) -> None:
    """Found by playing at random: alone on a quiet stream it kept its endpoint failing, and after three days disabled."""
    desk = Desk(1, 2)
    desk.run(1, says=refusal(status))
    for _ in range(100):
        desk.clock.advance(3_600)
        desk.run(1, says=refusal(status))
    assert desk.state() is SubscriptionState.ACTIVE
    assert desk.attempts() == {1: 1}
    desk.told.clear()
    for _ in range(60):
        desk.clock.advance(60)
        desk.run(1, says=refusal(status))
    assert len(desk.told) <= 7  # every ten minutes


def test_who_waits_behind_a_known_poison_waits_for_minutes_if_the_endpoint_answers() -> None:
    desk = Desk(1, 2)
    desk.run(1, says=refusal(500))
    desk.arrive(1)
    for _ in range(12):
        desk.clock.advance(60)
        desk.run(1, says=refusal(500))
    assert (3, 204) in desk.told
    for status in (None, 502, 503, 504):
        desk = Desk(1, 2)
        desk.run(1, says=refusal(status))
        desk.arrive(1)
        for _ in range(100):
            desk.clock.advance(600)
            desk.run(1, says=refusal(status))
        assert desk.attempts() == {1: 1}


def test_a_known_poison_and_a_new_trouble_mean_the_endpoint() -> None:
    desk = Desk(1, 2)
    desk.run(1, says=refusal(500))
    desk.arrive(3)
    desk.clock.advance(10)
    desk.run(otherwise=refusal(500))
    assert desk.state() is SubscriptionState.FAILING
    assert desk.attempts() == {1: 1}


def test_known_poisons_left_alone_on_a_failing_endpoint_are_no_reason_to_keep_it_failing() -> None:
    desk = Desk(1, 2, 3)
    desk.run(1, says=refusal(500))
    desk.clock.advance(10)
    desk.run(1, says=refusal(429))
    assert desk.state() is SubscriptionState.FAILING
    desk.clock.advance(10)
    desk.run(1, says=refusal(500))
    assert desk.state() is SubscriptionState.ACTIVE


def test_the_way_to_disabled_is_three_days_long() -> None:
    desk = Desk(1, 2)
    started = desk.clock.now()
    while desk.state() is not SubscriptionState.DISABLED:
        desk.run(otherwise=refusal(500))
        at = desk.endpoint.subscription.next_attempt_at
        if at is not None:
            desk.clock.advance((at - desk.clock.now()).total_seconds())
    assert timedelta(days=3) <= desk.clock.now() - started <= timedelta(days=3, hours=1)
    assert desk.endpoint.subscription.failures < 85


def test_a_wait_is_obeyed_even_if_others_pass() -> None:
    desk = Desk(1, 2)
    first, second = desk.backlog.next(desk.clock.now()), desk.backlog.next(desk.clock.now())
    assert first is not None
    assert second is not None
    desk.endpoint.hear(first, refusal(429, 30.0), 0.1)
    desk.endpoint.hear(second, TAKEN, 0.1)
    desk.endpoint.conclude()
    assert desk.state() is SubscriptionState.FAILING
    assert desk.endpoint.subscription.next_attempt_at == desk.clock.now() + timedelta(seconds=30)
    desk.arrive(3)
    assert desk.endpoint.to_try() == []
    desk.clock.advance(30)
    assert [waiting.sequence for waiting in desk.endpoint.to_try()] == [
        3,
        1,
    ]  # not again the one that was asked to wait
