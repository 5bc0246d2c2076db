"""What becomes of a request to revoke, step by step; no clock, no holder."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.overlay import ACCEPTED, NOT_REVOKED, Overlay, Revocation, RevocationState

START = datetime(2026, 3, 2, 6, 15, tzinfo=UTC)
SETTLING = timedelta(minutes=5)
LEASE = timedelta(seconds=60)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def asked_for() -> Revocation:
    return Revocation(revoked_by="TPP", requested_at=START, due_at=START)


def sent(times: int = 1) -> Revocation:
    found = asked_for()
    for _ in range(times):
        found = found.about_to_be_sent(START, START + LEASE)
    return found


def test_it_is_nobodys_until_it_is_claimed_and_again_when_the_lease_is_over() -> None:
    claimed = asked_for().claimed(at(60))
    assert asked_for().is_free(START)
    assert not claimed.is_free(at(59))
    assert claimed.is_free(at(60))
    assert (asked_for().looked_at_next, claimed.looked_at_next) == (START, at(60))


def test_what_was_refused_or_has_ended_is_not_looked_at() -> None:
    refused = sent().read_back(at(1), SETTLING, "Consent.Invalid")
    assert (refused.state, refused.last_error) == (RevocationState.REFUSED, "Consent.Invalid")
    for settled in (refused, refused.ended(), sent().ended()):
        assert settled.looked_at_next is None
        assert not settled.is_free(at(1000))
    assert (refused.is_open, refused.ended().is_open) == (True, False)


def test_a_refusal_counts_at_once_unless_an_earlier_sending_may_have_been_carried_out() -> None:
    assert sent(2).read_back(at(1), SETTLING, "no").state is RevocationState.PENDING
    assert sent(2).read_back(at(310), SETTLING, "no").state is RevocationState.REFUSED
    known = sent().held_up(at(0), at(5), "holder_unavailable", "no").about_to_be_sent(at(6), at(66))
    assert known.read_back(at(7), SETTLING, "no").state is RevocationState.REFUSED


def test_a_press_changes_nothing_of_what_has_ended_and_begins_anew_what_was_refused() -> None:
    ended = sent().ended()
    assert ended.pressed_again(at(9)) == ended
    refused = sent().read_back(at(1), SETTLING, "no")
    again = refused.pressed_again(at(9))
    assert (again.state, again.due_at, again.sent_at) == (RevocationState.PENDING, at(9), START)
    assert again.read_back(at(10), SETTLING, None).due_at == at(10)  # it is sent once more
    later = sent().held_up(at(0), at(900), "holder_unavailable", None)
    assert later.pressed_again(at(9)).due_at == at(9)


def test_the_end_takes_pause_and_request_along() -> None:
    over = Overlay(paused=True, revocation=sent()).at_the_end()
    assert (over.paused, over.revoking) == (False, False)
    assert over.revocation is not None
    assert over.at_the_end() == over
    assert Overlay(paused=True).at_the_end() == Overlay()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "send", "read", "fail", "press"]),
        st.floats(min_value=0, max_value=400),
        st.sampled_from([None, ACCEPTED, "refused"]),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_comes_it_is_always_due_or_refused(steps: list[tuple[str, float, str | None]]) -> None:
    found, now = asked_for(), 0.0
    may_answer = False
    for deed, seconds, said in steps:
        now += seconds
        answer = said if may_answer else None
        if deed == "press":
            found = found.pressed_again(at(now))
        elif found.state is not RevocationState.PENDING:
            continue
        elif deed == "claim":
            found = found.claimed(at(now + 60))
        elif deed == "send":
            found, may_answer = found.about_to_be_sent(at(now), at(now + 60)), True
        elif deed == "read":
            found, may_answer = found.read_back(at(now), SETTLING, answer), may_answer and answer is None
        else:
            found, may_answer = found.held_up(at(now), at(now + 5), "error", answer), may_answer and answer is None
        assert found.is_open
        assert 0 <= found.unanswered <= found.attempts
        assert (found.due_at is None) is (found.state is RevocationState.REFUSED)
        if found.state is RevocationState.REFUSED:
            assert found.last_error in {"refused", NOT_REVOKED}


def test_nothing_is_put_off_for_so_long_that_it_seems_to_be_of_a_clock_that_was_ahead() -> None:
    held_up = sent().held_up(at(0), at(86_400), "holder_unavailable", None)
    assert held_up.due_at == at(1800)
    slow = sent().read_back(at(40), timedelta(hours=3), ACCEPTED)
    assert slow.due_at == at(1840)
    assert slow.read_back(at(10_900), timedelta(hours=3), None).state is RevocationState.REFUSED


def test_what_was_sent_while_our_clock_was_ahead_is_read_as_if_sent_just_now() -> None:
    ahead = asked_for().about_to_be_sent(at(7200), at(7260)).read_back(at(1), SETTLING, ACCEPTED)
    waits = []
    while ahead.due_at is not None:
        waits.append((ahead.due_at - START).total_seconds())
        ahead = ahead.read_back(ahead.due_at, SETTLING, None)
    assert waits == [6, 31, 311]
    assert asked_for().claimed(at(7200)).is_free(START)


def test_only_a_plain_refusal_says_that_the_holder_has_not_taken_it() -> None:
    assert not asked_for().may_have_arrived()
    assert sent().may_have_arrived()
    assert not sent().read_back(at(1), SETTLING, "no").may_have_arrived()
    assert sent().read_back(at(310), SETTLING, ACCEPTED).may_have_arrived()
    assert sent(2).read_back(at(310), SETTLING, "no").may_have_arrived()
