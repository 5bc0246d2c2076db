"""Checkpoints that we sign are notes that others can verify."""

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature

from tests.tokens import ed_key
from tracker.adapters.checkpoint_signer import checkpoint_signer, checkpoint_vkey
from tracker.journal.checkpoint import NoteError

ROOT = hashlib.sha256(b"").digest()


def test_checkpoint_is_signed_as_the_specification_writes_it():
    key = ed_key("journal")
    note = checkpoint_signer(key, "demo.example/journal")("demo.example/journal", 42, ROOT)
    text, _, signatures = note.partition("\n\n")
    assert text.split("\n") == ["demo.example/journal", "42", base64.b64encode(ROOT).decode()]
    dash, name, encoded = signatures.rstrip("\n").split(" ")
    raw = base64.b64decode(encoded)
    public = key.public_key().public_bytes_raw()
    assert (dash, name) == ("\N{EM DASH}", "demo.example/journal")
    assert raw[:4] == hashlib.sha256(b"demo.example/journal\n\x01" + public).digest()[:4]
    key.public_key().verify(raw[4:], f"{text}\n".encode())
    with pytest.raises(InvalidSignature):
        key.public_key().verify(raw[4:], f"{text.replace('42', '43')}\n".encode())


def test_key_may_have_another_name_than_the_journal():
    note = checkpoint_signer(ed_key("journal"), "witness.example")("demo.example/journal", 0, ROOT)
    assert note.startswith("demo.example/journal\n0\n")
    assert "\N{EM DASH} witness.example " in note


def test_key_is_written_for_those_who_trust_it():
    key = ed_key("journal")
    name, _, rest = checkpoint_vkey(key, "demo.example/journal").partition("+")
    key_hash, _, encoded = rest.partition("+")
    public = key.public_key().public_bytes_raw()
    assert (name, len(key_hash)) == ("demo.example/journal", 8)
    assert base64.b64decode(encoded) == b"\x01" + public


def test_what_cannot_be_in_a_note_is_refused():
    sign = checkpoint_signer(ed_key("journal"), "demo.example/journal")
    for origin, size, root in (("two\nlines", 1, ROOT), ("a", -1, ROOT), ("a", 1, b"short")):
        with pytest.raises(NoteError):
            sign(origin, size, root)
    with pytest.raises(NoteError):
        checkpoint_vkey(ed_key("journal"), "a name with spaces")
