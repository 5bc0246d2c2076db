"""The lanes by themselves: what may be tried when, what keeps the cursor, what is written."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.clocks import START
from tests.journal.drafts import a_draft, sealed, uuid
from tracker.domain.manner import Order
from tracker.domain.subscription import Parked
from tracker.journal.entry import Entry
from tracker.usecases.backlog import MOST_AHEAD, Backlog, Waiting

SOON = START + timedelta(seconds=5)


def entries(*consents: int) -> list[Entry]:
    return sealed([a_draft(id=uuid(n), tracking_id=uuid(1_000 + c)) for n, c in enumerate(consents, 1)])


def taken(backlog: Backlog, *consents: int) -> Backlog:
    for entry in entries(*consents):
        backlog.take(entry, START)
    return backlog


def all_next(backlog: Backlog) -> Iterator[Waiting]:
    while (waiting := backlog.next(START)) is not None:
        yield waiting


def row(sequence: int, consent: int, **changes: object) -> Parked:
    facts = {"sequence": sequence, "tracking_id": uuid(1_000 + consent), "next_attempt_at": SOON}
    return Parked(**{**facts, **changes})  # type: ignore[arg-type]


def test_where_order_is_kept_one_of_each_consent_may_be_tried() -> None:
    assert [waiting.sequence for waiting in all_next(taken(Backlog(0, []), 1, 2, 1, 1))] == [1, 2]


def test_where_none_is_kept_all_may() -> None:
    backlog = taken(Backlog(0, [], order=Order.NONE), 1, 2, 1, 1)
    assert [waiting.sequence for waiting in all_next(backlog)] == [1, 2, 3, 4]


def test_where_none_is_kept_what_is_refused_is_parked_alone() -> None:
    backlog = taken(Backlog(0, [], order=Order.NONE), 1, 1, 1)
    first = backlog.next(START)
    assert first is not None
    assert not backlog.has_followers(first)
    backlog.park(first, attempts=1, until=SOON, error="x")
    park, _, _ = backlog.changes()
    assert park == (row(1, 1, attempts=1, last_error="x", is_unordered=True),)
    for waiting in all_next(backlog):
        backlog.settle(waiting)
    assert backlog.cursor == 3
    assert backlog.next_due_at() == SOON


def test_what_was_parked_in_no_order_does_not_hold_back_those_that_are_ordered_since() -> None:
    """Found in writing: entry 1, under way at the switch, was taken for delivered because 2 was parked."""
    backlog = taken(Backlog(0, [row(2, 1, is_unordered=True)]), 1, 1, 1)
    first = backlog.next(START)
    assert first is not None
    assert first.sequence == 1
    assert backlog.next(START) is None  # 3 waits for 1
    backlog.settle(first)
    assert [waiting.sequence for waiting in all_next(backlog)] == [3]
    assert backlog.cursor == 2


def test_what_was_parked_in_order_keeps_it_and_what_comes_without_goes_on() -> None:
    backlog = taken(Backlog(0, [row(1, 1, attempts=1), row(2, 1)], order=Order.NONE), 1, 1, 1)
    assert [waiting.sequence for waiting in all_next(backlog)] == [3]
    assert [head.sequence for head in backlog.heads()] == [1]


def test_what_is_read_again_and_has_a_row_is_not_told_beside_it() -> None:
    for order in Order:
        rows = [row(2, 2, is_unordered=order is Order.NONE)]
        backlog = taken(Backlog(0, rows, order=order), 1, 2)
        assert [waiting.sequence for waiting in all_next(backlog)] == [1]


@pytest.mark.parametrize("order", list(Order))
def test_what_is_under_way_for_long_is_set_aside_so_that_the_cursor_goes_on(order: Order) -> None:
    backlog = taken(Backlog(0, [], order=order), 1, *range(2, MOST_AHEAD + 2), 1)
    first = backlog.next(START)
    assert first is not None
    for n, waiting in enumerate(all_next(backlog), 1):
        backlog.settle(waiting)
        backlog.set_aside(START)
        assert (backlog.cursor == 0) is (n < MOST_AHEAD)
    rows = {parked.sequence: parked.attempts for parked in backlog.changes()[0]}
    behind = {MOST_AHEAD + 2: 0} if order is Order.CONSENT else {}
    assert rows == {1: 0} | behind
    assert backlog.cursor == MOST_AHEAD + 2
    backlog.settle(first)
    assert backlog.changes()[1] == (1,)
    assert [waiting.sequence for waiting in all_next(backlog)] == list(behind)


def test_what_is_not_under_way_is_not_set_aside() -> None:
    backlog = taken(Backlog(0, []), *range(MOST_AHEAD + 9))
    first = backlog.next(START)
    assert first is not None
    for waiting in all_next(backlog):
        backlog.settle(waiting)
    backlog.release(first)
    backlog.set_aside(START)
    assert not backlog.has_changes
    assert backlog.cursor == 0


def test_what_is_set_aside_and_refused_then_has_been_refused_once() -> None:
    backlog = taken(Backlog(0, []), *range(MOST_AHEAD + 1))
    first = backlog.next(START)
    assert first is not None
    for waiting in all_next(backlog):
        backlog.settle(waiting)
    backlog.set_aside(START)
    assert not first.is_known_bad
    backlog.release(first)
    assert backlog.next(START) is first  # at once


def test_there_is_never_room_for_more_than_could_be_parked() -> None:
    backlog = Backlog(0, [row(n, n) for n in range(1, 8)], most_parked=10)
    assert backlog.room == 3
    taken(backlog, *range(1, 8), 20, 21)
    assert backlog.room == 1
    waiting = backlog.next(START)
    assert waiting is not None
    backlog.park(waiting, attempts=1, until=SOON, error=None)
    assert backlog.room == 1


def test_what_comes_first_in_the_journal_goes_first_so_that_the_cursor_follows() -> None:
    """Found by killing: a consent's next entry went to the end of the line, and all of the line came twice after a crash."""
    backlog = taken(Backlog(0, []), 1, 1, 2, 3, 4)
    first = backlog.next(START)
    assert first is not None
    backlog.settle(first)
    assert [waiting.sequence for waiting in all_next(backlog)] == [2, 3, 4, 5]
