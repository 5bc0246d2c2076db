import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.drafts import ORIGIN, Signer
from tracker.domain.errors import TrackerError
from tracker.journal.checkpoint import (
    Checkpoint,
    NoteError,
    assemble,
    note_text,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    vkey,
)

# The public key of Go's checksum database, and one checkpoint that it signed: made by others, in use since 2019.
GO_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
GO_NOTE = (
    "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— sum.golang.org Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)

CHECKPOINT = Checkpoint(ORIGIN, 42, bytes(range(32)))
TEXT = f"{ORIGIN}\n42\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
KEY = bytes(range(32, 64))
SIGNATURE = bytes(64)
LINE = assemble("x\n", "n", KEY, SIGNATURE).removeprefix("x\n\n")

names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="+"), min_size=1, max_size=30
)


def test_note_of_another_log_is_understood() -> None:
    key, note = parse_vkey(GO_VKEY), parse_note(GO_NOTE)
    (line,) = note.signatures
    assert (line.name, line.key_hash) == (key.name, key.key_hash) == ("sum.golang.org", bytes.fromhex("033de0ae"))
    assert key.short == "sum.golang.org+033de0ae"
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(line.signature, note.text.encode())
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("go.sum database tree", 20852163)


def test_key_of_another_log_is_written_the_same() -> None:
    key = parse_vkey(GO_VKEY)
    assert vkey(key.name, key.public_key) == GO_VKEY


def test_note_of_another_log_is_put_together_the_same() -> None:
    key, note = parse_vkey(GO_VKEY), parse_note(GO_NOTE)
    assert assemble(note.text, key.name, key.public_key, note.signatures[0].signature) == GO_NOTE


def test_checkpoint_is_three_lines() -> None:
    assert note_text(CHECKPOINT) == TEXT
    assert parse_checkpoint(TEXT) == CHECKPOINT


def test_what_is_signed_is_the_text_without_the_empty_line() -> None:
    signer = Signer()
    note = parse_note(signer.note(CHECKPOINT))
    (line,) = note.signatures
    assert note.text == TEXT
    assert (line.name, line.key_hash) == (ORIGIN, parse_vkey(signer.vkey).key_hash)
    Ed25519PublicKey.from_public_bytes(signer.public_key).verify(line.signature, TEXT.encode())


@given(names, st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64), st.integers(0, 10**18))
def test_whatever_is_written_reads_back(name: str, key: bytes, signature: bytes, size: int) -> None:
    checkpoint = Checkpoint(name, size, key)
    note = parse_note(assemble(note_text(checkpoint), name, key, signature))
    assert parse_checkpoint(note.text) == checkpoint
    assert note.signatures[0].name == name
    assert note.signatures[0].signature == signature
    assert parse_vkey(vkey(name, key)).public_key == key
    assert parse_vkey(vkey(name, key)).key_hash == note.signatures[0].key_hash


def test_text_may_have_empty_lines_and_several_signatures() -> None:
    note = parse_note("one\n\ntwo\n\n" + LINE + LINE)
    assert note.text == "one\n\ntwo\n"
    assert len(note.signatures) == 2


MALFORMED_NOTES = {
    "empty": "",
    "empty lines": "\n\n",
    "no signature": TEXT,
    "no signature below the empty line": TEXT + "\n",
    "no empty line": TEXT + LINE,
    "last line not ended": TEXT + "\n" + LINE[:-1],
    "empty line at the end": TEXT + "\n" + LINE + "\n",
    "something below the signatures": TEXT + "\n" + LINE + "more\n",
    "hyphen for a dash": TEXT + "\n" + LINE.replace("—", "-"),
    "no space after the dash": TEXT + "\n" + LINE.replace("— ", "—"),
    "two spaces after the dash": TEXT + "\n" + LINE.replace("— ", "—  "),
    "unicode space in the name": TEXT + "\n" + LINE.replace("n ", "n\u00a0m "),
    "plus in the name": TEXT + "\n" + LINE.replace("n ", "n+m "),
    "no name": TEXT + "\n" + LINE.replace("n ", ""),
    "signature of nothing": TEXT + "\n— n \n",
    "name alone": TEXT + "\n— n\n",
    "key hash alone": TEXT + "\n— n AAAAAA==\n",
    "no padding": TEXT + "\n" + LINE.replace("=", ""),
    "space at the end": TEXT + "\n" + LINE.replace("\n", " \n"),
    "carriage return": TEXT + "\n" + LINE.replace("\n", "\r\n"),
    "tab in the text": "a\tb\n\n" + LINE,
    "nul in the text": "a\x00b\n\n" + LINE,
    "half a surrogate pair in the text": "a\ud800b\n\n" + LINE,
    "half a surrogate pair in a name": TEXT + "\n" + LINE.replace("n ", "n\ud800 "),
    "too many signatures": TEXT + "\n" + LINE * 101,
}


@pytest.mark.parametrize("note", MALFORMED_NOTES.values(), ids=MALFORMED_NOTES.keys())
def test_malformed_note_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        parse_note(note)


def test_hundred_signatures_are_taken() -> None:
    assert len(parse_note(TEXT + "\n" + LINE * 100).signatures) == 100


@given(st.text())
def test_any_text_is_refused_with_our_error_or_understood(text: str) -> None:
    for parse in (parse_note, parse_checkpoint, parse_vkey):
        try:
            parse(text)
        except NoteError as error:
            assert isinstance(error, TrackerError)  # noqa: PT017 - that nothing else comes out is what is tested


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n42\n",
        TEXT[:-1],
        TEXT + "extension\n",
        TEXT + "\n",
        TEXT.replace(ORIGIN, ""),
        TEXT.replace("42", "042"),
        TEXT.replace("42", "-1"),
        TEXT.replace("42", "+42"),
        TEXT.replace("42", "4_2"),
        TEXT.replace("42", "٤٢"),
        TEXT.replace("42", ""),
        TEXT.replace("42", "9" * 5000),
        TEXT.replace("=", ""),
        TEXT.replace("h8=", "h9="),
        TEXT.replace("AAEC", "AA EC"),
        TEXT.replace("AAEC", "____"),
        TEXT.replace("AAEC", "é"),
        f"{ORIGIN}\n42\nAAEC\n",
        TEXT.replace("\n", "\r\n"),
        "a\ud800\n42\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    ],
    ids=lambda text: ascii(text[:80]),
)
def test_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, bytes(32)),
        Checkpoint("two\nlines", 1, bytes(32)),
        Checkpoint(ORIGIN, -1, bytes(32)),
        Checkpoint(ORIGIN, 10**19, bytes(32)),
        Checkpoint(ORIGIN, 1, bytes(31)),
    ],
)
def test_checkpoint_that_could_not_be_read_back_is_not_written(checkpoint: Checkpoint) -> None:
    with pytest.raises(NoteError):
        note_text(checkpoint)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "sum.golang.org",
        "sum.golang.org+033de0ae",
        "sum.golang.org+033de0ae+",
        GO_VKEY.replace("033de0ae", "033de0af"),
        GO_VKEY.replace("033de0ae", "033DE0AE"),
        GO_VKEY.replace("sum.", "sun."),
        GO_VKEY.replace("Ac4z", "Bc4z"),
        GO_VKEY.replace("Ac4z", "Ac4y"),
        GO_VKEY[:-4],
        GO_VKEY + "=",
        GO_VKEY + "\n",
        " " + GO_VKEY,
        "+" + GO_VKEY.partition("+")[2],
        "n+00000000+" + base64.b64encode(b"\x04" + KEY).decode(),
    ],
)
def test_malformed_key_is_refused(key: str) -> None:
    with pytest.raises(NoteError):
        parse_vkey(key)


@pytest.mark.parametrize(
    "parts",
    [
        {"text": "no line feed"},
        {"text": "tab\t\n"},
        {"name": ""},
        {"name": "two words"},
        {"name": "a+b"},
        {"name": "a\ud800"},
        {"name": "a\x00"},
        {"public_key": KEY[1:]},
        {"signature": SIGNATURE[1:]},
    ],
    ids=ascii,
)
def test_note_that_could_not_be_read_back_is_not_put_together(parts: dict[str, Any]) -> None:
    whole: dict[str, Any] = {"text": TEXT, "name": "n", "public_key": KEY, "signature": SIGNATURE}
    with pytest.raises(NoteError):
        assemble(**whole | parts)


def test_key_that_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(NoteError):
        vkey("two words", KEY)
    with pytest.raises(NoteError):
        vkey("n", KEY[1:])
