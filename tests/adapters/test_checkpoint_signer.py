"""Checkpoints that we sign are notes that others can verify."""

import base64
import hashlib

import pytest

from tests.checkpointing import ORIGIN, a_signer
from tests.tokens import ed_key
from tracker.adapters.checkpoint_signer import checkpoint_vkey, is_signed
from tracker.journal.checkpoint import NoteError, parse_vkey


def test_a_text_is_signed_as_it_is_and_always_the_same():
    signer, text = a_signer(), "demo.example/journal\n42\nAAAA\n"
    signature, public = signer.sign(text), ed_key("journal").public_key().public_bytes_raw()
    assert signature == a_signer().sign(text)
    assert is_signed(public, signature, text.encode())
    assert not is_signed(public, signature, text.replace("42", "43").encode())
    assert not is_signed(public, signature[:-1], text.encode())
    assert not is_signed(ed_key("other").public_key().public_bytes_raw(), signature, text.encode())


def test_key_is_written_for_those_who_trust_it():
    key = ed_key("journal")
    name, _, rest = checkpoint_vkey(key, ORIGIN).partition("+")
    key_hash, _, encoded = rest.partition("+")
    public = key.public_key().public_bytes_raw()
    assert (name, key_hash) == (ORIGIN, hashlib.sha256(ORIGIN.encode() + b"\n\x01" + public).hexdigest()[:8])
    assert base64.b64decode(encoded) == b"\x01" + public
    assert parse_vkey(a_signer().vkey).public_key == public


def test_a_name_that_cannot_be_in_a_note_is_refused():
    with pytest.raises(NoteError):
        checkpoint_vkey(ed_key("journal"), "a name with spaces")
    with pytest.raises(NoteError):
        a_signer(origin="two words")
