"""Limits: how much is used, and what a renewal changed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.limits import Change, Limit, is_nearly_exhausted, scope_change


def limit(maximum: int, used: int | None = None, name: str = "n", **facts: str | None) -> Limit:
    return Limit(name=name, maximum=Decimal(maximum), used=None if used is None else Decimal(used), **facts)


@pytest.mark.parametrize(
    ("found", "share", "nearly"),
    [
        (limit(10, 0), 0.0, False),
        (limit(10, 7), 0.7, False),
        (limit(10, 8), 0.8, True),
        (limit(10, 12), 1.2, True),
        (limit(3, 1), 1 / 3, False),
        (limit(3, 2), 2 / 3, True),  # one more time
        (limit(1, 0), 0.0, False),
        (limit(0, 0), 1.0, True),
        (limit(100, 79, currency="AED"), 0.79, False),
        (limit(2, 1, currency="AED"), 0.5, False),  # money is no number of times
        (limit(100, 80, currency="AED"), 0.8, True),
        (limit(10, 10, period="Month"), 1.0, False),  # it begins anew
        (limit(10), None, False),
    ],
)
def test_how_much_is_used(found: Limit, share: float | None, nearly: bool) -> None:
    assert found.share == (share if share is None else pytest.approx(share))
    assert found.is_nearly_exhausted is nearly


def test_a_consent_is_nearly_exhausted_by_any_of_its_limits_and_unknown_without_a_figure() -> None:
    assert is_nearly_exhausted([]) is None
    assert is_nearly_exhausted([limit(10), limit(10, 9, period="Day")]) is None
    assert is_nearly_exhausted([limit(10, 1), limit(10, 9)]) is True
    assert is_nearly_exhausted([limit(10, 1), limit(10)]) is False


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ((), (), Change.SAME),
        (("a", "b"), ("b", "a"), Change.SAME),
        (("a",), ("a", "b"), Change.WIDER),
        (("a", "b"), ("a",), Change.NARROWER),
        (("a",), ("b",), Change.DIFFERENT),
    ],
)
def test_permissions(before: tuple[str, ...], after: tuple[str, ...], change: Change) -> None:
    found = scope_change(before, after, (), ())
    assert found.change is change
    assert (set(found.added), set(found.removed)) == (set(after) - set(before), set(before) - set(after))


@pytest.mark.parametrize(
    ("before", "after", "change", "raised", "lowered"),
    [
        ([limit(5)], [limit(5, 3)], Change.SAME, (), ()),
        ([limit(5)], [limit(6)], Change.WIDER, ("n",), ()),
        ([limit(5)], [limit(4)], Change.NARROWER, (), ("n",)),
        ([limit(5)], [], Change.WIDER, ("n",), ()),
        ([], [limit(5)], Change.NARROWER, (), ("n",)),
        ([limit(5, currency="AED")], [limit(5, currency="USD")], Change.DIFFERENT, ("n",), ("n",)),
        ([limit(5, period="Day")], [limit(9, period="Week")], Change.DIFFERENT, ("n",), ("n",)),
        ([limit(5), limit(5, name="m")], [limit(6), limit(4, name="m")], Change.DIFFERENT, ("n",), ("m",)),
    ],
)
def test_limits(
    before: list[Limit], after: list[Limit], change: Change, raised: tuple[str, ...], lowered: tuple[str, ...]
) -> None:
    found = scope_change(["p"], ["p"], before, after)
    assert (found.change, found.raised, found.lowered) == (change, raised, lowered)


scopes = st.tuples(
    st.sets(st.sampled_from("abc")),
    st.dictionaries(st.sampled_from("xyz"), st.tuples(st.integers(0, 3), st.sampled_from([None, "AED"]))).map(
        lambda found: [limit(m, name=name, currency=currency) for name, (m, currency) in found.items()]
    ),
)
OPPOSITE = {Change.WIDER: Change.NARROWER, Change.NARROWER: Change.WIDER}


@given(one=scopes, other=scopes)
def test_the_other_way_round_it_is_the_opposite(
    one: tuple[set[str], list[Limit]], other: tuple[set[str], list[Limit]]
) -> None:
    there = scope_change(one[0], other[0], one[1], other[1])
    back = scope_change(other[0], one[0], other[1], one[1])
    assert back.change is OPPOSITE.get(there.change, there.change)
    assert (back.added, back.removed, back.raised, back.lowered) == (
        there.removed,
        there.added,
        there.lowered,
        there.raised,
    )
    assert scope_change(one[0], one[0], one[1], one[1]).change is Change.SAME
