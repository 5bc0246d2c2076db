"""Where disposal meets the rest: leaping clocks, death between two statements, readers at that moment, keys that went before."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event

from tests import tokens
from tests.checkpointing import a_signer, checkpointing
from tests.usecases.bench import CONSENT, DEMOBANK, Bench, event
from tests.usecases.keeping import (
    ACCOUNT,
    FIVE_YEARS,
    PERSON,
    PURPOSE,
    a_life,
    be_steady,
    deeds,
    later_event,
    pass_years,
    said,
)
from tracker.domain.consent import ConsentId
from tracker.domain.errors import ConsentNotFoundError, StorageError
from tracker.journal.verify import Answer, verify_export
from tracker.journal.verify_pack import Anchors, verify_pack
from tracker.ports import Transaction
from tracker.usecases.evidence import EvidencePacks
from tracker.usecases.export import Exporting
from tracker.usecases.proofs import Proofs

SIGNER = a_signer()
ANCHORS = Anchors(vkeys=[SIGNER.vkey], holder_keys=tokens.hub_jwks())
TABLES = (
    "consent",
    "consent_key",
    "identity",
    "report",
    "evidence",
    "confirmation",
    "belief",
    "disposed_consent",
    "entry",
)


def packs_of(bench: Bench) -> EvidencePacks:
    store, clock = bench.store, bench.clock
    checkpoints = checkpointing(store, clock, SIGNER)
    providers = bench.office.providers
    return EvidencePacks(store, store.evidence, Proofs(store), checkpoints, providers, clock, graves=store.retention)


# ---------------------------------------------------------------------------------------------- clocks


async def test_a_clock_that_is_years_ahead_for_a_minute_disposes_of_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await a_life(bench)
    disposal, privacy = deeds(bench).disposal, deeds(bench).privacy
    pass_years(bench, timedelta(days=30))
    assert await disposal.run_once() == 0
    bench.clock.advance((6 * FIVE_YEARS).total_seconds())
    assert await disposal.run_once() == 0
    assert "Nothing is disposed of for a day: our clock has leapt since 2026-04-01" in caplog.text
    bench.clock.advance(60)
    assert await disposal.run_once() == 0
    (fate,) = await privacy.erase(PERSON, "desk")
    assert (fate.is_scheduled, fate.keeping.obstacles) == (True, ("clock_uncertain",))
    bench.clock.advance(-(6 * FIVE_YEARS).total_seconds())
    assert await disposal.run_once() == 0
    assert (await bench.consent()).user_ref == PERSON
    pass_years(bench)
    assert await disposal.run_once() == 1


async def test_a_clock_that_is_years_behind_disposes_of_nothing_too_early(bench: Bench) -> None:
    await a_life(bench)
    disposal = deeds(bench).disposal
    pass_years(bench)
    bench.clock.advance(-timedelta(days=365).total_seconds())
    assert await disposal.run_once() == 0
    bench.clock.advance(timedelta(days=365).total_seconds())
    assert await disposal.run_once() == 0, "it has leapt again"
    gone = 0
    for _ in range(26):
        bench.clock.advance(3600)
        gone += await disposal.run_once()
    assert gone == 1


async def test_a_service_that_was_down_for_long_waits_for_a_day(bench: Bench) -> None:
    await a_life(bench)
    be_steady(bench.path, bench.clock.now())
    bench.clock.advance((FIVE_YEARS + timedelta(days=1)).total_seconds())
    assert [await run_for(bench, hours) for hours in (0, 12, 11, 1)] == [0, 0, 0, 1]


async def run_for(bench: Bench, hours: int) -> int:
    bench.clock.advance(hours * 3600)
    return await deeds(bench).disposal.run_once()


# ---------------------------------------------------------------------------------------------- death


async def test_whoever_dies_between_two_statements_has_let_it_go_whole_or_not_at_all(bench: Bench) -> None:
    await a_life(bench)
    pass_years(bench)
    before = await left(bench)
    for step in range(200):
        with dying_at(bench, step):
            try:
                gone = await deeds(bench).privacy.erase(PERSON, "desk")
            except StorageError:
                gone = []
        now = await left(bench)
        if now == before:
            assert not gone
            held = await deeds(bench).privacy.held(PERSON)
            assert ACCOUNT in json.dumps(held)
            continue
        assert now == {"disposed_consent": 1, "entry": before["entry"] + 1, "consent_key": 1}
        assert step > 15
        return
    raise AssertionError("it never went")


@contextmanager
def dying_at(bench: Bench, step: int) -> Iterator[None]:
    """Let the statement with this number, of those that write or are in a transaction that writes, fail for ever."""
    engine: Any = bench.store._database.beneath._write_engine
    count = 0

    def die(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > step:
            raise StorageError("Somebody pulled the plug.")

    sqlalchemy_event.listen(engine, "before_cursor_execute", die)
    try:
        yield
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", die)


async def left(bench: Bench) -> dict[str, int]:
    counts = {table: bench.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
    return {table: count for table, count in counts.items() if count}


# ---------------------------------------------------------------------------------------------- at the same moment


async def test_who_reads_exports_and_packs_at_that_moment_sees_it_whole_or_gone(bench: Bench, tmp_path: Path) -> None:
    for n in range(4):
        await a_life(bench, f"c-{n}", PERSON)
    pass_years(bench)
    packs = packs_of(bench)

    async def read(n: int) -> None:
        for _ in range(3):
            try:
                found = json.loads(await packs.pack(DEMOBANK, f"c-{n}"))["pack"]
                assert verify_pack(json.dumps(found).encode(), ANCHORS) is not None
            except ConsentNotFoundError:
                raise AssertionError("a consent that was there is never unheard of") from None
            await deeds(bench).privacy.held(PERSON)
            await bench.store.find_consent((DEMOBANK, ConsentId(f"c-{n}")))

    async def export() -> None:
        for n in range(3):
            await Exporting(bench.store, Proofs(bench.store), checkpointing(bench.store, bench.clock, SIGNER)).export(
                tmp_path / str(n)
            )

    async def hear() -> None:
        for n in range(4):
            late = said("Revoked", "2026-03-02T15:20:00+04:00", ConsentId=f"c-{n}")
            await bench.deliver(later_event(bench, late, jti=f"late-{n}"))

    await asyncio.gather(*(read(n) for n in range(4)), export(), hear(), deeds(bench).privacy.erase(PERSON, "desk"))
    await deeds(bench).disposal.run_once()
    assert (await left(bench))["disposed_consent"] == 4
    assert [verify_export(tmp_path / str(n), [SIGNER.vkey]).intact.answer for n in range(3)] == [Answer.OK] * 3
    for n in range(4):
        pack = await packs.pack(DEMOBANK, f"c-{n}")
        assert verify_pack(pack, ANCHORS).intact.answer is Answer.OK
        assert PERSON.encode() not in pack


# ---------------------------------------------------------------------------------------------- packs and privacy exports


async def test_a_pack_of_what_was_disposed_of_proves_that_it_was(bench: Bench) -> None:
    await a_life(bench)
    whole = json.loads(await packs_of(bench).pack(DEMOBANK, CONSENT))["pack"]
    pass_years(bench)
    assert await deeds(bench).disposal.run_once() == 1
    pack = await packs_of(bench).pack(DEMOBANK, CONSENT)
    verdict = verify_pack(pack, Anchors(vkeys=[SIGNER.vkey], holder_keys=tokens.hub_jwks()))
    assert verdict.intact.answer is Answer.OK, verdict.lines()
    said_now = json.loads(pack)["pack"]
    assert said_now["consent"]["tracking_id"] == whole["consent"]["tracking_id"]
    assert [one["entry"] for one in said_now["entries"][:-1]] == [one["entry"] for one in whole["entries"]]
    last = said_now["entries"][-1]["entry"]
    assert (last["type"], last["data"]["reason"].split(",")[0]) == ("consent.disposed", "duties_passed")
    assert (said_now["tokens"], said_now["keys"]) == ([], [])


async def test_a_pack_and_an_export_without_the_key_leave_out_what_stood_under_it(bench: Bench) -> None:
    await a_life(bench)

    def destroy(transaction: Transaction) -> None:
        found = transaction.lock_named([(DEMOBANK, ConsentId(CONSENT))])
        for one in found.values():
            assert transaction.destroy_key(one.tracking_id)

    tracking_id = (await bench.consent()).tracking_id
    kept = await bench.consent()
    await bench.store.transact(destroy)
    pack = await packs_of(bench).pack(DEMOBANK, CONSENT)
    assert verify_pack(pack, ANCHORS).intact.answer is Answer.OK
    assert json.loads(pack)["pack"]["tokens"] == []
    held = (await bench.store.retention.held_about(kept)).tables
    assert [row["jws"] for row in held["evidence"]] == [None, None]
    assert all(one.private is None for one in await bench.store.entries_of(tracking_id))
    assert not any(one in repr(held) for one in (PERSON, ACCOUNT, PURPOSE))


async def test_what_the_version_before_wrote_is_found_held_packed_and_erased_alike(bench: Bench) -> None:
    """Rows that are not sealed yet: the user in the open, tokens of which nobody has noted whose they are."""
    await a_life(bench)
    token, _ = await bench.store.evidence.tokens([one for (one,) in bench.rows("SELECT jws_sha256 FROM evidence")])
    jws, digest = token.jws, token.jws_sha256
    bench.execute(f"UPDATE evidence SET consent_id = NULL, jws = X'{jws.hex()}' WHERE jws_sha256 = '{digest}'")
    bench.execute(f"UPDATE consent SET user_ref = '{PERSON}', sealed = NULL, user_ref_hash = NULL, terms = NULL")
    held = await deeds(bench).privacy.held(PERSON)
    (one,) = held["consents"]
    assert jws.decode() in {row["jws"] for row in one["other_records"]["evidence"]}
    assert len(json.loads(await packs_of(bench).pack(DEMOBANK, CONSENT))["pack"]["tokens"]) == 2
    while await bench.store.sealing.step(1) is not None:
        assert len((await deeds(bench).privacy.held(PERSON))["consents"]) == 1
    assert len((await deeds(bench).privacy.held(PERSON))["consents"]) == 1
    bench.execute(f"UPDATE evidence SET consent_id = NULL, jws = X'{jws.hex()}' WHERE jws_sha256 = '{digest}'")
    pass_years(bench)
    (fate,) = await deeds(bench).privacy.erase(PERSON, "desk")
    assert fate.is_gone
    assert "evidence" not in await left(bench)


async def test_the_key_of_a_name_that_nobody_registered_goes_with_its_last_report(bench: Bench) -> None:
    await bench.deliver(event(said("Authorized", "2026-03-02T15:13:19+04:00")))
    assert (await left(bench))["consent_key"] == 1
    pass_years(bench, FIVE_YEARS + timedelta(days=1))
    await deeds(bench).disposal.run_once()
    assert await left(bench) == {}
