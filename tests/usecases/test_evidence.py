"""Evidence packs of consents with a past: they verify, and they say of everything what is so."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests import tokens
from tests.checkpointing import ORIGIN, a_signer, checkpointing
from tests.cli.histories import a_whole_life, at, hear
from tests.contract.facts import a_subscription
from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event
from tracker.domain.consent import TrackingId
from tracker.domain.errors import ConsentNotFoundError, InvalidRequestError
from tracker.domain.subscription import EntryFilter, Parked
from tracker.journal.checkpoint import Checkpoint, parse_checkpoint, parse_note
from tracker.journal.verify import Answer
from tracker.journal.verify_pack import Anchors, PackVerdict, verify_pack
from tracker.journal.verify_tokens import Word
from tracker.ports import Look, LookRecord, Progress
from tracker.ports.checkpoints import NoteSigner
from tracker.usecases.evidence import EvidencePacks, NobodyLooked
from tracker.usecases.proofs import Proofs

VKEY = a_signer().vkey
ANCHORS = Anchors(vkeys=[VKEY], holder_keys=tokens.hub_jwks())


def packs_of(
    bench: Bench, *signers: NoteSigner, looks: LookRecord | None = None, is_signed: bool = True
) -> EvidencePacks:
    checkpoints = checkpointing(bench.store, bench.clock, *(signers or ((a_signer(),) if is_signed else ())))
    providers, record = bench.office.providers, looks or NobodyLooked()
    proofs = Proofs(bench.store)
    return EvidencePacks(bench.store, bench.store.evidence, proofs, checkpoints, providers, bench.clock, record)


async def pack(bench: Bench, **how: Any) -> bytes:
    return await packs_of(bench).pack(DEMOBANK, CONSENT, **how)


def said_in(data: bytes) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(data)["pack"]
    return said


def accepted(verdict: PackVerdict) -> PackVerdict:
    assert verdict.accepted, verdict.lines()
    return verdict


async def test_a_whole_life_verifies(bench: Bench) -> None:
    at(bench, "2026-03-02T06:10:00+00:00")
    await a_whole_life(bench)
    verdict = accepted(verify_pack(await pack(bench), ANCHORS))
    words = {one.word for one in verdict.words}
    assert words == {Word.HOLDERS, Word.OWN}
    assert len(verdict.words) == len(await bench.entries())
    assert "there may be later ones from" in verdict.covers


async def test_verification_and_key_are_kept_as_they_were(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    (token,), (key,) = said_in(await pack(bench))["tokens"], said_in(await pack(bench))["keys"]
    assert token["verification"] == {
        "at": token["received_at"],
        "alg": "PS256",
        "iss": tokens.ISSUER,
        "aud": [tokens.CLIENT_ID],
        "checks": ["signature", "iss", "aud", "exp", "nbf"],
    }
    assert key["jwks_uri"] == tokens.JWKS_URI
    assert key["first_seen_at"] == token["received_at"]


async def test_unsigned_answers_say_so(bench: Bench) -> None:
    await bench.register()
    bench.holders.signed = False
    bench.holders.answers[CONSENT] = {"Data": data()}
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    made = await pack(bench)
    (answer,) = said_in(made)["unsigned_answers"]
    assert (answer["status"], answer["status_date_time"]) == ("Authorized", "2026-03-02T11:13:19.000000Z")
    verdict = accepted(verify_pack(made, ANCHORS))
    assert [one.word for one in verdict.words] == [Word.OWN, Word.UNSIGNED]
    assert verdict.holders_word.answer is Answer.UNKNOWN
    assert verdict.holders_word.sentence.startswith("unknown: no entry rests on a token")


async def test_the_terms_are_those_as_granted(bench: Bench) -> None:
    await bench.register(terms={"Purpose": "as we asked for it"}, user_ref="customer-42")
    at(bench, "2026-03-02T11:20:01+00:00")
    await hear(bench, "AwaitingAuthorization", "2026-03-02T15:13:00+04:00", Permissions=["ReadBalances"])
    await hear(bench, "Authorized", "2026-03-02T15:13:19+04:00", Permissions=["ReadBalances"])
    await hear(bench, "Revoked", "2026-03-02T15:19:19+04:00", Permissions=[])
    terms = said_in(await pack(bench))["terms"]
    assert (terms["authorized_by"], terms["stated_by"]) == (3, 2)
    assert terms["data"]["Permissions"] == ["ReadBalances"]
    accepted(verify_pack(await pack(bench), ANCHORS))


async def test_without_private_nothing_personal_is_in_it(bench: Bench) -> None:
    await bench.register(user_ref="customer-42")
    await bench.deliver(event(data()))
    made = await pack(bench, with_private=False)
    assert b"customer-42" not in made
    assert b"ReadBalances" not in made
    said = said_in(made)
    assert (said["left_out"], said["tokens"], said["keys"], said["terms"]) == (["private", "tokens"], [], [], None)
    verdict = verify_pack(made, ANCHORS)
    assert (verdict.intact.answer, verdict.by_whom.answer) == (Answer.OK, Answer.OK)
    assert verdict.holders_word.sentence.startswith("unknown: the tokens of 1 entry are left out")
    assert not verdict.accepted
    assert verify_pack(made, ANCHORS, allow_unanchored=True).accepted


async def test_who_was_told_and_what_they_reported(bench: Bench) -> None:
    start = bench.clock.now()
    heard = EntryFilter(types=("consent.*",), to=frozenset({"Authorized", "Revoked"}))
    told = a_subscription(entry_filter=heard, created_at=start, cursor=0, url="https://crm.example/hook?key=secret")
    deaf = a_subscription(entry_filter=EntryFilter(types=("payment.*",)), created_at=start, cursor=0)
    await bench.store.add_subscription(told)
    await bench.store.add_subscription(deaf)
    bench.advance(seconds=1)
    await bench.register()
    await bench.deliver(event(data()), event(data("Revoked", "2026-03-02T15:16:00+04:00"), jti="2"))
    lost = Parked(
        sequence=2,
        tracking_id=(await bench.consent()).tracking_id,
        attempts=5,
        next_attempt_at=bench.clock.now(),
        last_error="no",
    )
    await bench.store.save_progress(Progress(subscription=replace(told, cursor=2), given_up=(lost,)))
    made = await pack(bench)
    (one,) = said_in(made)["told"]
    assert b"secret" not in made
    assert (one["subscription_id"], one["address"]) == (told.id, "https://crm.example")
    assert [(e["sequence"], e["state"], e["attempts"]) for e in one["entries"]] == [
        (2, "given_up", 5),
        (3, "waiting", None),
    ]
    await bench.store.save_progress(Progress(subscription=replace(told, cursor=3)))
    (one,) = said_in(await pack(bench))["told"]
    assert [e["state"] for e in one["entries"]] == ["given_up", "settled"]
    accepted(verify_pack(made, ANCHORS))


async def test_who_looked_is_taken_from_the_access_record(bench: Bench) -> None:
    class Record:
        async def looks_at(self, tracking_id: TrackingId) -> list[Look]:
            assert tracking_id == (await bench.consent()).tracking_id
            return [Look(at=bench.clock.now(), who="key crm", what="read")]

    await bench.register()
    made = await packs_of(bench, looks=Record()).pack(DEMOBANK, CONSENT)
    assert said_in(made)["access"] == [{"at": "2026-03-02T11:20:00.000000Z", "who": "key crm", "what": "read"}]
    accepted(verify_pack(made, ANCHORS))


async def test_a_pack_is_tied_to_a_checkpoint_published_before(bench: Bench) -> None:
    await bench.register()
    published = said_in(await pack(bench))["tree"]["checkpoint"]
    since = parse_checkpoint(parse_note(published).text)
    await bench.register("another")
    await bench.deliver(event(data()))
    tied, loose = await pack(bench, since=since), await pack(bench)
    anchors = Anchors(vkeys=[VKEY], holder_keys=tokens.hub_jwks(), checkpoint=published)
    verdict = accepted(verify_pack(tied, anchors))
    assert "1 of 2 entries are in the published checkpoint over 1 entry" in verdict.by_whom.sentence
    assert verify_pack(loose, anchors).by_whom.sentence.startswith("unanchored: the published checkpoint")
    alone = verify_pack(tied, Anchors(checkpoint=published))
    assert alone.by_whom.answer is Answer.UNANCHORED
    assert "1 of 2 entries are in the published checkpoint" in alone.by_whom.sentence
    now = said_in(tied)["tree"]["checkpoint"]
    same = verify_pack(tied, Anchors(vkeys=[VKEY], holder_keys=tokens.hub_jwks(), checkpoint=now))
    assert "all entries are in the published checkpoint over 3 entries" in accepted(same).by_whom.sentence


async def test_a_checkpoint_of_another_history_is_refused(bench: Bench) -> None:
    await bench.register()
    for since in (
        Checkpoint(ORIGIN, 1, b"x" * 32),
        Checkpoint("other", 1, b"x" * 32),
        Checkpoint(ORIGIN, 9, b"x" * 32),
    ):
        with pytest.raises(InvalidRequestError):
            await pack(bench, since=since)


async def test_while_keys_change_both_sign_both(bench: Bench) -> None:
    await bench.register()
    old, new = a_signer("old"), a_signer("new")
    made = await packs_of(bench, new, old).pack(DEMOBANK, CONSENT)
    for signer in (old, new):
        assert verify_pack(made, Anchors(vkeys=[signer.vkey])).by_whom.answer is Answer.OK


async def test_without_a_checkpoint_key_nobody_signs(bench: Bench) -> None:
    await bench.register()
    made = await packs_of(bench, is_signed=False).pack(DEMOBANK, CONSENT)
    verdict = verify_pack(made, ANCHORS)
    assert verdict.by_whom.sentence == "unanchored: there is no checkpoint, nobody signed this"
    assert verdict.intact.answer is Answer.OK


@pytest.mark.parametrize("consent_id", ["none", "..", "a b"])
async def test_a_consent_that_is_not_tracked_has_none(bench: Bench, consent_id: str) -> None:
    with pytest.raises(ConsentNotFoundError):
        await packs_of(bench).pack(DEMOBANK, consent_id)
