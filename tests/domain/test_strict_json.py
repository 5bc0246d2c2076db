"""What is taken is what the standard library reads; what is refused is named here, one by one."""

import json
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker.domain.errors import TrackerError
from tracker.domain.strict_json import MAX_DEPTH, MAX_INTEGER_DIGITS, NotStrictJsonError, loads

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.booleans())
def test_any_value_is_read_as_it_was_written(value, ascii_only, as_text):
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert loads(text if as_text else text.encode()) == value


@given(st.binary() | st.text())
@example(b"")
@example(b"[" * 100_000)
@example('{"a":' * 100_000)
@example("\ud800")
def test_anything_is_read_or_refused(data):
    try:
        value = loads(data)
    except NotStrictJsonError:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@given(st.text(alphabet='[]{}:,"\\udDfF0123456789eE.+-nNaItrl '))
def test_what_looks_like_json_is_read_as_others_read_it_or_refused(text):
    try:
        value = loads(text)
    except NotStrictJsonError:
        return
    assert value == json.loads(text)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="broken off"),
        pytest.param(b"{} {}", id="two values"),
        pytest.param(b"{'a': 1}", id="single quotes"),
        pytest.param(b"[1,]", id="trailing comma"),
        pytest.param(b"01", id="leading zero"),
        pytest.param(b"+1", id="plus"),
        pytest.param(b".5", id="no digit before the point"),
        pytest.param("\u0661".encode(), id="Arabic digit"),
        pytest.param(b'"\n"', id="control character in a string"),
        pytest.param(b'"\\x41"', id="escape that JSON does not have"),
        pytest.param(b"// a\n1", id="comment"),
        pytest.param(b"\x00", id="NUL"),
        pytest.param("\u00a01".encode(), id="blank that JSON does not have"),
        pytest.param(b"\xef\xbb\xbf1", id="byte order mark"),
        pytest.param("\ufeff1", id="byte order mark in text"),
        pytest.param(b'"\xff"', id="not UTF-8"),
        pytest.param(b'"\xc0\xaf"', id="overlong UTF-8"),
        pytest.param(b'"\xed\xa0\x80"', id="surrogate in UTF-8"),
        pytest.param('"a"'.encode("utf-16"), id="UTF-16"),
        pytest.param('"a"'.encode("utf-16-le"), id="UTF-16 without mark"),
        pytest.param('"a"'.encode("utf-32"), id="UTF-32"),
        pytest.param(b'{"a": 1, "a": 1}', id="name twice"),
        pytest.param(b'{"a": 1, "\\u0061": 2}', id="name twice, spelled differently"),
        pytest.param(b'[{"b": {"a": 1, "a": 1}}]', id="name twice, deeper"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(b"[Infinity]", id="infinity"),
        pytest.param(b"-Infinity", id="minus infinity"),
        pytest.param(b"1e400", id="float that overflows"),
        pytest.param(b"[-1.5E+999]", id="float that overflows downwards"),
        pytest.param(b"1" + b"0" * 400 + b".0", id="float of 401 digits before the point"),
        pytest.param(b"1" * (MAX_INTEGER_DIGITS + 1), id="integer of 41 digits"),
        pytest.param(b"9" * 10_000, id="integer of ten thousand digits"),
        pytest.param(b'"\\ud800"', id="lone high surrogate"),
        pytest.param(b'"\\uDC00"', id="lone low surrogate"),
        pytest.param(b'"\\udc00\\ud800"', id="surrogates the wrong way round"),
        pytest.param(b'{"\\ud800": 1}', id="lone surrogate in a name"),
        pytest.param(b'[[["\\ud83d"], "\\ud83d\\ude00"]]', id="lone surrogate beside a pair"),
        pytest.param('"\ud800"', id="lone surrogate in text"),
        pytest.param(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), id="65 lists deep"),
        pytest.param(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), id="65 objects deep"),
        pytest.param(b"[" * 900 + b"]" * 900, id="900 lists deep"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deeper than any stack"),
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(data):
    with pytest.raises(NotStrictJsonError) as caught:
        loads(data)
    assert isinstance(caught.value, TrackerError)
    assert caught.value.code == "json_not_strict"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(
            b' \t\r\n{"a" : [1, 2.5, -0.0, 1e2, true, null]} ', {"a": [1, 2.5, -0.0, 100.0, True, None]}, id="all kinds"
        ),
        pytest.param(b'"\\ud83d\\ude00"', "\U0001f600", id="surrogate pair"),
        pytest.param(b'"\\\\ud800"', "\\ud800", id="escaped backslash before ud800"),
        pytest.param('"é\U0001f600"', "é\U0001f600", id="text"),
        pytest.param(b"9" * MAX_INTEGER_DIGITS, int("9" * MAX_INTEGER_DIGITS), id="integer of 40 digits"),
        pytest.param(b"1e-400", 0.0, id="float that vanishes"),
        pytest.param(b'{"a": {"b": 1}, "c": {"b": 2}}', {"a": {"b": 1}, "c": {"b": 2}}, id="a name in two objects"),
        pytest.param(b'{"": 0}', {"": 0}, id="empty name"),
        pytest.param(b'"' + b"[" * 1000 + b'"', "[" * 1000, id="brackets in a string"),
        pytest.param(b"[" + b"[]," * 1000 + b"[]]", [[]] * 1001, id="a thousand lists side by side"),
    ],
)
def test_plain_json_is_taken(data, value):
    assert loads(data) == value


def test_sixty_four_levels_are_taken_whatever_stands_beside():
    for inner in (b"[" * 63 + b"]" * 63, b'{"a":' * 63 + b"1" + b"}" * 63):
        loads(b"[" + inner + b"]")
        loads(b"[[], {}, " + inner + b"]")
        with pytest.raises(NotStrictJsonError):
            loads(b"[[], [" + inner + b"]]")


def test_deep_nesting_is_refused_with_little_stack_left():
    outcome = []

    def at_depth(remaining):
        if remaining:
            at_depth(remaining - 1)
        else:
            with pytest.raises(NotStrictJsonError) as caught:
                loads(b"[" * 500)
            outcome.append(caught.value)

    thread = threading.Thread(target=at_depth, args=(850,))
    thread.start()
    thread.join()
    assert outcome


def test_refusals_do_not_repeat_what_was_read():
    for data in (b'{"secret": 1, "secret": 2}', b'{"secret', b"[secret]", b'"secret\xff"'):
        with pytest.raises(NotStrictJsonError) as caught:
            loads(data)
        assert "secret" not in str(caught.value)


def test_threads_do_not_disturb_each_other():
    documents = [json.dumps({f"k{n}-{i}": [i, {"n": n}] for i in range(200)}) for n in range(4)]
    wrong = []

    def read(document):
        expected = json.loads(document)
        wrong.extend(1 for _ in range(100) if loads(document) != expected)

    threads = [threading.Thread(target=read, args=(document,)) for document in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
