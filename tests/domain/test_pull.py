"""What a subscriber that polls is handed out: each consent's entries in order, all of them, and none that it has taken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tracker.domain.pull import MOST_IGNORED, MOST_OPEN, Handout, OpenEntry, Window

NOW = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def entry(sequence: int, consent: str = "a") -> OpenEntry:
    return OpenEntry(sequence=sequence, entry_id=f"e{sequence}", tracking_id=consent)


def poll(
    window: Window,
    *entries: OpenEntry,
    at: datetime = NOW,
    limit: int = 10,
    ack: tuple[str, ...] = (),
    refuse: tuple[str, ...] = (),
    acknowledged_at: datetime | None = None,
) -> tuple[list[int], Handout]:
    """One poll over a window and what of the journal is wanted; gives what it hands out."""
    handout = Handout(window, at, MINUTE)
    handout.settle(ack, refuse)
    handout.hand_out_again(limit, acknowledged_at)
    for one in entries:
        if one.sequence > window.scanned and not handout.take(one):
            break
    return [one.sequence for one in handout.chosen], handout


EMPTY = Window(scanned=0)
STORY = (entry(1, "a"), entry(2, "b"), entry(3, "a"), entry(4, "c"))


def test_several_entries_of_a_consent_may_be_in_one_answer() -> None:
    handed, handout = poll(EMPTY, *STORY)
    assert handed == [1, 2, 3, 4]
    assert (handout.after.scanned, handout.after.cursor, handout.has_more) == (4, 0, False)


def test_what_is_out_is_kept_back_with_what_follows_it_of_its_consent() -> None:
    first, handout = poll(EMPTY, *STORY, limit=1)
    assert (first, handout.has_more) == ([1], True)
    second, handout = poll(handout.after, *STORY, limit=1)
    assert second == [2]
    third, handout = poll(handout.after, *STORY)
    assert third == [4]
    assert not handout.has_more  # 3 waits behind 1
    nothing, handout = poll(handout.after, *STORY)
    assert nothing == []
    freed, _ = poll(handout.after, *STORY, ack=("e1",))
    assert freed == [3]
    again, _ = poll(handout.after, *STORY, at=NOW + MINUTE)
    assert again == [1, 2, 3, 4]


def test_what_was_acknowledged_out_of_order_is_settled_and_the_cursor_waits_for_the_rest() -> None:
    _, handout = poll(EMPTY, *STORY)
    _, handout = poll(handout.after, ack=("e3", "e2", "e3", "unknown"))
    assert [one.entry_id for one in handout.acknowledged] == ["e3", "e2"]
    assert (handout.after.cursor, len(handout.after.open)) == (0, 2)
    again, later = poll(handout.after, at=NOW + MINUTE)
    assert again == [1, 4]
    _, handout = poll(later.after, ack=("e1",))
    assert handout.after.cursor == 3
    _, handout = poll(handout.after, ack=("e4",))
    assert (handout.after.cursor, handout.after.open) == (4, ())


def test_what_was_not_handed_out_cannot_be_answered_for() -> None:
    _, handout = poll(EMPTY, *STORY, limit=1)
    _, handout = poll(handout.after, *STORY)  # 3 waits behind 1
    _, handout = poll(handout.after, ack=("e3",), refuse=("e3",))
    assert (handout.acknowledged, handout.refused) == ([], [])


def test_what_is_refused_is_settled_and_its_consent_goes_on() -> None:
    _, handout = poll(EMPTY, *STORY, limit=1)
    handed, handout = poll(handout.after, *STORY, refuse=("e1",), ack=("e1",))
    assert handed == [2, 3, 4]
    assert [one.sequence for one in handout.refused] == [1]
    assert handout.acknowledged == []


def test_what_others_are_acknowledged_around_is_given_up_in_the_end() -> None:
    handed, handout = poll(EMPTY, entry(1))
    at = NOW
    for _ in range(MOST_IGNORED - 1):
        at += MINUTE
        handed, handout = poll(handout.after, at=at, acknowledged_at=at - timedelta(seconds=1))
        assert handed == [1]
    at += MINUTE
    handed, handout = poll(handout.after, entry(2), at=at, acknowledged_at=at - timedelta(seconds=1))
    assert handed == [2]
    assert [one.sequence for one in handout.ignored] == [1]


def test_while_nothing_is_acknowledged_nothing_is_given_up() -> None:
    _, handout = poll(EMPTY, entry(1))
    for n in range(1, 50):
        # What was acknowledged in the very call that handed it out says nothing of it.
        handed, handout = poll(handout.after, at=NOW + n * MINUTE, acknowledged_at=NOW + (n - 1) * MINUTE)
        assert handed == [1]


def test_a_clock_that_is_stepped_back_keeps_nothing_back() -> None:
    _, handout = poll(EMPTY, *STORY)
    handed, _ = poll(handout.after, at=NOW - timedelta(days=1))
    assert handed == [1, 2, 3, 4]


def test_the_window_is_bounded_and_slows() -> None:
    journal = [entry(n, f"c{n}") for n in range(1, MOST_OPEN + 50)]
    handed, handout = poll(EMPTY, *journal, limit=MOST_OPEN + 10)
    assert handed == list(range(1, MOST_OPEN + 1))
    assert (handout.has_more, handout.after.scanned) == (False, MOST_OPEN)
    handed, handout = poll(handout.after, *journal, ack=("e7", "e9"))
    assert handed == [MOST_OPEN + 1, MOST_OPEN + 2]


def test_whoever_only_answers_is_told_whether_there_is_more() -> None:
    _, handout = poll(EMPTY, *STORY, limit=0)
    assert (handout.chosen, handout.has_more, handout.after.open) == ([], True, ())
    _, handout = poll(EMPTY, *STORY)
    _, handout = poll(handout.after, *STORY, limit=0, ack=("e1",))
    assert (handout.has_more, handout.after.cursor) == (False, 1)
    _, handout = poll(handout.after, *STORY, limit=0, at=NOW + MINUTE)
    assert (handout.has_more, handout.after.open[0].handed_at) == (True, NOW)


def test_looking_in_vain_changes_nothing() -> None:
    _, handout = poll(EMPTY, *STORY)
    before = handout.after
    _, handout = poll(before)
    assert not handout.has_changes
    assert handout.after == replace(before, turn=before.turn + 1)


class Polls(RuleBasedStateMachine):
    """Pollers of one subscription, who may die, and may have read a window that another has written since."""

    def __init__(self) -> None:
        super().__init__()
        self.journal: list[OpenEntry] = []
        self.window = EMPTY
        self.now = NOW
        self.handed: list[int] = []
        self.out: dict[str, datetime] = {}
        self.taken: set[str] = set()
        self.lost: set[str] = set()
        self.acknowledged_at: datetime | None = None
        self.read: list[Window] = []

    @rule(consents=st.lists(st.sampled_from("abc"), min_size=1, max_size=6))
    def append(self, consents: list[str]) -> None:
        for consent in consents:
            self.journal.append(entry(len(self.journal) + 1, consent))

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def somebody_reads_the_window(self) -> None:
        self.read.append(self.window)

    @rule(
        limit=st.integers(0, 5),
        share=st.floats(0, 1),
        dice=st.randoms(use_true_random=False),
        arrives=st.booleans(),
        refuses=st.booleans(),
    )
    def poll(self, limit: int, share: float, dice: Any, *, arrives: bool, refuses: bool) -> None:
        window = self.read.pop() if self.read else self.window
        known = sorted(self.out)
        answered = dice.sample(known, round(share * len(known)))
        refused = tuple(answered[:1]) if refuses else ()
        ack = tuple(answered[len(refused) :])
        _, handout = poll(
            window,
            *self.journal,
            at=self.now,
            limit=limit,
            ack=ack,
            refuse=refused,
            acknowledged_at=self.acknowledged_at,
        )
        if window.turn != self.window.turn:
            return  # another was quicker: nothing is written, and nothing handed out
        self.window = handout.after
        if handout.acknowledged:
            self.acknowledged_at = self.now
        self.taken |= {one.entry_id for one in handout.acknowledged}
        self.lost |= {one.entry_id for one in (*handout.refused, *handout.ignored)}
        for one in handout.chosen:
            assert one.entry_id not in self.taken | self.lost
            in_flight = self.out.get(one.entry_id)
            assert in_flight is None or self.now - in_flight >= MINUTE
            self.handed.append(one.sequence)
            self.out[one.entry_id] = self.now
        assert len(handout.chosen) <= limit
        if not arrives:
            return  # the answer is lost, or its reader dies: the window alone knows of it
        for one_id in (*ack, *refused):
            self.out.pop(one_id, None)

    @invariant()
    def each_consent_is_handed_out_in_order(self) -> None:
        first = list(dict.fromkeys(self.handed))
        for consent in "abc":
            story = [n for n in first if self.journal[n - 1].tracking_id == consent]
            assert story == sorted(story)
            # Nothing is passed over, either.
            own = [one.sequence for one in self.journal if one.tracking_id == consent]
            assert story == own[: len(story)]

    @invariant()
    def the_cursor_is_behind_what_is_settled_and_nothing_else(self) -> None:
        settled = self.taken | self.lost
        assert all(one.entry_id in settled for one in self.journal[: self.window.cursor])
        assert {one.entry_id for one in self.window.open}.isdisjoint(settled)
        if len(self.journal) > self.window.cursor and self.window.cursor < self.window.scanned:
            assert self.journal[self.window.cursor].entry_id not in settled

    @precondition(lambda self: self.journal)
    @rule()
    def in_the_end_all_is_taken(self) -> None:
        window, now = self.window, self.now
        settled, handed = set(self.taken | self.lost), list(self.handed)
        for _ in range(3 * len(self.journal) + 3):
            now += MINUTE
            ack = tuple(one.entry_id for one in window.open if one.handed_at is not None)
            chosen, handout = poll(window, *self.journal, at=now, ack=ack)
            settled |= {one.entry_id for one in handout.acknowledged}
            handed += chosen
            window = handout.after
        assert settled == {one.entry_id for one in self.journal}
        assert set(handed) == {one.sequence for one in self.journal}
        assert window.cursor == len(self.journal)


TestPolls = Polls.TestCase
TestPolls.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
