"""Gaps and overlaps of the times in which consents were authorized."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.facts import at
from tracker.domain.consent import Status
from tracker.domain.cover import Cover, Overlap, Span, authorized_spans, cover_of

AWAITING, AUTHORIZED, SUSPENDED = Status.AWAITING_AUTHORIZATION, Status.AUTHORIZED, Status.SUSPENDED


def span(since: float, until: float | None = None) -> Span:
    return Span(at(since), None if until is None else at(until))


@pytest.mark.parametrize(
    ("moves", "ends", "spans"),
    [
        ([], None, []),
        ([(AWAITING, 1)], None, []),
        ([(AWAITING, 1), (AUTHORIZED, 2)], None, [span(2)]),
        ([(AUTHORIZED, 2)], 9, [span(2, 9)]),
        ([(AUTHORIZED, 2), (SUSPENDED, 4), (AUTHORIZED, 6), (Status.REVOKED, 8)], 8, [span(2, 4), span(6, 8)]),
        ([(AUTHORIZED, 2), (SUSPENDED, 2)], None, []),  # inferred from a gap
        ([(AUTHORIZED, 2), (AUTHORIZED, 3), (SUSPENDED, 4)], None, [span(2, 4)]),
        ([(AUTHORIZED, 2), (Status.REVOKED, 4), (AUTHORIZED, 6)], 4, [span(2, 4)]),  # ends stand
        ([(AUTHORIZED, 2)], 1, []),
        ([(AUTHORIZED, 2), (Status.EXPIRED, 12)], 9, [span(2, 9)]),  # the holder was slow
    ],
)
def test_one_consent(moves: list[tuple[Status, float]], ends: float | None, spans: list[Span]) -> None:
    found = authorized_spans([(status, at(time)) for status, time in moves], None if ends is None else at(ends))
    assert list(found) == spans


def test_gaps_and_overlaps() -> None:
    found = cover_of({"a": [span(0, 10)], "b": [span(8, 20)], "c": [span(30)], "d": [span(30, 40)]})
    assert found == Cover(
        spans=(span(0, 20), span(30)),
        gaps=(span(20, 30),),
        overlaps=(Overlap(span(8, 10), ("a", "b")), Overlap(span(30, 40), ("c", "d"))),
    )


def test_nothing_covers_nothing() -> None:
    assert cover_of({}) == cover_of({"a": []}) == Cover()


def test_one_after_the_other_without_a_gap_is_one_cover() -> None:
    assert cover_of({"a": [span(0, 10)], "b": [span(10, 20)]}) == Cover(spans=(span(0, 20),))


def test_an_overlap_that_goes_on_is_one() -> None:
    found = cover_of({"a": [span(0, 5), span(5, 9)], "b": [span(1, 9)]})
    assert found.overlaps == (Overlap(span(1, 9), ("a", "b")),)


@st.composite
def held(draw: st.DrawFn) -> list[Span]:
    """Times of one consent: in order, none touching the next."""
    edges = sorted(draw(st.sets(st.integers(0, 30), max_size=8)))
    found = [span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    return [*found, span(edges[-1])] if len(edges) % 2 else found


@given(st.dictionaries(st.sampled_from("abcde"), held()))
def test_every_instant_is_covered_as_often_as_it_is_said(authorized: dict[str, list[Span]]) -> None:
    found = cover_of(authorized)
    for half_second in range(-1, 64):
        instant: datetime = at(half_second / 2)
        names = {name for name, spans in authorized.items() if any(s.has(instant) for s in spans)}
        assert sum(s.has(instant) for s in found.spans) == bool(names)
        told = [o.names for o in found.overlaps if o.span.has(instant)]
        assert told == ([tuple(sorted(names))] if len(names) > 1 else [])
        is_between = (
            bool(found.spans) and found.spans[0].since <= instant and any(s.since > instant for s in found.spans)
        )
        assert sum(s.has(instant) for s in found.gaps) == (is_between and not names)
    assert list(found.spans) == sorted(found.spans, key=lambda s: s.since)
    assert all(s.until is None or s.since < s.until for s in (*found.spans, *found.gaps))
    assert len(found.gaps) == max(0, len(found.spans) - 1)


@given(
    st.lists(st.tuples(st.sampled_from(Status), st.integers(0, 30).map(at)), max_size=10).map(
        lambda moves: sorted(moves, key=lambda move: move[1])
    ),
    st.none() | st.integers(0, 30).map(at),
)
def test_spans_of_one_are_in_order_apart_and_end_with_it(
    moves: list[tuple[Status, datetime]], ends_at: datetime | None
) -> None:
    found = authorized_spans(moves, ends_at)
    for one, other in pairwise(found):
        assert one.until is not None
        assert one.until <= other.since
    for one in found:
        assert (AUTHORIZED, one.since) in moves
        assert ends_at is None or (one.until is not None and one.until <= ends_at)
        assert one.until is None or one.until - one.since > timedelta()
