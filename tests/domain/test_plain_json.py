"""Plain JSON: what is told to be plain has one way to be written, and the quick writer finds it."""

import enum
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.plain_json import is_plain
from tracker.journal import canonical as module
from tracker.journal.canonical import NotCanonicalError, canonical

_TEXTS = st.text(st.characters(), max_size=6)  # lone surrogates too
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS
ANY_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4), max_leaves=12
)


class Word(enum.StrEnum):
    A = "a"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@given(ANY_VALUES)
def test_what_is_plain_is_written_alike_the_quick_way_and_the_slow_way(value: Any) -> None:
    if is_plain(value):
        assert canonical(value) == module._written(value, 0).encode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**53),
        2**53,
        "",
        "ü",
        "\U0001f600",
        '\x00\x1f\x7f"\\/',
        [],
        {},
        {"b": [1], "a": {"c": "ي"}},
        Word.A,
        {"b": Word.A, Word.A: 1},
        nested(32),
    ],
)
def test_plain(value: Any) -> None:
    assert is_plain(value)
    assert canonical(value) == module._written(value, 0).encode()
    assert json.loads(canonical(value)) == value


@pytest.mark.parametrize(
    "value",
    [0.5, 1.0, 2**53 + 1, -(2**53) - 1, "\ud800", {"ü": 1}, {1: 2}, {None: 1}, (1,), {"a": {2: 1}}, b"", {1},
     object(), nested(33), [{"a": [float("nan")]}]],
)  # fmt: skip
def test_not_plain(value: Any) -> None:
    assert not is_plain(value)


@pytest.mark.parametrize("value", [{1: 2}, {"a": {None: 1}}, [{True: 1}]])
def test_names_that_are_no_texts_are_still_refused(value: Any) -> None:
    with pytest.raises(NotCanonicalError):
        canonical(value)
