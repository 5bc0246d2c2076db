import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.journal.strict import AmbiguousJsonError, loads

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 5000, "not JSON"),
        (b'"\xff"', "UTF-8"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'[{"a": {"b": 1, "\\u0062": 2}}]', "twice"),
        (b"NaN", "NaN is not"),
        (b"[-Infinity]", "-Infinity is not"),
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_text_that_could_be_read_in_two_ways_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(AmbiguousJsonError, match=words):
        loads(data)


@given(json_values)
def test_plain_json_is_read_as_everybody_reads_it(value: Any) -> None:
    assert loads(json.dumps(value).encode()) == value
