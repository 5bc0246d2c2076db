"""Whatever a holder answers, publishes or redirects to ends in one family of errors or in something that may be used."""

import asyncio
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from tests import tokens
from tests.fuzz.inputs import (
    DOCUMENTED,
    bounded,
    bounded_memory,
    fuzz,
    json_documents,
    label,
    monsters,
    raw_json,
    signed,
    spoilt,
)
from tests.fuzz.test_door_and_opener import INNER
from tests.profiles import uae_payloads as uae
from tests.profiles.made_up import KIND, LIBRARY_CARDS, a_card
from tests.profiles.test_uae_v2_1_totality import mutated
from tests.usecases.bench import CONSENT, DEMOBANK, NOW, UAE, a_provider, data, keys_of, open_bench, our_crypto
from tracker.adapters import sender
from tracker.adapters.hub import refusals
from tracker.adapters.hub.answers import AnswerReader
from tracker.adapters.hub.consents import MAX_ANSWER_BYTES
from tracker.adapters.hub.discovery import read_metadata
from tracker.adapters.hub.headers import fresh_seconds, retry_after_seconds
from tracker.adapters.hub.session import Reply
from tracker.adapters.hub.tokens import read_token
from tracker.adapters.hub.urls import is_loopback
from tracker.adapters.public_keys import MAX_KEYS, MAX_SET_BYTES, verification_keys
from tracker.domain.errors import ConsentApiContractError, ConsentApiError, KeysUnavailableError
from tracker.ports import Answer
from tracker.profiles.profile import UnreadableMessageError

ADDRESS = URL("https://rs1.example/consents/c-1")
READ_REASONS = {reason for step, reason in DOCUMENTED if step == "read"}
KINDS = [*((UAE, kind) for kind in UAE.kinds.values()), (LIBRARY_CARDS, LIBRARY_CARDS.kinds[KIND])]


def reply(body, *, status=200, media="application/json", **headers):
    return Reply(url=ADDRESS, status=status, headers=CIMultiDict({"Content-Type": media, **headers}), body=body)


class PublishedKeys:
    """A holder's keys, all at hand."""

    async def find_published(self, kid):
        return keys_of("hub", tokens.HUB_KID).get(kid)


class Now:
    def now(self):
        return NOW


@pytest.fixture(scope="module")
def crypto(tmp_path_factory):
    return our_crypto(tmp_path_factory.mktemp("keys"))


# ---------------------------------------------------------------------------------------------- answers

HEADER_TEXTS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    st.sampled_from(
        [
            "9" * 400,
            "Mon, 02 Mar 2026 11:13:21 +99999999999999999",
            "-1",
            "1e9",
            "Mon, 02 Mar 2026 11:13:21 GMT",
            "Mon, 99 Foo 99999999999 99:99:99 +99999999",
            "0" * 8000,
        ]
    ),
    st.sampled_from(
        ["max-age=", "no-store", 'max-age="60"', "max-age=99999999999999999999", "," * 8000, "max-age " * 900]
    ),
)


def read_answer(crypto, said, profile, kind):
    """Read an answer as far as the profile; hold the outcome to what is documented."""
    reader = AnswerReader(a_provider(DEMOBANK, tokens.ISSUER, profile), PublishedKeys(), crypto, Now())
    with bounded():
        try:
            answer = asyncio.run(reader.read(said, kind))
        except ConsentApiError as error:
            label("refused")
            return error
        assert isinstance(answer, Answer)
        assert answer.token is not None or not kind.must_be_signed
        try:
            return profile.read_consent(kind.name, answer.body)
        except UnreadableMessageError as error:
            label(error.reason)
            unreadable = error.reason
    assert unreadable in READ_REASONS or profile is LIBRARY_CARDS
    return None


MEDIA = st.sampled_from(["application/json", "application/jwt", "application/json; charset=x", "", "text/html", ";;"])


@fuzz()
@given(json_documents, MEDIA, st.sampled_from(KINDS))
def test_answer_may_be_anything(crypto, body, media, kind):
    read_answer(crypto, reply(body, media=media), *kind)


@fuzz()
@given(mutated([uae.answer(uae.sharing()), uae.answer(uae.pushed_payment()), uae.answer(uae.insurance())]), st.data())
def test_signed_answer_may_be_anything(crypto, body, data):
    token = signed(raw_json(tokens.claims(message=body)))
    token = data.draw(spoilt(token, lambda: signed({}, key="stranger"), INNER))
    read_answer(crypto, reply(token, media="application/jwt"), *data.draw(st.sampled_from(KINDS)))


@fuzz()
@given(mutated([a_card("card-1")]))
def test_answer_of_another_ecosystem_may_be_anything(crypto, body):
    read_answer(crypto, reply(raw_json(body)), *KINDS[-1])


@fuzz()
@given(
    json_documents | st.just(signed(tokens.claims(message={"Errors": [{"Code": "x"}]}))),
    st.integers(100, 999),
    MEDIA,
    HEADER_TEXTS,
    st.sampled_from([UAE, LIBRARY_CARDS]),
)
def test_refusal_may_be_anything(body, status, media, retry_after, profile):
    said = reply(body, status=status, media=media, **{"Retry-After": retry_after})
    with bounded():
        for error in (
            refusals.consent_refused(said, profile, NOW),
            refusals.token_refused(said, NOW),
            refusals.unusable(said, NOW),
        ):
            assert isinstance(error, ConsentApiError)
            assert str(error).isprintable()
            assert len(str(error)) < 300


@fuzz()
@given(HEADER_TEXTS)
def test_headers_may_be_anything(text):
    with bounded(0.2):
        assert 60 <= fresh_seconds({"Cache-Control": text}) <= 3600
        wait = retry_after_seconds({"Retry-After": text}, NOW)
        assert wait is None or 1 <= wait <= 86_400
        wait = sender._retry_after(text, NOW)
        assert wait is None or 0 <= wait <= 86_400


@fuzz()
@given(mutated([{"access_token": "abc", "token_type": "Bearer", "expires_in": 600}]).map(raw_json) | json_documents)
def test_token_answer_may_be_anything(body):
    with bounded():
        try:
            token = read_token(reply(body), 0.0)
        except ConsentApiContractError:
            return
    assert token.value.isascii()
    assert token.value.isprintable()
    assert 0 < token.renew_at <= 86_400 * 366


@fuzz(0.5)
@given(mutated([{"Data": data()}]))
def test_answer_is_recorded_or_refused(tmp_path_factory, template_database, crypto, body):
    async def play(path: Path) -> None:
        async with open_bench(path, crypto) as bench:
            consent = await bench.register()
            bench.holders.answers[CONSENT] = body
            refusal = None
            try:
                await bench.asker.ask_now(consent.tracking_id)
            except ConsentApiError as error:
                refusal = error
            label(type(refusal).__name__)
            await bench.status()
            assert all(entry.leaf for entry in await bench.entries())

    path = Path(shutil.copy(template_database, tmp_path_factory.mktemp("fuzz") / "tracker.db"))
    asyncio.run(play(path))
    path.unlink()


# ---------------------------------------------------------------------------------------------- documents

ISSUER = "https://auth.example"
METADATA = {
    "issuer": ISSUER,
    "token_endpoint": "https://auth.example/token",
    "jwks_uri": "https://keys.example/jwks",
    "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.example/token"},
}
HOSTILE_ADDRESSES = st.sampled_from(
    [
        "http://127.0.0.1:8080/", "http://localhost/", "https://u:p@auth.example/", "file:///etc/passwd", "gopher://x/",
        "//auth.example/x", "https://", "https://[", "https://x:99999999/", "https://x/#f", "https://auth.example\r\nX: y/",
        "https://auth.example\\@attacker.example/", "HTTPS://AUTH.EXAMPLE/", "https://auth.example/%00", "javascript:1",
        "https://" + "a" * 5000, "http://169.254.169.254/", "https://xn--", "https://\u2100.example/", "",
    ]
)  # fmt: skip


@st.composite
def metadata(draw):
    document = draw(mutated([METADATA]))
    if isinstance(document, dict):
        for name in draw(st.sets(st.sampled_from(["token_endpoint", "jwks_uri"]))):
            document = {**document, name: draw(HOSTILE_ADDRESSES)}
    return raw_json(document)


@fuzz()
@given(metadata() | json_documents, st.sampled_from([ISSUER, "http://127.0.0.1:9000"]))
def test_discovery_document_may_be_anything(body, issuer):
    with bounded():
        try:
            found = read_metadata(body, issuer)
        except ConsentApiContractError:
            return
    for url in (found.token_endpoint, found.jwks_uri):
        assert url.scheme == "https" or (is_loopback(url) and is_loopback(URL(issuer)))
        assert url.user is None
        assert url.host


PUBLISHED = [
    tokens.public_jwk(tokens.rsa_key("hub"), kid="a", use="sig", alg="PS256"),
    tokens.public_jwk(tokens.ec_key("hub"), kid="b", key_ops=["verify"]),
    tokens.public_jwk(tokens.ed_key("hub"), kid="c"),
]


@fuzz()
@given(mutated([{"keys": PUBLISHED}]).map(raw_json) | json_documents)
def test_key_set_may_be_anything(body):
    with bounded():
        try:
            found = verification_keys(body, "https://keys.example/jwks")
        except KeysUnavailableError as error:
            label(str(error)[-20:])
            return
    assert len(found) <= MAX_KEYS
    for kid, key in found.items():
        assert kid == key.kid
        assert not {"d", "p", "q", "k"} & set(key.jwk)


@pytest.mark.parametrize("name", monsters(10))
def test_monster_as_a_key_set_costs_little(name):
    def read_it():
        try:
            return verification_keys(monsters(MAX_SET_BYTES)[name], "https://keys.example/jwks")
        except KeysUnavailableError:
            return {}

    with bounded():
        assert read_it() == {}
    with bounded_memory(64):
        read_it()


def _many(member, **changes):
    one = len(raw_json({**member, **changes})) + 8
    return raw_json({"keys": [{**member, "kid": f"k{i}", **changes} for i in range(MAX_SET_BYTES // one)]})


RSA = PUBLISHED[0]


@pytest.mark.parametrize(
    "body",
    [
        raw_json({"keys": [{**RSA, "n": "_" * (MAX_SET_BYTES - 200)}]}),
        raw_json({"keys": [{**RSA, "e": "_" * (MAX_SET_BYTES - 600)}]}),
        raw_json({"keys": [{**RSA, "kid": "k" * (MAX_SET_BYTES - 600)}]}),
        raw_json({"keys": [{**PUBLISHED[1], "x": "_" * (MAX_SET_BYTES - 300)}]}),
        _many(RSA),
        _many(RSA, n="_" * 1366, e=RSA["n"]),
        _many(RSA, n="_" * 10_000),
        _many(PUBLISHED[1]),
        _many(PUBLISHED[1], x="A" * 43),
        _many(PUBLISHED[1], crv="P-521"),
    ],
    ids=["modulus", "exponent", "kid", "point", "keys", "slow exponents", "fat moduli", "points", "no points", "P-521"],
)
def test_key_set_of_the_largest_size_costs_little(body):
    assert len(body) <= MAX_SET_BYTES
    with bounded():
        assert len(verification_keys(body, "https://keys.example/jwks")) <= MAX_KEYS
    with bounded_memory(64):
        verification_keys(body, "https://keys.example/jwks")


@pytest.mark.parametrize("name", monsters(10))
def test_monster_as_an_answer_costs_little(crypto, name):
    body = monsters(MAX_ANSWER_BYTES)[name]

    def read_it():
        for profile, kind in (KINDS[0], KINDS[-1]):
            read_answer(crypto, reply(body), profile, kind)
        read_answer(crypto, reply(body, media="application/jwt"), *KINDS[0])
        refusals.consent_refused(reply(body, status=400), UAE, NOW)

    with bounded():
        read_it()
    with bounded_memory(64):
        read_it()
