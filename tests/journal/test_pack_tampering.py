"""Packs with something wrong in them: never accepted, and what is wrong is named."""

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tokens
from tests.journal.drafts import ORIGIN, Signer, sealed
from tests.journal.packs import (
    CONSENT,
    TIMES,
    Said,
    Story,
    a_pack,
    anchors,
    check,
    claims,
    hub_thumbprint,
    pack_of,
    refused,
    resigned,
    said_in,
    sealing,
    written,
)
from tracker.journal import tree
from tracker.journal.canonical import canonical
from tracker.journal.checkpoint import Checkpoint
from tracker.journal.pack import pack_bytes
from tracker.journal.verify import Answer
from tracker.journal.verify_pack import Anchors, verify_pack
from tracker.journal.verify_tokens import Word

REST = "0 on an unsigned answer of the holder, 1 on our own word"


@pytest.fixture(scope="module")
def pack(signer: Signer) -> bytes:
    return a_pack(signer)


def changed(pack: bytes, change: Callable[[Said], Any]) -> Said:
    said = copy.deepcopy(said_in(pack))
    change(said)
    return said


def rehashed(said: Said, place: int) -> None:
    entry = said["entries"][place]
    entry["leaf_hash"] = hashlib.sha256(b"\x00" + canonical(entry["entry"])).hexdigest()


def test_a_good_one_is_accepted(pack: bytes, signer: Signer) -> None:
    verdict = check(pack, signer)
    assert verdict.accepted, verdict.lines()
    assert verdict.lines() == (
        f"intact         yes: 4 entries in the tree of 12, root {said_in(pack)['tree']['root_hash']}",
        f"by whom        {ORIGIN}, key {signer.short}",
        f"holder's word  yes: 3 entries on tokens signed by keys of demobank that you trust; {REST}",
        (
            "covers         entries 2 to 10, none missing between them but what a restore may have lost; "
            "that none follows up to 12 is the word of whoever signed the pack; there may be later ones from 13 on"
        ),
    )
    assert [one.word for one in verdict.words] == [Word.OWN, *[Word.HOLDERS] * 3]


WRONG: dict[str, tuple[Callable[[Said], Any], str]] = {
    "entry changed": (lambda p: p["entries"][1]["entry"]["data"].update(usable=False), "entry 5: what it says"),
    "entry changed, with its hash": (
        lambda p: (p["entries"][1]["entry"]["data"].update(usable=False), rehashed(p, 1)),
        "entry 5: its proof does not lead",
    ),
    "entry of another form": (
        lambda p: (p["entries"][1]["entry"].pop("time"), rehashed(p, 1)),
        "entry 5: the entry has no time",
    ),
    "entry removed": (lambda p: p["entries"].pop(2), "entry 10: it names 6 as its consent's entry before, and here"),
    "first entry removed": (lambda p: p["entries"].pop(0), "entry 5: it names 2"),
    "entries swapped": (
        lambda p: p["entries"].insert(1, p["entries"].pop(2)),
        "entry 6: it names 5 as its consent's entry before, and here that is 2",
    ),
    "entry twice": (lambda p: p["entries"].insert(1, p["entries"][1]), "entry 5: it does not come after"),
    "no entry": (lambda p: p.update(entries=[], terms=None, told=[]), "there is no entry"),
    "entry of another journal": (lambda p: p.update(journal_id="0" * 8 + p["journal_id"][8:]), "another journal"),
    "about another consent": (lambda p: p["consent"].update(consent_id="c-2"), "entry 2: it is about another consent"),
    "about another provider": (lambda p: p["consent"].update(provider="otherbank"), "provider differs"),
    "private value changed": (
        lambda p: p["entries"][0]["private"].update(user_ref="customer-7"),
        "entry 2: its private value",
    ),
    "salt changed": (lambda p: p["entries"][0].update(private_salt="A" * 43), "entry 2: its private value"),
    "salt cut": (lambda p: p["entries"][0].update(private_salt="A" * 42), "entry 2: private_salt"),
    "salt beyond ASCII": (lambda p: p["entries"][0].update(private_salt="é" * 43), "entry 2: private_salt"),
    "value without salt": (
        lambda p: p["entries"][0].update(private_salt=None),
        "entry 2: a private value and its salt",
    ),
    "proof changed": (lambda p: p["entries"][3]["proof"].__setitem__(0, "0" * 64), "entry 10: its proof"),
    "proof cut": (lambda p: p["entries"][3]["proof"].pop(), "entry 10: its proof"),
    "proof of another entry": (
        lambda p: p["entries"][3].update(proof=p["entries"][2]["proof"]),
        "entry 10: its proof",
    ),
    "tree cut": (lambda p: p["tree"].update(size=9), "entry 10: it is not among the first 9"),
    "tree cut to before an entry": (
        lambda p: (p["tree"].update(size=1, root_hash=p["entries"][0]["leaf_hash"]), p["entries"][0].update(proof=[])),
        "entry 2: it is not among the first 1",
    ),
    "root changed": (lambda p: p["tree"].update(root_hash="0" * 64), "entry 2: its proof"),
    "proof of consistency changed": (
        lambda p: p["tree"]["consistency"][0].update(root_hash="0" * 64),
        "the proof of consistency with the tree of 5",
    ),
    "token changed": (
        lambda p: p["tokens"][1].update(jws=p["tokens"][1]["jws"] + "A"),
        "its bytes have another hash",
    ),
    "tokens swapped": (
        lambda p: (p["tokens"][0].update(jws=p["tokens"][1]["jws"]),),
        "its bytes have another hash",
    ),
    "token twice": (lambda p: p["tokens"].append(p["tokens"][0]), "twice"),
    "token's key named otherwise": (
        lambda p: p["tokens"][0].update(jwk_thumbprint="A" * 43),
        "the key that verified it is not there",
    ),
    "key changed": (
        lambda p: p["keys"][0].update(jwk=tokens.public_jwk(tokens.rsa_key("made up"))),
        "its jwk has another thumbprint",
    ),
    "key of no form": (lambda p: p["keys"][0].update(jwk={"kty": ["RSA"]}), "its jwk has another thumbprint"),
    "key that no token names": (
        lambda p: p["keys"].append(
            p["keys"][0]
            | {"jwk": tokens.public_jwk(tokens.rsa_key("made up")), "jwk_thumbprint": hub_thumbprint("made up")}
        ),
        "no token names it",
    ),
    "terms changed": (lambda p: p["terms"]["data"].update(Purpose="anything"), "the terms are not those"),
    "terms of no entry": (lambda p: p["terms"].update(stated_by=5), "the terms are not those"),
    "terms before they were granted": (lambda p: p["terms"].update(authorized_by=2), "an entry that authorized"),
    "terms of a later authorization": (lambda p: p["terms"].update(authorized_by=6), "an entry that authorized"),
    "terms not told": (lambda p: p.update(terms=None), "the terms as granted are in its entries"),
    "left out what is there": (lambda p: p.update(left_out=["private"]), "private values are said to be left out"),
    "left out tokens that are there": (lambda p: p.update(left_out=["tokens"]), "tokens are said to be left out"),
    "left out twice": (lambda p: p.update(left_out=["tokens", "tokens"]), "left_out says something twice"),
    "told of another entry": (
        lambda p: p["told"][0]["entries"][0].update(sequence=4),
        "told of an entry that is not here",
    ),
    "member more": (lambda p: p.update(more=1), "'more'"),
    "member fewer": (lambda p: p.pop("access"), "has no access"),
    "access of another form": (lambda p: p["access"][0].update(at="yesterday"), "number 1 of access: at is not"),
    "told of another form": (lambda p: p["told"][0]["work"][0].update(work=7), "number 1 of work: work is not"),
    "entry a number": (lambda p: p["entries"].__setitem__(1, 7), "entries is not of its form"),
    "entry's leaf a number": (lambda p: p["entries"][1].update(entry=7), "entry is not of its form"),
    "sequence that moves the cursor": (
        lambda p: p["entries"][1]["entry"].update(sequence="\x1b[2J"),
        "number 2 of entries",
    ),
    "half a surrogate pair": (lambda p: p["access"][0].update(who="\ud800"), "canonical"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("mended", [False, True], ids=["digest as it was", "digest mended"])
def test_what_is_wrong_is_named(
    pack: bytes, signer: Signer, change: Callable[[Said], Any], words: str, mended: bool
) -> None:
    said = changed(pack, change)
    try:
        spoilt = written(said, pack) if mended else canonical(json.loads(pack) | {"pack": said}) + b"\n"
    except Exception:
        spoilt = json.dumps(json.loads(pack) | {"pack": said}).encode()
    refused(check(spoilt, signer), words)


UNPROVED: dict[str, Callable[[Said], Any]] = {
    "who looked": lambda p: p["access"].clear(),
    "who was told": lambda p: p["told"][0]["entries"][0].update(state="waiting"),
    "who reported": lambda p: p["told"][0]["work"][0].update(reported_at="2026-03-04T11:14:00.000000Z"),
    "where a key came from": lambda p: p["keys"][0].update(jwks_uri="https://elsewhere.example"),
    "the server's certificate": lambda p: p["keys"][0].update(tls_chain_sha256=[]),
    "when it was verified": lambda p: p["tokens"][0]["verification"].update(at="2026-03-02T11:13:21.000000Z"),
    "a token that no entry needs": lambda p: p["tokens"].pop(0),
    "unsigned answers": lambda p: p["unsigned_answers"].append(
        {"received_at": p["made_at"], "status": "Authorized", "status_date_time": p["made_at"]}
    ),
    "when it was made": lambda p: p.update(made_at="2027-03-02T12:00:00.000000Z"),
}
"""What no proof covers: the seal does."""


@pytest.mark.parametrize("change", UNPROVED.values(), ids=UNPROVED.keys())
def test_what_only_the_seal_covers_is_found(pack: bytes, signer: Signer, change: Callable[[Said], Any]) -> None:
    said = changed(pack, change)
    refused(check(canonical(json.loads(pack) | {"pack": said}) + b"\n", signer), "its sha256")
    mended = check(written(said, pack), signer)
    assert mended.intact.answer is Answer.OK
    assert (mended.by_whom.answer, mended.by_whom.sentence) == (Answer.NO, "no: the seal is of another pack")
    assert not mended.accepted
    unsealed = check(canonical(json.loads(written(said, pack)) | {"seal": None}) + b"\n", signer)
    assert unsealed.by_whom.answer is Answer.UNANCHORED
    assert "nobody that you trust signed the rest of the pack" in unsealed.by_whom.sentence
    assert not unsealed.accepted


def test_forged_checkpoints_are_told(pack: bytes, signer: Signer) -> None:
    said = said_in(pack)
    root = bytes.fromhex(said["tree"]["root_hash"])
    forger = Signer()
    forged = {
        "not by that key": lambda n: n.replace(n.split("— ")[1], signer.note(Checkpoint("x", 1, root)).split("— ")[1]),
        "is of another tree": lambda _: signer.note(Checkpoint(ORIGIN, 11, root)),
        "'other.example'": lambda _: signer.note(Checkpoint("other.example", 12, root)),
        "cannot be read": lambda n: n[:-3],
    }
    for words, forge in forged.items():
        note = forge(said["tree"]["checkpoint"])
        tampered = said | {"tree": said["tree"] | {"checkpoint": note}}
        verdict = check(pack_bytes(tampered, sealing(signer)), signer)
        assert (verdict.by_whom.answer, verdict.accepted) == (Answer.NO, False)
        assert words in verdict.by_whom.sentence, verdict.by_whom.sentence
    verdict = check(resigned(said, forger), signer)
    assert verdict.by_whom.sentence.startswith("unanchored: no key that you trust signed this")


def test_a_journal_signed_again_with_another_key_is_unanchored_and_refused_by_a_published_checkpoint(
    pack: bytes, signer: Signer
) -> None:
    said = said_in(pack)
    published = said["tree"]["checkpoint"]
    story = Story()
    others = sealed([replace(draft, usable=False) for draft in story.drafts()])
    rewritten = resigned(pack_of(others, story.kept), Signer())
    assert check(rewritten, signer).by_whom.answer is Answer.UNANCHORED
    assert verify_pack(rewritten, Anchors()).by_whom.answer is Answer.UNANCHORED
    against = verify_pack(rewritten, Anchors(checkpoint=published))
    assert against.by_whom.answer is Answer.NO
    assert "another root: the pack is of another history" in against.by_whom.sentence
    earlier = tree.root([entry.leaf_hash for entry in sealed(Story().drafts())[:5]])
    older = verify_pack(rewritten, Anchors(checkpoint=signer.note(Checkpoint(ORIGIN, 5, earlier))))
    assert (older.by_whom.answer, "another root" in older.by_whom.sentence) == (Answer.NO, True)
    foreign = verify_pack(pack, Anchors(checkpoint=signer.note(Checkpoint("other", 12, earlier))))
    assert (foreign.by_whom.answer, "another journal" in foreign.by_whom.sentence) == (Answer.NO, True)


def test_a_pack_is_no_checkpoint_and_a_checkpoint_is_no_seal(pack: bytes, signer: Signer) -> None:
    file = json.loads(pack)
    swapped = canonical(file | {"seal": file["pack"]["tree"]["checkpoint"]}) + b"\n"
    assert check(swapped, signer).by_whom.sentence == "no: the seal is of another pack"
    said = changed(pack, lambda p: p["tree"].update(checkpoint=file["seal"]))
    assert "is of another tree" in check(resigned_keeping(said, signer), signer).by_whom.sentence


def resigned_keeping(said: Said, signer: Signer) -> bytes:
    return pack_bytes(said, sealing(signer))


def test_terms_that_were_changed_before_they_were_granted_are_not_those_as_granted(signer: Signer) -> None:
    story = Story()
    drafts = story.drafts()
    at = [n for n, draft in enumerate(drafts) if draft.consent_id == CONSENT]
    asked = {"terms": {"Permissions": ["ReadBalances"]}}
    more = replace(drafts[at[0]], id="0198f1c2-0000-7000-8000-0000000000ff", private=asked, private_salt=b"u" * 32)
    drafts.insert(at[0] + 1, replace(more, type="consent.terms_changed"))
    said = pack_of(sealed(drafts), story.kept)
    said["told"] = []
    said["terms"] = {"authorized_by": 6, "stated_by": 3, "data": asked["terms"]}
    assert check(resigned(said, signer), signer).accepted
    said["terms"] = {"authorized_by": 6, "stated_by": 2, "data": said["entries"][0]["private"]["terms"]}
    refused(check(resigned(said, signer), signer), "the terms are not those that were told last")


# ---------------------------------------------------------------------------------------------- the holder's word


def told(signer: Signer, change: Callable[[Story, list[Any]], list[Any]], *, key: str = "hub", kid: str = "") -> bytes:
    """A pack of a journal that whoever holds our key has made up: its tokens do not fit what its entries tell."""
    story = Story(key, kid or tokens.HUB_KID)
    drafts = change(story, story.drafts())
    return resigned(pack_of(sealed(drafts), story.kept, story.key, story.kid), signer)


def swapped(place: int, **facts: Any) -> Callable[[Story, list[Any]], list[Any]]:
    """Change what one entry of the consent tells; the third one is its revocation."""

    def change(story: Story, drafts: list[Any]) -> list[Any]:
        if "evidence" in facts:
            story.kept.pop(place - 1)
        made = {name: value(story) if callable(value) else value for name, value in facts.items()}
        at = [n for n, draft in enumerate(drafts) if draft.consent_id == CONSENT][place]
        return [replace(draft, **made) if n == at else draft for n, draft in enumerate(drafts)]

    return change


FALSE: dict[str, tuple[Callable[[Story, list[Any]], list[Any]], str]] = {
    "token of an earlier status": (
        swapped(3, evidence=lambda s: (s.token("Authorized", TIMES[0], jti="again"),)),
        "entry 10: its token",
    ),
    "token of another consent": (
        swapped(3, evidence=lambda s: (s.token("Revoked", TIMES[2], consent_id="another"),)),
        "it is about another consent",
    ),
    "token for another client": (
        swapped(3, evidence=lambda s: (s.token("Revoked", TIMES[2], aud=["somebody"]),)),
        "it is meant for another client",
    ),
    "token of another issuer": (
        swapped(3, evidence=lambda s: (s.token("Revoked", TIMES[2], iss="https://other.example"),)),
        "about another token",
    ),
    "token that had lapsed": (swapped(3, evidence=lambda s: (s.token("Revoked", TIMES[2], exp=1),)), "it had lapsed"),
    "token of the future": (
        swapped(3, evidence=lambda s: (s.token("Revoked", TIMES[2], nbf=2**40),)),
        "it was not valid yet",
    ),
    "token without an end": (
        swapped(3, evidence=lambda s: (s.token("Revoked", TIMES[2], exp="soon"),)),
        "how long it is valid",
    ),
    "token of no message": (
        swapped(3, evidence=lambda s: (s.token("Revoked", TIMES[2], message={}),)),
        "cannot be read as a message",
    ),
    "another instant": (
        swapped(3, status_date_time=datetime.fromisoformat("2026-03-02T11:13:26Z")),
        "and the entry tells revoked since 2026-03-02T11:13:26",
    ),
    "entry names another key": (
        swapped(3, evidence=lambda s: (replace(s.token("Revoked", TIMES[2]), kid="another"),)),
        "another key than the entry names",
    ),
    "entry names another body": (
        swapped(3, evidence=lambda s: (replace(s.token("Revoked", TIMES[2]), jwe_sha256="1" * 64),)),
        "another body than the entry names",
    ),
    "another who revoked": (
        swapped(3, revoked_by="TPP.InitiatedByUser"),
        "by 'TPP.InitiatedByUser'",
    ),
    "other terms than the token's": (
        swapped(2, private={"terms": {"Permissions": ["ReadEverything"]}}, private_salt=b"t" * 32),
        "it has other terms",
    ),
    "came another way": (
        swapped(3, evidence=lambda s: (replace(s.token("Revoked", TIMES[2]), channel="poll"),)),
        "no message of the kind",
    ),
}


@pytest.mark.parametrize(("change", "words"), FALSE.values(), ids=FALSE.keys())
def test_a_token_that_does_not_say_so_is_named(
    signer: Signer, change: Callable[[Story, list[Any]], list[Any]], words: str
) -> None:
    verdict = check(told(signer, change), signer)
    assert (verdict.intact.answer, verdict.by_whom.answer) == (Answer.OK, Answer.OK), verdict.lines()
    assert verdict.holders_word.answer is Answer.NO, verdict.lines()
    assert words in verdict.holders_word.sentence, verdict.holders_word.sentence
    assert not verdict.accepted
    assert not verify_pack(told(signer, change), anchors(signer), allow_unanchored=True).accepted


NOT_STATED: dict[str, Callable[[Story, list[Any]], list[Any]]] = {
    "a move by a type that tells none": swapped(3, type="consent.irregular"),
    "an unheard-of type": swapped(3, type="consent.status_moved"),
    "a move that we inferred": swapped(3, confirmed=False, inferred=True),
    "a move without a time": swapped(3, status_date_time=None),
}


@pytest.mark.parametrize("change", NOT_STATED.values(), ids=NOT_STATED.keys())
def test_what_no_token_has_to_state_is_not_told_as_the_holders_word(
    signer: Signer, change: Callable[[Story, list[Any]], list[Any]]
) -> None:
    verdict = check(told(signer, change), signer)
    assert [one.word for one in verdict.words] == [Word.OWN, Word.HOLDERS, Word.HOLDERS, Word.OWN], verdict.lines()
    assert "2 on our own word" in verdict.holders_word.sentence


def test_a_key_that_only_the_pack_vouches_for_is_never_a_yes(signer: Signer) -> None:
    made_up = a_pack(signer, "made up", "made-up-kid")
    verdict = check(made_up, signer)
    assert verdict.intact.answer is Answer.OK
    assert verdict.holders_word.sentence == (
        f"unanchored: 3 entries signed by a key that only the pack vouches for ('made-up-kid'); {REST}"
    )
    assert not verdict.accepted
    assert [one.word for one in verdict.words] == [Word.OWN, *[Word.UNANCHORED] * 3]


def test_a_made_up_key_under_the_holders_name_is_named(signer: Signer) -> None:
    verdict = check(a_pack(signer, "made up"), signer)
    assert verdict.holders_word.answer is Answer.NO
    assert f"the key '{tokens.HUB_KID}' is another one among those that you trust" in verdict.holders_word.sentence


def test_a_signature_by_another_key_is_named(signer: Signer) -> None:
    """The pack says that the holder's key verified a token, and it did not."""
    story = Story()
    drafts = story.drafts()
    forged = tokens.jws(claims("Revoked", TIMES[2]), key=tokens.rsa_key("made up"))
    proof = replace(story.token("Revoked", TIMES[2]), jws_sha256=hashlib.sha256(forged).hexdigest())
    story.kept[-1] = forged
    made = resigned(pack_of(sealed(swapped(3, evidence=(proof,))(story, drafts)), story.kept), signer)
    for given_keys in (tokens.hub_jwks(), None):
        verdict = check(made, signer, holder_keys=given_keys)
        assert verdict.holders_word.answer is Answer.NO
        assert "its signature is not by its key" in verdict.holders_word.sentence


@pytest.mark.parametrize("name", list(tokens.REFUSED_AT_VERIFICATION))
def test_no_token_that_opening_refuses_is_the_holders_word(signer: Signer, name: str) -> None:
    story = Story()
    drafts = story.drafts()
    bad = tokens.REFUSED_AT_VERIFICATION[name].make()
    try:
        bad.decode("ascii")
    except UnicodeDecodeError:
        return
    proof = replace(story.token("Revoked", TIMES[2]), jws_sha256=hashlib.sha256(bad).hexdigest())
    story.kept[-1] = bad
    made = resigned(pack_of(sealed(swapped(3, evidence=(proof,))(story, drafts)), story.kept), signer)
    verdict = check(made, signer)
    assert (verdict.intact.answer, verdict.holders_word.answer) == (Answer.OK, Answer.NO), verdict.lines()


def test_a_token_that_is_not_there_leaves_it_open(pack: bytes, signer: Signer) -> None:
    said = changed(pack, lambda p: p["tokens"].pop())
    verdict = check(resigned(said, signer), signer)
    assert verdict.holders_word.sentence.startswith("unknown: the tokens of 1 entry are not in the pack")
    assert not verdict.accepted


def test_a_profile_that_is_not_known_leaves_it_open(pack: bytes, signer: Signer) -> None:
    said = changed(pack, lambda p: p["consent"].update(profile="martian-v1"))
    verdict = check(resigned(said, signer), signer)
    assert verdict.holders_word.sentence == "unknown: tokens of 'martian-v1' cannot be read here"
    assert not verdict.accepted


@pytest.mark.parametrize(
    "facts", [{"use": "enc"}, {"alg": "RS256"}, {"key_ops": ["encrypt"]}, {"key_ops": None}, {"d": "AQAB"}]
)
def test_a_key_that_is_for_something_else_anchors_nothing(pack: bytes, signer: Signer, facts: Any) -> None:
    keys = json.loads(tokens.hub_jwks())
    keys["keys"] = [key | facts for key in keys["keys"]]
    verdict = check(pack, signer, holder_keys=json.dumps(keys).encode())
    assert (verdict.holders_word.answer, verdict.accepted) == (Answer.UNANCHORED, False)


def test_keys_of_another_provider_anchor_nothing(pack: bytes, signer: Signer) -> None:
    for keys, answer in (
        ({"demobank": json.loads(tokens.hub_jwks())}, Answer.OK),
        ({"otherbank": json.loads(tokens.hub_jwks())}, Answer.UNANCHORED),
        ({}, Answer.UNANCHORED),
    ):
        assert check(pack, signer, holder_keys=json.dumps(keys).encode()).holders_word.answer is answer


# ---------------------------------------------------------------------------------------------- anything at all


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_flipped_bit_is_found(pack: bytes, signer: Signer, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(pack) * 8 - 1))
    spoilt = bytearray(pack)
    spoilt[place // 8] ^= 1 << place % 8
    verdict = check(bytes(spoilt), signer)
    assert not verdict.accepted
    # Whose signature the seal says to have can be flipped too: then it is nobody's that is trusted.
    assert Answer.NO in {verdict.intact.answer, verdict.by_whom.answer} or verdict.by_whom.answer is Answer.UNANCHORED
    assert all(line.isprintable() for line in verdict.lines())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_other_cut_is_found(pack: bytes, signer: Signer, data: st.DataObject) -> None:
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(pack))] * 2)))
    filling = data.draw(st.binary(max_size=4))
    spoilt = pack[:begin] + filling + pack[end:]
    if spoilt != pack:
        verdict = check(spoilt, signer)
        assert not verdict.accepted


@pytest.mark.parametrize(
    "file",
    [b"", b"{", b"[]", b"7\n", b"null", b"\xff", b"[" * 100_000, b'{"format":"consent-tracker/evidence-pack"}'],
    ids=["nothing", "cut off", "a list", "a number", "null", "not UTF-8", "deep", "hardly anything"],
)
def test_what_is_no_pack_is_refused(file: bytes, signer: Signer) -> None:
    refused(check(file, signer))


WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "white space": lambda pack: pack.replace(b'{"format"', b'{ "format"', 1),
    "no line feed": lambda pack: pack[:-1],
    "carriage return": lambda pack: pack[:-1] + b"\r\n",
    "number with a zero more": lambda pack: pack.replace(b'"Amount":12.5', b'"Amount":12.50', 1),
    "needless escape": lambda pack: pack.replace(b'"customer-42"', b'"\\u0063ustomer-42"', 1),
}


@pytest.mark.parametrize("change", WRITTEN.values(), ids=WRITTEN.keys())
def test_there_is_one_way_to_write_a_pack(pack: bytes, signer: Signer, change: Callable[[bytes], bytes]) -> None:
    assert change(pack) != pack
    refused(check(change(pack), signer), "not written as packs are written")


@pytest.mark.parametrize("part", [b"[],", b'"ab",', b"{},"])
def test_what_would_fill_the_memory_is_not_read(part: bytes, signer: Signer) -> None:
    refused(check(b'{"pack":[' + part * 4_000_001 + b"1]}", signer), "more than 4000000 parts")


def test_member_twice_is_refused(pack: bytes, signer: Signer) -> None:
    refused(check(pack.replace(b'"format":', b'"seal":null,"format":', 1), signer), "twice")
