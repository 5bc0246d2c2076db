"""Wycheproof and RFC 7520 against the opener's own verification; deviations are listed one by one, with reasons."""

from collections import Counter

import pytest

from tests.tokens import with_flipped_bit
from tests.vectors import published
from tests.vectors.deviations import DEVIATIONS, ONLY_THE_DECLARATION_REFUSES
from tests.vectors.published import ABSENT, ACCEPTED, careless, registered, rfc7520, verdict, wycheproof
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.domain.errors import MalformedEventError, UndecryptableEventError, UntrustedEventError

EXPECTED = {(d.file, number): d for d in DEVIATIONS for number in d.numbers}

needs_wycheproof = pytest.mark.skipif(not wycheproof(), reason=ABSENT)
needs_rfc7520 = pytest.mark.skipif(rfc7520() is None, reason=ABSENT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


# ---------------------------------------------------------------------------------------------- Wycheproof


@needs_wycheproof
@pytest.mark.parametrize("vector", wycheproof(), ids=lambda v: f"{v.file.removesuffix('_test')}-{v.number}")
def test_vector_comes_out_as_its_authors_say_or_as_we_say_why(vector, folder):
    found = verdict(vector, folder)
    deviation = EXPECTED.get((vector.file, vector.number))
    if deviation is None:
        assert (found == ACCEPTED) == vector.is_valid, (vector.facts["comment"], found)
    else:
        assert vector.is_valid, "nothing invalid is ever listed: we would have to accept it"
        assert found == deviation.verdict, "it does not deviate, or in another way"


@needs_wycheproof
def test_every_vector_ran_and_no_deviation_is_made_up(record_property):
    ran = {(v.file, v.number) for v in wycheproof()}
    assert len(ran) == 649
    assert EXPECTED.keys() <= ran
    assert len(EXPECTED) == sum(len(d.numbers) for d in DEVIATIONS) == 91, "each stands once"
    record_property("vectors", len(ran))


@needs_wycheproof
def test_vectors_reach_what_they_are_about(folder):
    """Most vectors are for algorithms that we refuse. Those for ours go all the way, and not to some check before it."""
    reached = Counter(verdict(vector, folder) for vector in wycheproof())
    assert reached[ACCEPTED] == 31
    assert reached["signature_invalid"] == 83
    assert reached["kid_missing"] == 0


@needs_wycheproof
def test_tokens_without_a_key_id_are_refused_and_nothing_more_is_accepted(folder):
    for vector in wycheproof():
        lent, real = verdict(vector, folder), verdict(vector, folder, lend_kid=False)
        assert real in {lent, "kid_missing"}


@needs_wycheproof
def test_token_is_refused_when_its_key_does_not_say_what_it_is_for(folder):
    accepted = {
        (vector.file, vector.number)
        for vector in wycheproof()
        if verdict(vector, folder, declare_alg=False) == ACCEPTED and not vector.is_valid
    }
    assert accepted == ONLY_THE_DECLARATION_REFUSES.keys()


# ---------------------------------------------------------------------------------------------- RFC 7520 §6


@pytest.fixture
def nested(folder):
    """The RFC's nested token, its keys as we would have them, and what its parts say."""
    told = rfc7520()
    sealing, signing = told["encrypt"]["input"], told["sign"]["input"]
    crypto, _ = registered(published.json.dumps(sealing["key"]), folder)
    (key,) = published.published({n: signing["key"][n] for n in ("kty", "kid", "use", "n", "e")}).values()
    push = careless({"alg": sealing["alg"], "enc": sealing["enc"]})
    return told, crypto, push, sealing["key"]["kid"], key


@needs_rfc7520
def test_rfc7520_nested_token_is_opened_and_verified(nested):
    told, crypto, push, kid, key = nested
    with published._lending(kid):
        inner = crypto.decrypt(told["encrypt"]["output"]["compact"].encode(), push).plaintext
    assert inner.decode() == told["sign"]["output"]["compact"]
    with published._lending(key.kid):
        claims = JwcryptoEventCrypto({}).verify(inner, key, {"PS256"})
    assert claims == published.json.loads(told["sign"]["input"]["payload"])


@needs_rfc7520
def test_rfc7520_nested_token_deviates_only_by_its_missing_key_id(nested):
    told, crypto, push, _, key = nested
    with pytest.raises(MalformedEventError, match="kid_missing"):
        crypto.decrypt(told["encrypt"]["output"]["compact"].encode(), push)
    with pytest.raises(MalformedEventError, match="kid_missing"):
        crypto.verify(told["sign"]["output"]["compact"].encode(), key, {"PS256"})


@needs_rfc7520
@pytest.mark.parametrize("part", [1, 2, 3, 4])
def test_rfc7520_encrypted_token_with_one_bit_changed_stays_shut(nested, part):
    told, crypto, push, kid, _ = nested
    with published._lending(kid), pytest.raises(UndecryptableEventError, match="decryption_failed"):
        crypto.decrypt(with_flipped_bit(told["encrypt"]["output"]["compact"].encode(), part), push)


@needs_rfc7520
@pytest.mark.parametrize("part", [1, 2])
def test_rfc7520_signed_token_with_one_bit_changed_is_not_believed(nested, part):
    told, crypto, _, _, key = nested
    with published._lending(key.kid), pytest.raises(UntrustedEventError, match="signature_invalid"):
        crypto.verify(with_flipped_bit(told["sign"]["output"]["compact"].encode(), part), key, {"PS256"})
