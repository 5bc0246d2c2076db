"""From the holder's POST to what the back office reads. Every way to be wrong stands in tests/usecases/test_open.py."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import tokens
from tests.usecases.bench import CONSENT, data, message
from tests.web.site import OTHER_KID, Site

ONE = f"/v1/consents/demobank/{CONSENT}"
REVOKED = data("Revoked", "2026-03-02T15:14:00+04:00", RevokedBy="LFI.InitiatedByUser")


async def deliver(site: Site, body: bytes) -> None:
    """Let an event in; from outside all of them look alike."""
    said = await site.post(body)
    assert (said.status, said.body) == (202, b"")
    await site.work_off()


async def authorized(site: Site) -> None:
    await site.register()
    await deliver(site, site.event())
    assert (await site.get(ONE)).json["status"] == "Authorized"


def _unsigned(site: Site) -> bytes:
    return tokens.jws(_claims(site), alg="none")


def _by_the_public_key(site: Site) -> bytes:
    return tokens.jws(_claims(site), key=tokens._public_pem(), alg="HS256")


def _rs256(site: Site) -> bytes:
    return tokens.jws(_claims(site), alg="RS256")


def _claims(site: Site, **changes: Any) -> dict[str, Any]:
    return tokens.claims(**{"iss": site.hub.issuer, "message": message(REVOKED), **changes})


REFUSED: dict[str, tuple[Callable[[Site], bytes], str]] = {
    "unsigned": (_unsigned, "alg_not_allowed"),
    "HS256 by the public key": (_by_the_public_key, "alg_not_allowed"),
    "RS256": (_rs256, "alg_not_allowed"),
    "another provider's key": (lambda site: site.token(REVOKED, key="other hub"), "signature_invalid"),
    "another provider's name": (lambda site: site.token(REVOKED, iss=site.other_hub.issuer), "key_unknown"),
    "iss unknown": (lambda site: site.token(REVOKED, iss=tokens.ISSUER), "issuer_unknown"),
    "aud wrong": (lambda site: site.token(REVOKED, aud=["tpp-client-002"]), "audience_wrong"),
    "aud missing": (lambda site: site.token(REVOKED, aud=tokens.ABSENT), "audience_wrong"),
    "lapsed before receipt": (lambda site: site.token(REVOKED, exp=site.seconds - 61), "lapsed"),
    "not yet valid": (lambda site: site.token(REVOKED, nbf=site.seconds + 61), "not_yet_valid"),
    "exp missing": (lambda site: site.token(REVOKED, exp=tokens.ABSENT), "exp_missing"),
    "exp a text": (lambda site: site.token(REVOKED, exp=str(site.seconds + 600)), "exp_invalid"),
    "claims a list": (lambda _: tokens.jws(b"[]"), "claims_not_object"),
    "kid unknown": (lambda site: site.token(REVOKED, kid="nobody-knows"), "key_unknown"),
}
"""Inner tokens that say the consent is revoked, and what each is put aside for."""


async def test_what_cannot_be_believed_is_put_aside_and_moves_nothing(site: Site) -> None:
    await authorized(site)
    before = (await site.get("/v1/journal")).json
    for name, (make, reason) in REFUSED.items():
        await deliver(site, tokens.jwe(make(site)))
        while site.rows("SELECT count(*) FROM inbox") != [(0,)]:  # whose key is not known is looked at again
            site.advance(40)
            await site.work_off()
        (aside,) = (await site.get("/v1/quarantine?limit=1")).json["items"]
        assert (aside["reason"], aside["verified"]) == (reason, False), name
    assert len((await site.get("/v1/quarantine")).json["items"]) == len(REFUSED)
    consent = (await site.get(ONE)).json
    assert (consent["status"], consent["usable"], consent["in_doubt"]) == ("Authorized", True, False)
    assert (await site.get("/v1/journal")).json == before


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (tokens.ABSENT, "message_missing"),
        (message(REVOKED | {"ConsentId": "another"}), "ids_disagree"),
    ],
    ids=["message missing", "ids that disagree"],
)
async def test_what_is_signed_and_makes_no_sense_is_put_aside_as_verified(site: Site, said: Any, reason: str) -> None:
    await authorized(site)
    await deliver(site, site.event(message=said))
    (aside,) = (await site.get("/v1/quarantine")).json["items"]
    assert (aside["step"], aside["verified"], aside["provider"]) == ("read", True, "demobank")
    assert aside["reason"] == reason
    assert (await site.get(ONE)).json["status"] == "Authorized"


async def test_no_holder_speaks_for_anothers_consent(site: Site) -> None:
    await authorized(site)
    theirs = site.event(REVOKED, key="other hub", kid=OTHER_KID, iss=site.other_hub.issuer)
    await deliver(site, theirs)
    assert (await site.get(ONE)).json["status"] == "Authorized"
    assert (await site.get("/v1/quarantine")).json["items"] == []
    # It waits for a consent of that name at that holder.
    assert (await site.register(provider="otherbank"))["status"] == "Revoked"
    assert (await site.get(ONE)).json["status"] == "Authorized"


async def test_the_same_event_again_is_one_entry(site: Site) -> None:
    await authorized(site)
    body = site.event()
    for again in (body, body, site.event(jti="another")):
        await deliver(site, again)
    assert len((await site.get("/v1/journal")).json["items"]) == 2


async def test_the_id_of_the_interaction_can_be_found_again_in_the_quarantine(site: Site) -> None:
    await site.post(tokens.jwe(b"hello"), headers={"x-fapi-interaction-id": "find-me"})
    await site.work_off()
    (aside,) = (await site.get("/v1/quarantine")).json["items"]
    assert aside["interaction_id"] == "find-me"
    assert "body" not in aside
