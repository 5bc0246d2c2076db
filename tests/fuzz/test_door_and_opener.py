"""Whatever comes through the door ends in a documented way, soon, and only what its holder signed is heard."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tokens
from tests.fuzz.inputs import (
    DOCUMENTED,
    bounded,
    bounded_memory,
    fuzz,
    headers,
    is_signed_by,
    json_documents,
    label,
    matches_a_code,
    monsters,
    raw_json,
    sealed,
    signed,
    spoilt,
)
from tests.profiles import uae_payloads as uae
from tests.profiles.made_up import LIBRARY_CARDS, a_card, news
from tests.profiles.test_uae_v2_1_totality import KNOWN, mutated
from tests.usecases.bench import (
    CONSENT,
    DEMOBANK,
    NOW,
    UAE,
    ScriptedKeys,
    a_provider,
    data,
    keys_of,
    message,
    open_bench,
    our_crypto,
)
from tracker.domain.consent import ProviderId
from tracker.domain.errors import RejectedEventError
from tracker.ports import InboxItem
from tracker.profiles.compact import check_event_header
from tracker.usecases.heard import HeardOther, HeardReport, Refused
from tracker.usecases.opening import NeedsKey, Opener
from tracker.usecases.providers import Providers

LIBRARY = ProviderId("library")
ISSUERS = {UAE.name: tokens.ISSUER, LIBRARY_CARDS.name: "https://library.example"}
PROFILES = [UAE, LIBRARY_CARDS]

OUTER = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": tokens.OUR_KID}
INNER = {"alg": "PS256", "kid": tokens.HUB_KID}


def good_claims(profile):
    """What a holder of the profile says, as claims."""
    if profile is UAE:
        return tokens.claims(message=message(data()))
    return tokens.claims(iss=ISSUERS[profile.name], **news("card-1", a_card("card-1"), on=1_772_450_000))


@pytest.fixture(scope="module")
def crypto(tmp_path_factory):
    return our_crypto(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def opener(crypto):
    known = keys_of("hub", tokens.HUB_KID)
    providers = Providers(
        [a_provider(DEMOBANK, tokens.ISSUER), a_provider(LIBRARY, ISSUERS[LIBRARY_CARDS.name], LIBRARY_CARDS)]
    )
    return Opener(providers, crypto, ScriptedKeys(fetched={DEMOBANK: known, LIBRARY: known}))


def open_it(opener, body, profile=UAE):
    """Open a body, hold the outcome to what is documented, and give it."""
    item = InboxItem(id="1", profile=profile.name, body=body, received_at=NOW, interaction_id="i")
    with bounded():
        outcome = opener.open(item)
    label(type(outcome).__name__)
    match outcome:
        case HeardReport() | HeardOther():
            assert is_signed_by(outcome.evidence.token.jws, "hub")
        case Refused(quarantined=kept):
            label(kept.reason)
            assert matches_a_code(kept.reason)
            assert (kept.step, kept.reason) in DOCUMENTED or (profile is LIBRARY_CARDS and kept.step == "read")
            assert not kept.verified or kept.step == "read"
        case NeedsKey():
            assert outcome.kid != tokens.HUB_KID
    return outcome


# ---------------------------------------------------------------------------------------------- the gate


def gate(body):
    with bounded():
        try:
            return check_event_header(body, UAE.push, {tokens.OUR_KID}.__contains__)
        except RejectedEventError as error:
            refusal = (error.step, error.reason)
    label(refusal[1])
    assert refusal in DOCUMENTED
    return None


@fuzz()
@given(st.binary(max_size=300) | json_documents)
def test_gate_takes_any_bytes(body):
    assert gate(body) is None


@fuzz()
@given(st.data())
def test_gate_takes_real_tokens_that_were_spoilt(data):
    body = sealed(b"inner", UAE)
    found = gate(data.draw(spoilt(body, lambda: sealed(b"another", UAE), OUTER)))
    assert found in {None, tokens.OUR_KID}


@fuzz()
@given(headers(OUTER))
def test_gate_takes_any_header(header):
    assert gate(f"{tokens.b64(header)}.AAAA.AAAA.AAAA.AAAA".encode()) in {None, tokens.OUR_KID}


# ---------------------------------------------------------------------------------------------- the opener


@fuzz()
@given(st.data(), st.sampled_from(PROFILES))
def test_opener_takes_events_that_were_spoilt_outside(opener, data, profile):
    body = sealed(signed(good_claims(profile)), profile)
    open_it(opener, data.draw(spoilt(body, lambda: sealed(signed({}), profile), OUTER)), profile)


@fuzz()
@given(st.data(), st.sampled_from(PROFILES))
def test_opener_takes_events_that_were_spoilt_inside(opener, data, profile):
    inner = data.draw(spoilt(signed(good_claims(profile)), lambda: signed({}, key="stranger"), INNER))
    open_it(opener, sealed(inner, profile), profile)


@fuzz()
@given(st.data(), st.sampled_from(PROFILES))
def test_opener_believes_nobody_but_the_holder(opener, data, profile):
    """Everything is right but the key, and the header may offer another."""
    raw = data.draw(headers(INNER))
    token = tokens.jws(raw_json(good_claims(profile)), key=tokens.rsa_key("stranger"), raw_header=raw)
    assert isinstance(open_it(opener, sealed(token, profile), profile), Refused | NeedsKey)


@fuzz()
@given(json_documents, st.sampled_from(PROFILES))
def test_opener_takes_anything_for_claims(opener, claims, profile):
    open_it(opener, sealed(signed(claims), profile), profile)


@fuzz()
@given(mutated([good_claims(UAE)]), st.sampled_from(PROFILES))
def test_opener_takes_claims_that_are_right_but_for_a_few_places(opener, claims, profile):
    open_it(opener, sealed(signed(raw_json(claims)), profile), profile)


@fuzz()
@given(mutated([found["message"] for found in KNOWN]))
def test_opener_takes_messages_that_are_right_but_for_a_few_places(opener, message):
    outcome = open_it(opener, sealed(signed(raw_json(tokens.claims(message=message))), UAE))
    assert not isinstance(outcome, NeedsKey)


@fuzz()
@given(mutated([news("card-1", a_card("card-1"), on=1_772_450_000)]))
def test_opener_takes_messages_of_another_ecosystem(opener, told):
    claims = tokens.claims(iss=ISSUERS[LIBRARY_CARDS.name]) | (told if isinstance(told, dict) else {"news": told})
    open_it(opener, sealed(signed(raw_json(claims)), LIBRARY_CARDS), LIBRARY_CARDS)


# ---------------------------------------------------------------------------------------------- time and memory


@pytest.mark.parametrize("name", monsters(10))
def test_monster_as_a_body_costs_little(opener, name):
    body = monsters(UAE.push.max_body_bytes)[name]
    for limit in (bounded(), bounded_memory(4)):
        with limit:
            gate(body)
            open_it(opener, body)


@pytest.mark.parametrize("name", monsters(10))
def test_monster_as_a_header_costs_little(opener, name):
    header = monsters(40_000)[name]
    for limit in (bounded(), bounded_memory(4)):
        with limit:
            gate(f"{tokens.b64(header)}.AAAA.AAAA.AAAA.AAAA".encode())
            gate(f"{tokens.b64(monsters(2_000)[name])}.AAAA.AAAA.AAAA.AAAA".encode())


@pytest.mark.parametrize("name", monsters(10))
def test_monster_that_the_holder_signed_costs_little(opener, name):
    bare = sealed(signed(monsters(30_000)[name]), UAE)
    claims = tokens.claims(message="HERE")
    inside = raw_json(claims).replace(raw_json("HERE"), monsters(30_000)[name])
    wrapped = sealed(signed(inside), UAE)
    assert len(wrapped) <= UAE.push.max_body_bytes
    for limit in (bounded(), bounded_memory(16)):
        with limit:
            open_it(opener, bare)
            open_it(opener, wrapped)


@pytest.mark.parametrize(
    "body",
    [b"." * 60_000, b"A." * 30_000, b"A" * 65_536, b"....", b"A" * 60_000 + b"....", b"e30." + b"A" * 60_000 + b"..."],
    ids=["dots", "parts", "one part", "nothing", "long header", "long key"],
)
def test_forms_of_the_largest_size_cost_little(opener, body):
    for limit in (bounded(), bounded_memory(4)):
        with limit:
            gate(body)
            open_it(opener, body)


def test_compressed_event_is_not_inflated(opener):
    bomb = tokens.jwe(tokens.deflated(b"a" * 20_000_000), zip="DEF")
    assert len(bomb) < UAE.push.max_body_bytes
    with bounded_memory(4):
        assert open_it(opener, bomb).quarantined.reason == "zip_not_allowed"


# ---------------------------------------------------------------------------------------------- the whole of it


@st.composite
def arrivals(draw):
    """A body for the door; whether its holder has said it."""
    match draw(st.sampled_from(["signed", "outside", "inside", "stranger"])):
        case "signed":
            told = draw(mutated([found["message"] for found in KNOWN]))
            return sealed(signed(raw_json(tokens.claims(message=told))), UAE), True
        case "outside":
            return draw(spoilt(sealed(signed(good_claims(UAE)), UAE), lambda: sealed(b"x", UAE), OUTER)), True
        case "inside":
            inner = draw(spoilt(signed(good_claims(UAE)), lambda: signed({}, key="stranger"), INNER))
            return sealed(inner, UAE), True
        case _:
            claims = tokens.claims(message=message(data(draw(st.sampled_from(["Authorized", "Revoked", "Suspended"])))))
            raw = draw(headers(INNER))
            return sealed(tokens.jws(claims, key=tokens.rsa_key("stranger"), raw_header=raw), UAE), False


@fuzz(0.5)
@given(st.lists(arrivals(), min_size=1, max_size=6))
def test_service_records_or_puts_aside_whatever_comes(tmp_path_factory, template_database, crypto, arriving):
    async def play(path: Path) -> None:
        async with open_bench(path, crypto) as bench:
            await bench.register()
            await bench.register(uae.SHARING_ID)
            refused = set()
            for body, _ in arriving:
                try:
                    await bench.receiver.receive(UAE, body, "i")
                except RejectedEventError as error:
                    refused.add((error.step, error.reason))
            assert refused <= DOCUMENTED
            for _ in range(4):  # a key that nobody has is given up only after a while
                await bench.work_off()
                bench.advance(seconds=40)
            assert bench.rows("SELECT count(*) FROM inbox") == [(0,)]
            for step, reason, _ in await bench.quarantined():
                assert (step, reason) in DOCUMENTED
                assert step != "record", "what cannot be recorded is a mistake of ours"
            if not any(is_genuine for _, is_genuine in arriving):
                assert await bench.status(CONSENT) == ("NotStaged", False)
            json.dumps([entry.leaf for entry in await bench.entries()], allow_nan=False)

    path = Path(shutil.copy(template_database, tmp_path_factory.mktemp("fuzz") / "tracker.db"))
    asyncio.run(play(path))
    path.unlink()
