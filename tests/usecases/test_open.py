"""From the door to the journal."""

import base64
import json
import sqlite3
from typing import Any

import pytest
from joserfc import jwe as joserfc_jwe
from joserfc.jwk import RSAKey
from sqlalchemy import select

from tests import tokens
from tests.checkpointing import checkpointing
from tests.profiles.made_up import LIBRARY_CARDS, a_card, news
from tests.usecases.bench import CONSENT, DEMOBANK, OTHERBANK, UAE, Bench, data, event, message, open_bench
from tracker.adapters.store.evidence import to_jws
from tracker.adapters.store.tables import evidence
from tracker.domain.errors import InboxFullError, RejectedEventError, StorageError
from tracker.journal.verify import verify_export
from tracker.usecases.export import Exporting
from tracker.usecases.proofs import Proofs

REVOKED = data("Revoked", "2026-03-02T15:13:19+04:00", RevokedBy="LFI.InitiatedByUser")


async def test_an_event_moves_its_consent_and_the_journal_tells_it(bench: Bench) -> None:
    await bench.register(user_ref="customer-42")
    await bench.deliver(event(data()))
    assert await bench.status() == ("Authorized", True)
    assert await bench.told() == [
        ("registered", None, "NotStaged", False),
        ("status_changed", "NotStaged", "Authorized", True),
    ]
    entry = (await bench.entries())[1]
    told = entry.leaf["data"]
    assert told["previous"] == 1
    assert told["channel"] == "webhook"
    assert told["status_date_time"] == "2026-03-02T11:13:19.000000Z"
    (proof,) = told["evidence"]
    assert proof["signed"] is True
    assert proof["kid"] == tokens.HUB_KID
    assert entry.private is not None
    assert entry.private["terms"]["Permissions"] == ["ReadAccountsBasic", "ReadBalances"]
    # The holder's signed token is kept, under the hash that the leaf names, with the key that verified it.
    ((sealed, thumbprint),) = bench.rows("SELECT jws, jwk_thumbprint FROM evidence")
    jws = await bench.store._database.read(lambda c: to_jws(c.execute(select(evidence)).one()))
    assert jws is not None
    assert sealed != jws
    assert proof["jwk_thumbprint"] == thumbprint
    assert (
        tokens.claims(message=message(data()))["message"]
        == json.loads(base64.urlsafe_b64decode(jws.split(b".")[1] + b"=="))["message"]
    )
    assert bench.rows("SELECT jwks_uri FROM holder_key") == [(tokens.JWKS_URI,)]
    assert bench.rows("SELECT count(*) FROM inbox") == [(0,)]


async def test_the_same_meaning_in_other_bytes_is_recorded_once(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()), event(data(), jti="another", iat=1772450100))
    await bench.deliver(event(data()))
    assert len(await bench.entries()) == 2
    assert bench.rows("SELECT repeats FROM report") == [(2,)]
    assert bench.rows("SELECT count(*) FROM evidence") == [(1,)]


async def test_equal_jti_with_another_meaning_is_judged(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(
        event(data(), jti="same"), event(REVOKED | {"StatusUpdateDateTime": "2026-03-02T15:14:00+04:00"}, jti="same")
    )
    assert await bench.status() == ("Revoked", False)


async def test_events_in_the_wrong_order_end_where_the_holder_stands(bench: Bench) -> None:
    await bench.register()
    suspended, restored = (
        data("Suspended", "2026-03-02T15:14:00+04:00"),
        data("Authorized", "2026-03-02T15:15:00+04:00"),
    )
    await bench.deliver(event(data()), event(restored), event(suspended))
    assert await bench.status() == ("Authorized", True)
    story = [(i.from_status, i.to_status, i.late) for i in await bench.timelines.of(await bench.consent())]
    assert story[1:] == [
        ("NotStaged", "Authorized", False),
        ("Authorized", "Suspended", True),
        ("Suspended", "Authorized", False),
    ] or [s[:2] for s in story if s[1] == "Suspended"] == [("Authorized", "Suspended")]


async def test_what_the_gate_refuses_is_nowhere(bench: Bench) -> None:
    for name, bad in tokens.REFUSED_AT_GATE.items():
        with pytest.raises(RejectedEventError) as refusal:
            await bench.receiver.receive(UAE, bad.make(), "x")
        assert (type(refusal.value), refusal.value.reason) == (bad.error, bad.reason), name
    assert bench.rows("SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM quarantine)") == [(0,)]


@pytest.mark.parametrize(
    "table",
    [
        {name: (bad.make, bad.reason) for name, bad in tokens.REFUSED_AT_DECRYPTION.items()},
        {
            name: (lambda bad=bad: tokens.jwe(bad.make()), bad.reason)
            for name, bad in tokens.REFUSED_AT_VERIFICATION.items()
            if name != "claims nested deep"  # larger than the door
        },
    ],
    ids=["cannot be decrypted", "does not verify"],
)
async def test_what_cannot_be_believed_is_put_aside_and_moves_nothing(bench: Bench, table: dict[str, Any]) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    before = await bench.told()
    for name, (make, reason) in table.items():
        await bench.deliver(make())
        for _ in range(3):  # what names an unknown key is looked at again before it is given up
            if bench.rows("SELECT count(*) FROM inbox") != [(0,)]:
                bench.advance(seconds=40)
                await bench.work_off()
        found = (await bench.quarantined())[-1]
        # Before a key is chosen nobody looks at more than the issuer: these fail there, and no later.
        assert found[1:] in {
            (reason, False),
            ("issuer_unknown", False),
            ("key_unknown", False),
            ("decryption_failed", False),
        }, name
    assert len(await bench.quarantined()) == len(table)
    assert await bench.told() == before
    assert await bench.status() == ("Authorized", True)
    assert bench.rows("SELECT count(*) FROM report") == [(1,)]


NOW_S = 1772450400
_CLAIMS = {
    "iss of another provider": ({"iss": "https://auth1.otherbank.example"}, "key_unknown"),
    "iss unknown": ({"iss": "https://evil.example"}, "issuer_unknown"),
    "iss with a slash more": ({"iss": tokens.ISSUER + "/"}, "issuer_unknown"),
    "iss a list": ({"iss": [tokens.ISSUER]}, "issuer_unknown"),
    "iss missing": ({"iss": tokens.ABSENT}, "issuer_unknown"),
    "aud wrong": ({"aud": ["tpp-client-002"]}, "audience_wrong"),
    "aud missing": ({"aud": tokens.ABSENT}, "audience_wrong"),
    "aud empty": ({"aud": []}, "audience_wrong"),
    "aud with a number": ({"aud": [tokens.CLIENT_ID, 1]}, "audience_wrong"),
    "aud an object": ({"aud": {tokens.CLIENT_ID: 1}}, "audience_wrong"),
    "lapsed before receipt": ({"exp": NOW_S - 60}, "lapsed"),
    "exp missing": ({"exp": tokens.ABSENT}, "exp_missing"),
    "exp a text": ({"exp": "1772453600"}, "exp_invalid"),
    "exp true": ({"exp": True}, "exp_invalid"),
    "exp null": ({"exp": None}, "exp_invalid"),
    "exp in a list": ({"exp": [1772453600]}, "exp_invalid"),
    "not yet valid": ({"nbf": NOW_S + 61}, "not_yet_valid"),
    "nbf a text": ({"nbf": "0"}, "nbf_invalid"),
}


@pytest.mark.parametrize("name", _CLAIMS)
async def test_wrong_claims_are_put_aside(bench: Bench, name: str) -> None:
    changes, reason = _CLAIMS[name]
    await bench.register()
    body = event(data(), **changes)
    await bench.deliver(body)
    for _ in range(3):
        bench.advance(seconds=40)
        await bench.work_off()
    assert await bench.quarantined() == [("verify", reason, False)]
    assert await bench.status() == ("NotStaged", False)


@pytest.mark.parametrize(
    "changes",
    [{"exp": NOW_S - 59}, {"exp": NOW_S + 0.5}, {"nbf": NOW_S + 60}, {"aud": tokens.CLIENT_ID}, {"nbf": tokens.ABSENT}],
)
async def test_claims_at_the_edge_are_believed(bench: Bench, changes: dict[str, object]) -> None:
    await bench.register()
    await bench.deliver(event(data(), **changes))
    assert await bench.status() == ("Authorized", True)


async def test_what_lapses_while_it_waits_here_is_believed(bench: Bench) -> None:
    await bench.register()
    await bench.receiver.receive(UAE, event(data(), exp=NOW_S + 1), "x")
    bench.advance(hours=3)
    await bench.work_off()
    assert (await bench.status())[0] == "Authorized"


_UNREADABLE = {
    "message missing": {"message": tokens.ABSENT},
    "message a text": {"message": "hello"},
    "status missing": {"message": message({k: v for k, v in data().items() if k != "Status"})},
    "time missing": {"message": message({k: v for k, v in data().items() if k != "StatusUpdateDateTime"})},
    "consent id climbing": {"message": message(data(ConsentId="../../par" + "x" * 130), ConsentId="x" * 129)},
}


@pytest.mark.parametrize("name", _UNREADABLE)
async def test_what_is_signed_and_makes_no_sense_is_kept_for_good(bench: Bench, name: str) -> None:
    await bench.register()
    await bench.deliver(event(None, **_UNREADABLE[name]))
    ((step, _, verified),) = await bench.quarantined()
    assert (step, verified) == ("read", True)


async def test_ids_that_disagree_are_kept_and_never_counted_and_make_us_ask(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    bench.advance(seconds=10)
    await bench.deliver(event(None, message=message(REVOKED | {"ConsentId": "another"})))
    assert await bench.quarantined() == [("read", "ids_disagree", True)]
    assert await bench.status() == ("Authorized", True)
    consent = await bench.consent()
    assert consent.asking.requested_at == bench.clock.now()
    assert await bench.store.next_ask_at(consent.tracking_id) == bench.clock.now()


async def test_no_bank_speaks_for_anothers_consent(bench: Bench) -> None:
    await bench.register()
    await bench.register(provider=OTHERBANK)
    await bench.deliver(event(data()))
    theirs = event(REVOKED, key="other hub", kid="other-sig2", iss="https://auth1.otherbank.example")
    await bench.deliver(theirs)
    assert await bench.status() == ("Authorized", True)
    assert await bench.status(provider=OTHERBANK) == ("Revoked", False)
    # Signed by the other bank's key, in this bank's name: its key is none of this bank's.
    await bench.deliver(event(REVOKED, key="other hub"))
    assert await bench.status() == ("Authorized", True)
    assert (await bench.quarantined())[-1] == ("verify", "signature_invalid", False)


async def test_an_event_before_its_registration_is_filed_with_it(bench: Bench) -> None:
    await bench.deliver(event(data()))
    bench.advance(seconds=1)
    await bench.deliver(event(REVOKED | {"StatusUpdateDateTime": "2026-03-02T15:14:00+04:00"}), event(data()))
    assert await bench.entries() == []
    assert bench.rows("SELECT count(*), sum(repeats) FROM report WHERE tracking_id IS NULL") == [(2, 1)]
    consent = await bench.register()
    assert await bench.status() == ("Revoked", False)
    assert [t[0] for t in await bench.told()] == ["registered", "status_changed", "status_changed"]
    assert bench.rows("SELECT count(*) FROM report WHERE tracking_id IS NULL") == [(0,)]
    assert bench.rows("SELECT DISTINCT tracking_id FROM report") == [(consent.tracking_id,)]
    await bench.deliver(event(data()))  # and it is a repeat afterwards
    assert len(await bench.entries()) == 3


async def test_an_early_event_of_another_bank_is_not_filed(bench: Bench) -> None:
    await bench.deliver(event(data(), key="other hub", kid="other-sig2", iss="https://auth1.otherbank.example"))
    await bench.register()
    assert await bench.status() == ("NotStaged", False)


async def test_an_event_without_data_makes_us_ask(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(None))
    assert (await bench.consent()).asking.requested_at == bench.clock.now()
    assert bench.rows("SELECT family, event_type FROM other_event") == [("consent", "Resource.Updated")]


async def test_a_payments_event_is_kept_and_moves_no_consent(bench: Bench) -> None:
    await bench.register(kind="payment")
    paid = {
        "PaymentId": "PMT-1",
        "ConsentId": CONSENT,
        "Status": "Rejected",
        "StatusUpdateDateTime": "2026-03-02T15:13:19+04:00",
    }
    await bench.deliver(event(None, message=message(paid)), event(None, message=message(paid)))
    assert await bench.status() == ("NotStaged", False)
    assert bench.rows("SELECT family, repeats, consent_id FROM other_event") == [("payment", 1, CONSENT)]


# ---------------------------------------------------------------------------------------------- keys that are not at hand


async def test_a_new_key_is_fetched_and_the_event_opened(bench: Bench) -> None:
    await bench.register()
    bench.keys.fetched[DEMOBANK] = {}
    await bench.deliver(event(data()))
    assert await bench.status() == ("Authorized", True)
    assert bench.keys.refreshes == 1


async def test_events_wait_while_keys_cannot_be_had(bench: Bench) -> None:
    await bench.register()
    bench.keys.unavailable = True
    bench.keys.fetched = {}
    await bench.deliver(event(data()))
    for _ in range(5):
        bench.advance(minutes=1)
        await bench.work_off()
    assert await bench.quarantined() == []
    assert bench.rows("SELECT count(*) FROM inbox") == [(1,)]
    bench.keys.unavailable = False
    for _ in range(3):
        bench.advance(minutes=11)
        await bench.work_off()
    assert (await bench.status())[0] == "Authorized"


async def test_one_banks_missing_keys_hold_up_nobody_else(bench: Bench) -> None:
    await bench.register()
    await bench.register(provider=OTHERBANK)
    await bench.deliver(event(data()))
    bench.keys.unavailable = True
    del bench.keys.fetched[OTHERBANK]
    theirs = event(data(), key="other hub", kid="other-sig2", iss="https://auth1.otherbank.example")
    restored = data("Suspended", "2026-03-02T15:16:00+04:00")
    await bench.deliver(theirs, event(restored))
    assert await bench.status() == ("Suspended", False)
    assert bench.rows("SELECT count(*) FROM inbox") == [(1,)]


async def test_an_unknown_key_is_given_up_and_makes_us_ask(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data(), kid="nobody-knows"))
    for _ in range(4):
        bench.advance(seconds=35)
        await bench.work_off()
    assert await bench.quarantined() == [("verify", "key_unknown", False)]
    assert (await bench.consent()).asking.suspected_at is not None


# ---------------------------------------------------------------------------------------------- nothing is lost


async def test_while_the_database_cannot_record_all_stays_in_the_inbox(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.register()
    await bench.receiver.receive(UAE, event(data()), "x")
    with monkeypatch.context() as broken:

        async def fails(script: object) -> None:
            raise StorageError

        broken.setattr(bench.store, "transact", fails)
        with pytest.raises(StorageError):
            await bench.opening.run_once()
    assert bench.rows("SELECT count(*) FROM inbox") == [(1,)]
    await bench.work_off()
    assert (await bench.status())[0] == "Authorized"


async def test_a_poisoned_event_fails_alone_and_is_kept(bench: Bench) -> None:
    await bench.register()
    ill = await bench.register("ill")
    others = [await bench.register(f"c{n}") for n in range(7)]
    bench_rows = bench.rows("SELECT count(*) FROM consent")
    assert bench_rows == [(9,)]
    with sqlite3.connect(bench.path) as connection:
        connection.execute("UPDATE consent SET told_status = 'Nonsense' WHERE tracking_id = ?", (ill.tracking_id,))
    connection.close()
    bodies = [
        event(None, message=message(data(ConsentId=c.consent_id), ConsentId=c.consent_id)) for c in [*others, ill]
    ]
    await bench.deliver(*bodies)
    assert await bench.quarantined() == [("record", "record_failed", True)]
    for other in others:
        assert (await bench.status(other.consent_id))[0] == "Authorized"


async def test_a_full_inbox_takes_no_more_and_recovers(bench: Bench) -> None:
    bench.receiver._max_events = 2
    body = event(data())
    await bench.receiver.receive(UAE, body, "x")
    await bench.receiver.receive(UAE, body, "x")
    with pytest.raises(InboxFullError):
        await bench.receiver.receive(UAE, body, "x")
    await bench.work_off()
    bench.advance(seconds=2)
    await bench.receiver.receive(UAE, body, "x")


async def test_an_inbox_that_nobody_works_off_takes_no_more(bench: Bench) -> None:
    await bench.receiver.receive(UAE, event(data()), "x")
    bench.advance(seconds=301)
    with pytest.raises(InboxFullError):
        await bench.receiver.receive(UAE, event(data()), "x")


# ---------------------------------------------------------------------------------------------- other ecosystems


async def test_another_ecosystem_goes_the_same_way(database, crypto, tmp_path) -> None:
    async with open_bench(database, crypto, profile=LIBRARY_CARDS) as bench:
        await bench.register("card-7", kind="library-card")
        card = a_card("card-7", "granted", since=1772449000)
        whole = tokens.claims(message=tokens.ABSENT, **news("card-7", card, on=1772449001))
        header = {"alg": "RSA-OAEP-256", "enc": "A128CBC-HS256", "kid": tokens.OUR_KID}
        ours = RSAKey.import_key(tokens.public_jwk(tokens.rsa_key("ours")))
        body = joserfc_jwe.encrypt_compact(header, tokens.jws(whole), ours, algorithms=[header["alg"], header["enc"]])
        await bench.deliver(body.encode())
        assert await bench.status("card-7") == ("Authorized", True)
        bench.holders.answers["card-7"] = a_card("card-7", "handed back", since=1772449500)
        await bench.asker.ask_now((await bench.consent("card-7")).tracking_id)
        assert await bench.status("card-7") == ("Revoked", False)
        await Exporting(bench.store, Proofs(bench.store), checkpointing(bench.store, bench.clock)).export(
            tmp_path / "export"
        )
        assert verify_export(tmp_path / "export", [], allow_unanchored=True).accepted
