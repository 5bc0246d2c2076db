"""What an endpoint answered, as people may be shown it."""

from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.answer import MOST_BYTES, shown


@given(st.binary(max_size=5_000))
def test_whatever_comes_is_a_short_text_that_no_terminal_obeys(answer: bytes) -> None:
    text = shown(answer)
    assert (text is None) is (answer == b"")
    if text is not None:
        assert text.isprintable()
        assert len(text) <= MOST_BYTES
        text.encode()


def test_what_can_be_read_stays_and_the_rest_is_written_out() -> None:
    assert shown("täglich 'x' \\ ok".encode()) == "täglich 'x' \\ ok"
    assert shown(b"a\r\n\x1b[2J\x00\xff") == "a\\r\\n\\x1b[2J\\x00\\xff"
    assert shown("\u202egnp.exe".encode()) == "\\u202egnp.exe"
    assert shown(None) is None


def test_it_is_cut() -> None:
    assert shown(b"x" * 2_000) == "x" * 1_024
    assert shown(b"\x00" * 1_024) == "\\x00" * 256
    assert shown(("x" * 1_023 + "é").encode()) == "x" * 1_023  # half a letter says nothing
