import json
import math
import random
import struct
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import TrackerError
from tracker.journal.canonical import MAX_DEPTH, NotCanonicalError, canonical

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8)

plain_scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
ascii_names = st.text(st.characters(max_codepoint=127))
plain_values = st.recursive(
    plain_scalars, lambda inner: st.lists(inner) | st.dictionaries(ascii_names, inner), max_leaves=8
)


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        # RFC 8785 appendix B: IEEE 754 bits and how ECMAScript writes that double.
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_double_is_written_as_ecmascript_writes_it(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number) == text.encode()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (100.0, "100"),
        (1e20, "100000000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (1.5e21, "1.5e+21"),
        (1e-6, "0.000001"),
        (1.5e-6, "0.0000015"),
        (1e-7, "1e-7"),
        (1.25e-7, "1.25e-7"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (1e16, "10000000000000000"),
        (1.2e17, "120000000000000000"),
        (12.0, "12"),
    ],
)
def test_exponent_appears_where_ecmascript_uses_one(number: float, text: str) -> None:
    assert canonical(number) == text.encode()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-17, "-17"),
        (2**53 - 1, "9007199254740991"),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
        (2**53 + 1, "9007199254740992"),
        (2**53 + 2, "9007199254740994"),
        (10**20, "100000000000000000000"),
        (10**21, "1e+21"),
        (-(10**23), "-1e+23"),
        (333333333333333333333333, "3.333333333333333e+23"),
    ],
)
def test_integer_is_written_as_the_double_that_it_denotes(number: int, text: str) -> None:
    assert canonical(number) == text.encode()


def test_whole_document_is_written_as_in_rfc_8785() -> None:
    """Spec: RFC 8785 section 3.2.2: the sample and the result that its text describes."""
    source = (
        r'{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        r' "string": "\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}'
    )
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(json.loads(source)) == expected.encode()


def test_names_are_sorted_by_utf_16_code_units() -> None:
    """Spec: RFC 8785 section 3.2.3. By code points the smiley (U+1F600) would come after U+FB33."""
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = canonical(dict.fromkeys(names, 0)).decode()
    assert written == '{"\\r":0,"1":0,"\u0080":0,"\u00f6":0,"\u20ac":0,"\U0001f600":0,"\ufb33":0}'


def test_only_what_must_be_escaped_is_and_shortest() -> None:
    every = "".join(chr(code) for code in range(0x20)) + '"\\/\x7f\u2028\u2029'
    short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
    controls = "".join(short.get(code, f"\\u{code:04x}") for code in range(0x20))
    assert canonical(every).decode() == f'"{controls}\\"\\\\/\x7f\u2028\u2029"'


def test_enumerations_are_written_as_what_they_are() -> None:
    class Word(StrEnum):
        REVOKED = "Revoked"

    class Number(IntEnum):
        SEVEN = 7

    assert canonical({Word.REVOKED: Number.SEVEN, "b": (Word.REVOKED,)}) == b'{"Revoked":7,"b":["Revoked"]}'


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        10**400,
        -(10**400),
        "\ud800",
        "a\udc00b",
        {"\ud83d": 1},
        {"\ud83d": 1, "a": 2},
        {1: "a"},
        {"a": 1, None: 2},
        {True: 1},
        b"bytes",
        {1, 2},
        object(),
        1j,
        [1, [2, {"a": b""}]],
    ],
    ids=lambda value: type(value).__name__ if type(value) is object else ascii(value),
)
def test_value_without_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonicalError):
        canonical(value)
    with pytest.raises(NotCanonicalError):
        canonical([value])


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def test_nesting_is_taken_to_the_limit_and_not_beyond() -> None:
    assert json.loads(canonical(_nested(MAX_DEPTH))) == _nested(MAX_DEPTH)
    with pytest.raises(NotCanonicalError, match="nested"):
        canonical(_nested(MAX_DEPTH + 1))
    with pytest.raises(NotCanonicalError, match="nested"):
        canonical(_nested(900))


def test_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append({"self": value})
    with pytest.raises(NotCanonicalError):
        canonical(value)


def test_error_is_of_our_family() -> None:
    assert issubclass(NotCanonicalError, TrackerError)
    assert not NotCanonicalError.retryable


@given(values)
def test_canonical_form_reads_back_as_the_same_value(value: Any) -> None:
    """Numbers as doubles: from 2**53 on, Python reads digits exactly that name the double nearest to them."""
    assert json.loads(canonical(value), parse_int=float) == value


@given(values)
def test_canonical_form_of_the_canonical_form_is_the_same(value: Any) -> None:
    written = canonical(value)
    assert canonical(json.loads(written)) == written


@given(st.dictionaries(texts, values, max_size=5), st.randoms(use_true_random=False))
def test_order_of_members_does_not_matter(members: dict[str, Any], shuffle: random.Random) -> None:
    names = list(members)
    shuffle.shuffle(names)
    assert canonical({name: members[name] for name in names}) == canonical(members)


@given(plain_values)
def test_plain_json_agrees_with_the_standard_library(value: Any) -> None:
    """Where no float, no large integer and no name beyond ASCII occurs, sorted and compact json.dumps is the same."""
    assert canonical(value) == json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_is_short_and_reads_back_as_the_same_double(number: float) -> None:
    written = canonical(number).decode()
    assert float(written) == number
    assert len(written.strip("-0").replace(".", "").partition("e")[0].strip("0")) <= 17


@given(st.dictionaries(texts, st.none()))
def test_names_are_in_the_order_of_their_utf_16_form(members: dict[str, None]) -> None:
    names = list(json.loads(canonical(members)))
    assert names == sorted(names, key=lambda name: [*memoryview(name.encode("utf-16-be")).tolist()])
