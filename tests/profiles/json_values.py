"""Whatever a JSON parser may hand over, well-behaved or not."""

from typing import Any

from hypothesis import strategies as st

_TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc", "Lu"]), max_size=5),  # lone surrogates, control characters
    st.sampled_from(["", "Authorized", "2026-03-02T10:15:00+04:00", "2026-03-02", "NotStaged", "..", "a" * 129]),
)
_NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([2**53, -(2**53), 10**400, 1e308, True, False]),
    st.floats(allow_nan=True, allow_infinity=True),
)


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value."""
    return st.recursive(
        st.none() | _NUMBERS | _TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
        max_leaves=12,
    )


def nested(depth: int, innermost: Any = "deep", *, in_lists: bool = True) -> Any:
    """A value so many containers down."""
    value = innermost
    for _ in range(depth):
        value = [value] if in_lists else {"inner": value}
    return value
