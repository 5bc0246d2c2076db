"""Attacks as a stranger, a bank or a thief would try them, against a whole tracker; `docs/security.md` has the list.

Most threats are tested where their defence is. Here are those that only show on the whole.
"""

import gzip
import hmac
import json
import socket
from itertools import permutations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests import tokens
from tests.adapters.hub.scripted_hub import says, says_json
from tests.adapters.test_sender import an_endpoint, send
from tests.adapters.test_sender import says as endpoint_says
from tests.fuzz.inputs import bounded_memory
from tests.tokens import _public_pem
from tests.usecases.bench import CONSENT, data, message
from tests.web.site import OTHER_KID, Site
from tracker.adapters.sender import open_sender
from tracker.usecases import api_keys

USABLE = f"/v1/consents/demobank/{CONSENT}/usable"
AUTHORIZED = data("Authorized", "2026-03-02T15:13:19+04:00")
SUSPENDED = data("Suspended", "2026-03-02T15:14:19+04:00")
REVOKED = data("Revoked", "2026-03-02T15:15:19+04:00", RevokedBy="LFI.InitiatedByUser")


async def usable(site: Site) -> bool:
    return bool((await site.get(USABLE)).json["usable"])


async def deliver(site: Site, *bodies: bytes) -> None:
    for body in bodies:
        assert (await site.post(body)).status == 202
    await site.work_off()


def inner(site: Site, found, **options) -> bytes:
    """A token that says what a genuine one would, signed otherwise."""
    return tokens.jws(tokens.claims(iss=site.hub.issuer, message=message(found)), **options)


async def an_authorized_consent(site: Site) -> None:
    await site.register()
    await deliver(site, site.event(AUTHORIZED))
    assert await usable(site)


# ---------------------------------------------------------------------------------------------- replay, reorder


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_what_was_said_before_an_end_can_be_replayed_in_any_order_and_revives_nothing(site, order):
    await site.register()
    said = [site.token(AUTHORIZED), site.token(SUSPENDED), site.token(REVOKED)]
    await deliver(site, *map(tokens.jwe, said))
    assert not await usable(site)
    for _ in range(2):  # encrypted anew each time, as everybody can who has our public key
        await deliver(site, *(tokens.jwe(said[which]) for which in order))
        assert not await usable(site)
    assert (await site.get(f"/v1/consents/demobank/{CONSENT}")).json["status"] == "Revoked"


async def test_an_event_that_was_held_back_until_it_lapsed_is_not_believed(site):
    await an_authorized_consent(site)
    held_back = site.event(SUSPENDED)
    site.advance(7200)
    await deliver(site, held_back)
    assert [q["reason"] for q in (await site.get("/v1/quarantine")).json["items"]] == ["lapsed"]
    assert await usable(site)


# ---------------------------------------------------------------------------------------------- forged


HEADERS = {
    "jwk": lambda url: {"jwk": tokens.public_jwk(tokens.rsa_key("stranger"), kid=tokens.HUB_KID)},
    "jku": lambda url: {"jku": url},
    "x5u": lambda url: {"x5u": url},
    "x5c": lambda url: {"x5c": [tokens._certificate_like()]},
    "kid that is a URL": lambda url: {"kid": url},
    "kid that is a path": lambda url: {"kid": "../../../../etc/passwd"},
    "kid that is SQL": lambda url: {"kid": "' OR '1'='1"},
}


@pytest.mark.parametrize("status", ["Authorized", "Revoked"])
@pytest.mark.parametrize("header", HEADERS)
async def test_keys_that_a_header_offers_are_neither_fetched_nor_believed(site, header, status):
    fetched = []

    async def serve(request: web.Request) -> web.Response:
        fetched.append(request.path)
        return web.json_response({"keys": [tokens.public_jwk(tokens.rsa_key("stranger"), kid=tokens.HUB_KID)]})

    attacker = web.Application()
    attacker.router.add_route("*", "/{tail:.*}", serve)
    await site.register()
    if status == "Revoked":
        await deliver(site, site.event(AUTHORIZED))
    before = await usable(site)
    async with TestServer(attacker) as server:
        offered = HEADERS[header](str(server.make_url("/jwks.json")))
        forged = inner(
            site, AUTHORIZED if status == "Authorized" else REVOKED, key=tokens.rsa_key("stranger"), **offered
        )
        # In the outer header too: whoever encrypts for us can write there what he likes.
        await deliver(site, tokens.jwe(forged, **{n: v for n, v in offered.items() if n != "kid"}))
    assert fetched == []
    assert await usable(site) == before == (status == "Revoked")


ALGORITHMS = {
    "none": {"alg": "none"},
    "None": {"alg": "None", "signer": tokens.SIGNERS["none"]},
    "HS256 by the public key": {"alg": "HS256", "key": _public_pem()},
    "RS256 by the right key": {"alg": "RS256"},
    "PS256 in the header, RS256 in truth": {"signer": tokens.SIGNERS["RS256"]},
}


@pytest.mark.parametrize("name", ALGORITHMS)
async def test_no_other_algorithm_makes_a_consent_usable(site, name):
    await site.register()
    await deliver(site, tokens.jwe(inner(site, AUTHORIZED, **ALGORITHMS[name])))
    assert not await usable(site)
    (kept,) = (await site.get("/v1/quarantine")).json["items"]
    assert kept["reason"] in {"alg_not_allowed", "signature_invalid"}


async def test_a_signed_answer_or_any_other_token_of_the_holder_is_no_event(site):
    """What the holder signs for other ends (answers, ID tokens, authorization responses) does not pass for an event."""
    await site.register()
    for message_ in ({"Data": AUTHORIZED}, {"Meta": {}, "Data": AUTHORIZED}, None):
        claims = tokens.claims(iss=site.hub.issuer, message=message_)
        await deliver(site, tokens.jwe(tokens.jws(claims if message_ else {**claims, "nonce": "n", "sub": "user"})))
    assert not await usable(site)
    assert {q["step"] for q in (await site.get("/v1/quarantine")).json["items"]} == {"read"}


async def test_an_event_for_another_client_is_not_ours_though_we_can_read_it(site):
    await site.register()
    await deliver(site, site.event(AUTHORIZED, aud=["another-tpp"]))
    assert not await usable(site)


async def test_a_bank_cannot_borrow_the_issuer_or_the_key_id_of_another(site):
    await site.register()
    await deliver(
        site,
        site.event(AUTHORIZED, key="other hub", kid=OTHER_KID),  # its key, the other's issuer
        site.event(AUTHORIZED, key="other hub"),  # its key under the other's id
        site.event(
            AUTHORIZED, key="other hub", kid=OTHER_KID, iss=site.other_hub.issuer
        ),  # honest, about the other's consent
    )
    assert not await usable(site)


# ---------------------------------------------------------------------------------------------- switched off from outside


async def test_nobody_switches_a_consent_off_without_the_holders_key(site):
    await an_authorized_consent(site)
    site.hub.message = {"Data": AUTHORIZED}
    entries = (await site.get("/v1/journal")).json["items"]
    stranger = {"key": "stranger"}
    await deliver(
        site,
        site.event(REVOKED, **stranger),
        site.event(data("Nonsense"), **stranger),
        site.event({**AUTHORIZED, "ExpirationDateTime": "2020-01-01T00:00:00Z"}, **stranger),
        site.event(REVOKED, exp=1),
        tokens.jwe(b"rubbish"),
        tokens.jwe(inner(site, REVOKED, alg="none")),
    )
    assert await usable(site)
    assert (await site.get("/v1/journal")).json["items"] == entries
    assert len((await site.get("/v1/quarantine")).json["items"]) == 6


# ---------------------------------------------------------------------------------------------- the holder's side


async def test_a_compressed_answer_of_a_holder_is_not_inflated_beyond_its_limit(site):
    await site.register()
    bomb = gzip.compress(b'{"Data": "' + b"a" * 60_000_000 + b'"}')
    site.hub.always["consent"] = says(200, bomb, "application/json", Content_Encoding="gzip")
    await site.get("/v1/consents")  # whatever is made at first use is made
    with bounded_memory(12):
        said = await site.call("POST", f"/v1/consents/demobank/{CONSENT}/refresh")
    assert (said.status, said.problem) == (503, "holder_unavailable")
    assert not await usable(site)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_holder_cannot_redirect_our_question_and_its_token(site, status):
    await site.register()
    async with an_endpoint(endpoint_says(200)) as elsewhere:
        site.hub.always["consent"] = says(status, b"", Location=elsewhere.url)
        said = await site.call("POST", f"/v1/consents/demobank/{CONSENT}/refresh")
        assert said.status == 503
        site.hub.always["token"] = says(status, b"", Location=elsewhere.url)
        await site.call("POST", f"/v1/consents/demobank/{CONSENT}/refresh")
        assert elsewhere.heard == []


async def test_an_unsigned_answer_does_not_pass_where_answers_are_signed(site):
    await site.register(kind="payment")
    site.hub.always["consent"] = says_json({"Data": {**AUTHORIZED, "ConsentId": CONSENT}})
    assert (await site.call("POST", f"/v1/consents/demobank/{CONSENT}/refresh")).status == 503
    assert not await usable(site)


# ---------------------------------------------------------------------------------------------- names that move


async def test_a_name_that_leads_inside_when_it_is_connected_to_is_refused(monkeypatch):
    """Rebinding: the name was public when the subscription was made, and is ours at the moment of posting."""
    asked = socket.getaddrinfo

    def rebound(host, *rest, **more):
        return asked("127.0.0.1" if host == "rebound.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    async with an_endpoint(endpoint_says(200), host="127.0.0.1") as inside, open_sender(()) as sender:
        delivery = await send(sender, f"http://rebound.example:{inside.url.rpartition(':')[2]}")
        assert "not an address that may be posted to" in str(delivery.error)
        assert inside.heard == []


# ---------------------------------------------------------------------------------------------- keys of the API


async def test_a_secret_is_compared_in_constant_time_and_as_a_hash(site, monkeypatch):
    compared, as_always = [], hmac.compare_digest

    def compare(one, other):
        compared.append((one, other))
        return as_always(one, other)

    monkeypatch.setattr(api_keys.hmac, "compare_digest", compare)
    wrong = site.key[:-43] + "A" * 43
    assert (await site.get("/v1/consents", key=wrong)).status == 401
    ((kept, shown),) = compared
    assert len(kept) == len(shown) == 64
    assert "A" * 43 not in (kept, shown)


async def test_a_stolen_database_opens_no_door(site):
    """The database holds no key of ours, and of the API's keys only hashes: showing what it holds gets nobody in."""
    key = await site.add_key("read")
    rows = site.rows("SELECT * FROM api_key")
    assert not any(part in str(rows) for part in (site.key[-43:], key[-43:]))
    for row in rows:
        for value in map(str, row):
            assert (await site.get("/v1/consents", key=value)).status == 401
            assert (await site.get("/v1/consents", key=f"trk_{row[0]}_{value[:43]}")).status == 401


# ---------------------------------------------------------------------------------------------- what others wrote


async def test_what_a_bank_wrote_about_a_person_is_in_no_leaf_and_no_notification(site):
    secret = "Salma Al-Farsi AE070331234567890123456"
    await site.register(user_ref="customer-42")
    await deliver(site, site.event({**AUTHORIZED, "Note": secret}))
    await deliver(site, site.event({**SUSPENDED, "Status": secret}))
    await deliver(site, site.event({**REVOKED, "Note": secret, "RevokedBy": secret}))
    leaves = [row[0] for row in site.rows("SELECT leaf FROM entry")]
    assert leaves
    assert not any(part in str(leaf) for leaf in leaves for part in ("Salma", "AE0703", "customer-42", "ReadBalances"))
    reader = await site.add_key("read")
    assert "Salma" not in json.dumps((await site.get("/v1/journal", key=reader)).json)
