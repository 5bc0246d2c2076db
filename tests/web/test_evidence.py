"""Evidence packs over HTTP: for the scope `audit`, byte for byte as they are verified."""

import json

from tests import tokens
from tests.usecases.bench import CONSENT
from tests.web.site import Site
from tracker.journal.verify import Answer
from tracker.journal.verify_pack import Anchors, verify_pack

PACK = f"/v1/consents/demobank/{CONSENT}/evidence"


async def test_a_pack_is_sent_as_it_is_verified(site: Site) -> None:
    await site.register(user_ref="customer-42")
    await site.post(site.event())
    await site.work_off()
    said = await site.get(PACK)
    assert (said.status, said.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    verdict = verify_pack(said.body, Anchors(holder_keys=tokens.hub_jwks()), allow_unanchored=True)
    assert verdict.accepted, verdict.lines()
    assert (verdict.intact.answer, verdict.holders_word.answer) == (Answer.OK, Answer.OK)
    (key,) = json.loads(said.body)["pack"]["keys"]
    assert key["fetched_at"] == "2026-03-02T11:20:00.000000Z"
    assert key["tls_chain_sha256"] == []  # the scripted hub speaks plain HTTP on loopback
    bare = await site.get(f"{PACK}?private=false")
    assert b"customer-42" in said.body
    assert b"customer-42" not in bare.body


async def test_it_is_for_the_scope_audit(site: Site) -> None:
    await site.register()
    assert (await site.get(PACK, key=await site.add_key("read", "write"))).problem == "forbidden"
    assert (await site.get(PACK, key=await site.add_key("audit"))).status == 200


async def test_what_is_not_tracked_has_none(site: Site) -> None:
    assert (await site.get(PACK)).problem == "consent_not_found"
    assert (await site.get(f"{PACK}?private=perhaps")).problem == "invalid_request"
