"""Erase a person whose duties have passed: nothing of that person is in any byte of the database, or of what leaves it."""

import base64
import gzip
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, select

from tests import tokens
from tests.checkpointing import a_signer, checkpointing
from tests.contract.facts import a_payment, an_evidence, an_other_event
from tests.postgres import as_service, query
from tests.usecases.bench import CONSENT, DEMOBANK, Bench, NoJitter, open_bench
from tests.usecases.keeping import ACCOUNT, FIVE_YEARS, PERSON, PURPOSE, a_life, bytes_of, deeds, later_event, said
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys
from tracker.adapters.store.key_tables import consent_key
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.retention_tables import steady_clock
from tracker.adapters.store.tables import consent, entry, evidence, other_event, payment, report
from tracker.domain.consent import ConsentId
from tracker.journal.verify import Answer, verify_export
from tracker.journal.verify_pack import Anchors, verify_pack
from tracker.ports import Access, AccessQuery, Transaction
from tracker.usecases.evidence import EvidencePacks
from tracker.usecases.export import Exporting
from tracker.usecases.proofs import Proofs

IBAN, SUM = "TransactionOfThisPersonAlone", "4711.42-of-this-person"
DEBTOR = "DebtorWhoIsThisPerson"
ANOTHER = "another-consent"
ANOTHERS_PERSON = "another-person-who-stays"
SIGNER = a_signer()
RINGS = {"no ring": NO_KEYS, "ring": SecretKeys({"ring": b"r" * 32})}


@dataclass(frozen=True)
class Place:
    """A bench, and all the bytes that its database has on disk."""

    bench: Bench
    held: Callable[[], bytes]


Opened = AbstractAsyncContextManager[Place]


def on_sqlite(request: pytest.FixtureRequest, crypto: JwcryptoEventCrypto) -> Opened:
    path: Path = request.getfixturevalue("database")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Place]:
        async with open_bench(path, crypto) as bench:
            yield Place(bench, lambda: bytes_of(path))

    return opened()


def on_postgres(request: pytest.FixtureRequest, crypto: JwcryptoEventCrypto) -> Opened:
    url: str = request.getfixturevalue("another_postgres")()
    ((data,),) = query(url, "SHOW data_directory")
    ((number,),) = query(url, "SELECT oid FROM pg_database WHERE datname = current_database()")
    folder = Path(data) / "base" / str(number)
    if not folder.is_dir():
        pytest.skip("the files of the server are on another machine")

    def held() -> bytes:
        """After what docs/privacy.md says that it takes."""
        for statement in ("ANALYZE", "VACUUM FULL", "CHECKPOINT"):
            query(url, statement)
        return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())

    @asynccontextmanager
    async def opened() -> AsyncIterator[Place]:
        async with open_bench(Path(), crypto, database=PostgresDatabase(as_service(url))) as bench:
            yield Place(bench, held)

    return opened()


@pytest.fixture(params=[on_sqlite, on_postgres])
def found(request: pytest.FixtureRequest, crypto: JwcryptoEventCrypto) -> Opened:
    opened: Opened = request.param(request, crypto)
    return opened


@pytest_asyncio.fixture
async def place(found: Opened) -> AsyncIterator[Place]:
    async with found as made:
        yield made


async def a_whole_life(bench: Bench) -> None:
    """Heard of before it was registered, told by events, asked about, paid under, looked at."""
    early = said("AwaitingAuthorization", "2026-03-02T15:12:00+04:00")
    await bench.deliver(later_event(bench, early, jti="early"))
    await a_life(bench)
    bench.holders.answers[CONSENT] = {"Data": said("Revoked", "2026-03-02T15:14:00+04:00")}
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    about = DEMOBANK, ConsentId(CONSENT)
    token = an_evidence(77, token=replace(an_evidence().token, jws=f"h.{IBAN}.s".encode()), provider=DEMOBANK)

    def pay(transaction: Transaction) -> None:
        transaction.lock_named([about])
        event = an_other_event(77, provider=DEMOBANK, consent_id=about[1], data={"Debtor": DEBTOR})
        transaction.add_other_event(replace(event, jws_sha256=token.jws_sha256), token)
        paid = a_payment(about=about, transaction_id=IBAN, amount=SUM, currency="AED", jws_sha256=token.jws_sha256)
        transaction.save_payment(paid)

    await bench.store.transact(pay)


async def secrets_of(bench: Bench) -> list[bytes]:
    """All that is to be nowhere: values, tokens, salts, what stands sealed, and the keys, sealed and opened."""
    safe, mine = bench.store.vault.safe, ConsentId(CONSENT)

    def read(connection: Any) -> list[bytes]:
        found: list[bytes] = []
        for table in (consent, report, other_event, payment):
            of_it = select(table.c.sealed).where(table.c.consent_id == mine)
            found += [bytes(one) for one in connection.execute(of_it).scalars() if one is not None]
        found += [
            bytes(one)
            for one in connection.execute(select(evidence.c.jws).where(evidence.c.consent_id == mine)).scalars()
        ]
        its_own = select(consent.c.user_ref_hash, consent.c.tracking_id).where(consent.c.consent_id == mine)
        hashed, tracking_id = connection.execute(its_own).one()
        salts = select(entry.c.private_salt).where(
            entry.c.tracking_id == tracking_id, entry.c.private_salt.is_not(None)
        )
        found += [bytes(hashed), *(bytes(one) for one in connection.execute(salts).scalars())]
        for row in connection.execute(select(consent_key).where(consent_key.c.consent_id == mine)):
            assert row.tracking_id == tracking_id
            found += [bytes(row.key), safe.opened((row.provider, row.consent_id), row.sealed_with, bytes(row.key))._key]
        return found

    sealed = await bench.store._database.read(read)
    tracking_id = (await bench.consent()).tracking_id
    entries = await bench.store.entries_of(tracking_id)
    salts = [one.private_salt for one in entries if one.private_salt is not None]
    named = {proof["jws_sha256"] for one in entries for proof in one.data["evidence"]}
    named |= {one.jws_sha256 for one in await bench.store.reports_of(tracking_id)}
    opened = [token.jws for token in await bench.store.evidence.tokens({one for one in named if one is not None})]
    values = [PERSON.encode(), ACCOUNT.encode(), PURPOSE.encode(), DEBTOR.encode(), IBAN.encode(), SUM.encode()]
    assert len(sealed) >= 12
    assert len(opened) >= 3
    assert len(salts) >= 1
    texts = [*values, *opened, *salts, *(base64.urlsafe_b64encode(salt).rstrip(b"=") for salt in salts)]
    # Of what is long a piece from its middle: it may be cut at the edges of pages.
    return [one[len(one) // 2 :][:24] if len(one) > 64 else one for one in [*texts, *sealed]]


def found_in(secrets: list[bytes], held: bytes) -> list[bytes]:
    return [one for one in secrets if one in held]


def packs_of(bench: Bench) -> EvidencePacks:
    store, clock = bench.store, bench.clock
    checkpoints = checkpointing(store, clock, SIGNER)
    providers = bench.office.providers
    return EvidencePacks(store, store.evidence, Proofs(store), checkpoints, providers, clock, graves=store.retention)


async def made_of(bench: Bench, folder: Path) -> bytes:
    """A new export, a new pack, what is held of the person, and who looked: all that leaves the house."""
    await Exporting(bench.store, Proofs(bench.store), checkpointing(bench.store, bench.clock, SIGNER)).export(folder)
    verdict = verify_export(folder, [SIGNER.vkey])
    assert verdict.intact.answer is Answer.OK, verdict.lines()
    pack = await packs_of(bench).pack(DEMOBANK, CONSENT)
    (folder / "pack.json").write_bytes(pack)
    held = await deeds(bench).privacy.held(PERSON)
    looks = await bench.store.accesses.listed(AccessQuery(limit=100))
    told = json.dumps(held | {"user_ref": None}).encode()  # whom was asked for it says anyway
    return b"".join([(folder / "entries.jsonl.gz").read_bytes(), unzipped(folder), pack, told, repr(looks).encode()])


def unzipped(folder: Path) -> bytes:
    return gzip.decompress((folder / "entries.jsonl.gz").read_bytes())


@pytest.mark.parametrize("ring", RINGS.values(), ids=RINGS)
async def test_of_a_person_who_was_erased_nothing_is_left_in_any_byte(
    place: Place,
    ring: SecretKeys,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(NoJitter, "token", lambda _, size: os.urandom(size))  # salts that are nowhere by chance
    caplog.set_level(logging.DEBUG, "tracker")
    bench = place.bench
    bench.store.vault.use_keys(ring)
    await a_whole_life(bench)
    await a_life(bench, ANOTHER, ANOTHERS_PERSON)
    tracking_id = (await bench.consent()).tracking_id
    look = Access(
        id=bench.office.ids.ordered(),
        at=bench.clock.now(),
        who="key",
        what="consent.show",
        interaction_id="i",
        tracking_id=tracking_id,
        provider=DEMOBANK,
        consent_id=CONSENT,
        asked={"user_ref": True},
    )
    await bench.store.accesses.add(look)
    secrets = await secrets_of(bench)
    before = await made_of(bench, tmp_path / "before")
    values = [PERSON, ACCOUNT, PURPOSE, DEBTOR, IBAN, SUM]
    assert [one for one in values if one.encode() not in before] == []
    stood = place.held()
    assert [one for one in values if one.encode() in stood] == []
    assert len(found_in(secrets, stood)) >= 8, "what is looked for is there before"

    bench.clock.advance((FIVE_YEARS + timedelta(days=3)).total_seconds())
    seen = {"id": 1, "seen_at": bench.clock.now(), "since": bench.clock.now() - timedelta(days=2)}
    await bench.store._write(lambda connection: connection.execute(insert(steady_clock), seen))
    (fate,) = await deeds(bench).privacy.erase(PERSON, "desk")
    assert fate.is_gone

    # What stays is read as before, and what was said of others is.
    assert found_in(secrets, place.held()) == []
    after = await made_of(bench, tmp_path / "after")
    shared = {ACCOUNT.encode(), PURPOSE.encode()}  # of the other person too, in what leaves the house
    assert [one for one in found_in(secrets, after) if one not in shared] == []
    assert found_in(secrets, caplog.text.encode()) == []
    assert (await bench.consent(ANOTHER)).user_ref == ANOTHERS_PERSON
    anchors = Anchors(vkeys=[SIGNER.vkey], holder_keys=tokens.hub_jwks())
    verdict = verify_pack((tmp_path / "before" / "pack.json").read_bytes(), anchors)
    assert verdict.accepted, verdict.lines()
    gone = verify_pack((tmp_path / "after" / "pack.json").read_bytes(), anchors)
    assert gone.intact.answer is Answer.OK, gone.lines()
    assert (
        json.loads((tmp_path / "after" / "pack.json").read_bytes())["pack"]["entries"][-1]["entry"]["type"]
        == "consent.disposed"
    )
    assert verify_export(tmp_path / "before", [SIGNER.vkey]).intact.answer is Answer.OK
