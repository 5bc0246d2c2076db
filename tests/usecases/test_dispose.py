"""Consents whose duties have passed go, by themselves, and what was exported before and afterwards verifies."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.checkpointing import checkpointing
from tests.contract.facts import a_subscription, at, parked
from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event, message
from tests.usecases.keeping import ACCOUNT, PERSON, PURPOSE, a_life, bytes_of, deeds, later_event, pass_years, said
from tracker.domain.consent import ConsentId
from tracker.domain.errors import ConsentDisposedError, ConsentNotFoundError
from tracker.domain.retention import Duties, RetentionPlan
from tracker.journal.verify import Answer, verify_export
from tracker.ports import Progress
from tracker.usecases.consult import Consulting
from tracker.usecases.export import Exporting
from tracker.usecases.holds import Placing
from tracker.usecases.proofs import Proofs

TABLES = ("consent", "identity", "report", "evidence", "confirmation", "payment", "other_event")


def left(bench: Bench) -> dict[str, int]:
    return {table: n for table in TABLES if (n := bench.rows(f"SELECT count(*) FROM {table}")[0][0])}


def consulting(bench: Bench) -> Consulting:
    return Consulting(bench.store, bench.office.providers, bench.clock, graves=bench.store.retention)


async def test_a_consent_whose_duties_have_passed_goes_and_the_journal_says_so(bench: Bench) -> None:
    await a_life(bench)
    before = await bench.entries()
    now = pass_years(bench)
    assert left(bench)["report"] == 2
    assert await deeds(bench).disposal.run_once() == 1
    assert left(bench) == {}
    *others, last = await bench.entries()
    assert [(e.sequence, e.leaf_bytes, e.leaf_hash) for e in others] == [
        (e.sequence, e.leaf_bytes, e.leaf_hash) for e in before
    ]
    assert {(entry.private, entry.private_salt) for entry in others} == {(None, None)}
    assert (last.type, last.data["channel"], last.usable, last.previous) == (
        "consent.disposed",
        "clock",
        False,
        len(before),
    )
    assert last.data["reason"] == "duties_passed,values:2,reports:2,tokens:2,payments:0,others:0,rest:2"
    with pytest.raises(ConsentDisposedError, match=now.date().isoformat()):
        await consulting(bench).get(DEMOBANK, CONSENT)
    with pytest.raises(ConsentDisposedError):
        await consulting(bench).get_tracked(last.tracking_id or "")
    with pytest.raises(ConsentNotFoundError):
        await consulting(bench).get(DEMOBANK, "another")
    assert await deeds(bench).disposal.run_once() == 0


async def test_it_stays_while_a_duty_runs(bench: Bench) -> None:
    await a_life(bench)
    pass_years(bench, timedelta(days=365 * 5))
    assert await deeds(bench).disposal.run_once() == 0
    longer = RetentionPlan(duties=Duties(evidence_years=7))
    pass_years(bench, timedelta(days=3))
    assert await deeds(bench, longer).disposal.run_once() == 0
    assert await deeds(bench, RetentionPlan(goes_unasked=False)).disposal.run_once() == 0
    assert await deeds(bench).disposal.run_once() == 1


async def test_what_has_not_ended_stays_for_ever(bench: Bench) -> None:
    await bench.register(user_ref=PERSON)
    found = data("Authorized")
    del found["ExpirationDateTime"]
    await bench.deliver(later_event(bench, found))
    pass_years(bench, timedelta(days=20_000))
    await bench.expiry.run_once()
    assert await deeds(bench).disposal.run_once() == 0
    assert left(bench)["consent"] == 1


async def test_a_holder_that_has_vanished_keeps_nothing_beyond_the_expiry(bench: Bench) -> None:
    await bench.register(user_ref=PERSON)
    await bench.deliver(later_event(bench, data("Authorized")))
    pass_years(bench)
    assert await deeds(bench).disposal.run_once() == 0  # nobody has told that it expired
    await bench.expiry.run_once()
    assert await deeds(bench).disposal.run_once() == 1


async def test_nothing_personal_is_left_in_any_file_and_exports_before_and_after_verify(
    bench: Bench, tmp_path: Path
) -> None:
    await a_life(bench)
    await a_life(bench, "another-consent", "another-person")
    tokens_of_it = [
        row[0]
        for row in bench.rows(
            f"SELECT e.jws FROM evidence e JOIN report r USING (jws_sha256) WHERE r.consent_id = '{CONSENT}'"
        )
    ]
    exporting = Exporting(bench.store, Proofs(bench.store), checkpointing(bench.store, bench.clock))
    await exporting.export(tmp_path / "before")
    pass_years(bench)
    personal = [PERSON.encode(), *tokens_of_it]
    assert len(tokens_of_it) == 2
    assert all(one in bytes_of(bench.path) for one in tokens_of_it)
    gone = await deeds(bench).privacy.erase(PERSON, "somebody")
    assert [fate.is_gone for fate in gone] == [True]
    assert [one for one in personal if one in bytes_of(bench.path)] == []
    await deeds(bench).disposal.run_once()
    rest = bytes_of(bench.path)
    assert [one for one in (ACCOUNT.encode(), PURPOSE.encode()) if one in rest] == []
    await exporting.export(tmp_path / "after")
    for folder in ("before", "after"):
        assert verify_export(tmp_path / folder, []).intact.answer is Answer.OK
    exported = b"".join(path.read_bytes() for path in (tmp_path / "after").iterdir())
    assert PERSON.encode() not in exported


async def test_among_many_and_large_ones_no_old_page_keeps_what_is_gone(bench: Bench) -> None:
    """Rows that grow move from page to page, and pages are split, joined and freed: each may keep a copy."""
    marks = [f"MARK{n:03d}." for n in range(60)]
    for n, mark in enumerate(marks):
        person = PERSON if n % 3 else "another-person"
        await bench.register(f"c-{n}", user_ref=person, terms={"accounts": [mark * (1 + 37 * n % 200)]})
    for n in sorted(range(60), key=lambda n: n * 7 % 60):
        for status, when in (("Authorized", "2026-03-02T15:13:19+04:00"), ("Revoked", "2026-03-02T15:14:00+04:00")):
            terms = {"UserType": "Retail", "Purpose": marks[n] * (1 + 53 * n % 90)}
            found = data(status, when, ConsentId=f"c-{n}", OpenFinanceBilling=terms)
            told = event(found, message=message(found, at=when, ConsentId=f"c-{n}"))
            await bench.receiver.receive(bench.profile, told, "i")
    await bench.work_off()
    pass_years(bench)
    sealed = {
        n: [
            row[0][-40:]
            for table in ("consent", "report")
            for row in bench.rows(f"SELECT sealed FROM {table} WHERE consent_id = 'c-{n}'")
        ]
        for n in range(60)
    }
    assert {len(some) for some in sealed.values()} == {3}
    fates = await deeds(bench).privacy.erase(PERSON, "desk")
    assert [fate.is_gone for fate in fates] == [True] * 40
    held = bytes_of(bench.path)
    assert [n for n, some in sealed.items() for one in some if (one in held) != (n % 3 == 0)] == []


async def test_what_a_holder_says_afterwards_is_told_and_brings_nothing_back(bench: Bench) -> None:
    await a_life(bench)
    pass_years(bench)
    await deeds(bench).disposal.run_once()
    count = len(await bench.entries())
    found = said("Revoked", "2026-03-02T15:20:00+04:00")
    await bench.deliver(later_event(bench, found))
    await bench.deliver(later_event(bench, found, jti="another"))
    *_, last = await bench.entries()
    assert len(await bench.entries()) == count + 1
    assert (last.type, last.data["reason"], last.private) == ("consent.heard_after_disposal", "Revoked", None)
    assert len(last.data["evidence"]) == 1
    assert left(bench) == {}
    assert bench.rows("SELECT count(*) FROM inbox") == [(0,)]
    assert PURPOSE.encode() not in bytes_of(bench.path)
    with pytest.raises(ConsentDisposedError):
        await bench.register(user_ref=PERSON)


async def test_a_report_and_a_disposal_at_one_moment_in_a_race_leave_a_tombstone_or_the_consent_with_the_report(
    bench: Bench,
) -> None:
    await a_life(bench)
    pass_years(bench)
    found = said("Revoked", "2026-03-02T15:20:00+04:00")
    body = later_event(bench, found)
    await asyncio.gather(bench.deliver(body), deeds(bench).disposal.run_once())
    await deeds(bench).disposal.run_once()
    assert left(bench) == {}
    assert PURPOSE.encode() not in bytes_of(bench.path)


async def test_a_hold_keeps_it_until_it_is_lifted_and_the_journal_tells_of_both(bench: Bench) -> None:
    await a_life(bench)
    holds = deeds(bench).holds
    (hold,) = await holds.place(Placing(user_ref=PERSON, reason="case 17/2031", placed_by="legal"))
    pass_years(bench)
    assert await deeds(bench).disposal.run_once() == 0
    (fate,) = await deeds(bench).privacy.erase(PERSON, "desk")
    assert (fate.is_scheduled, fate.keeping.obstacles) == (True, ("legal_hold",))
    assert await holds.standing() == [hold]
    pass_years(bench, timedelta(days=2))
    assert await deeds(bench).disposal.run_once() == 0
    (waiting,) = await deeds(bench).privacy.scheduled()
    assert waiting.look_at == bench.clock.now() + timedelta(days=1)  # and not at every look until then
    assert await holds.lift(hold.id, "settled", "legal") == 1
    types = [entry.type for entry in await bench.entries()][-3:]
    assert types == ["consent.hold_placed", "consent.erasure_scheduled", "consent.hold_lifted"]
    assert [entry.private for entry in await bench.entries()][-1] == {
        "hold_id": hold.id,
        "reason": "settled",
        "by": "legal",
    }
    assert await deeds(bench).disposal.run_once() == 1


async def test_what_a_subscriber_is_still_owed_keeps_it(bench: Bench) -> None:
    await a_life(bench)
    pass_years(bench)
    behind = a_subscription(cursor=1)
    await bench.store.add_subscription(behind)
    assert await deeds(bench).disposal.run_once() == 0
    await bench.store.delete_subscription(behind.id)
    head = await bench.store.head()
    refused = a_subscription(cursor=head)
    tracking_id = (await bench.consent()).tracking_id
    await bench.store.add_subscription(refused)
    await bench.store.save_progress(Progress(subscription=refused, park=(parked(2, tracking_id=tracking_id),)))
    assert await deeds(bench).disposal.run_once() == 0
    given_up = parked(2, tracking_id=tracking_id, next_attempt_at=at(5))
    await bench.store.save_progress(Progress(subscription=refused, given_up=(given_up,)))
    assert await deeds(bench).disposal.run_once() == 1
    assert bench.rows("SELECT count(*) FROM dead_letter") == [(0,)]


async def test_a_registration_that_its_holder_never_knew_goes_at_once_when_that_is_asked_for(bench: Bench) -> None:
    await bench.register(user_ref=PERSON)
    (fate,) = await deeds(bench).privacy.preview(PERSON)
    assert fate.keeping.obstacles == ("not_ended",)
    bench.advance(days=2)
    (fate,) = await deeds(bench).privacy.preview(PERSON)
    assert (fate.keeping.may_go, fate.is_gone) == (True, False)
    assert left(bench)["consent"] == 1
    (fate,) = await deeds(bench).privacy.erase(PERSON, "desk")
    assert fate.is_gone
    assert left(bench) == {}


async def test_what_was_scheduled_goes_by_itself_even_where_nothing_else_does(bench: Bench) -> None:
    await a_life(bench)
    plan = RetentionPlan(goes_unasked=False)
    (fate,) = await deeds(bench, plan).privacy.erase(PERSON, "desk")
    assert (fate.is_scheduled, fate.keeping.obstacles) == (True, ("duty",))
    (again,) = await deeds(bench, plan).privacy.erase(PERSON, "desk")
    assert again.is_scheduled
    assert [entry.type for entry in await bench.entries()].count("consent.erasure_scheduled") == 1
    (waiting,) = await deeds(bench, plan).privacy.scheduled()
    assert waiting.look_at == fate.keeping.until
    assert await deeds(bench, plan).disposal.run_once() == 0
    pass_years(bench)
    assert await deeds(bench, plan).disposal.run_once() == 1
    assert await deeds(bench, plan).privacy.scheduled() == []
    assert "erasure_requested" in (await bench.entries())[-1].data["reason"]


async def test_one_process_looks_at_a_time(bench: Bench) -> None:
    await a_life(bench)
    pass_years(bench)
    await bench.store.hold_leases("another process", ["disposal"], 60)
    assert await deeds(bench).disposal.run_once() == 0
    await bench.store.release_leases("another process", ["disposal"])
    assert await deeds(bench).disposal.run_once() == 1


async def test_many_are_looked_through_page_by_page(bench: Bench) -> None:
    for n in range(7):
        await bench.register(f"never-heard-of-{n}")
    pass_years(bench)
    assert await deeds(bench).disposal.run_once() == 7


async def test_a_row_that_cannot_be_read_does_not_stop_the_others(bench: Bench) -> None:
    await a_life(bench)
    await a_life(bench, "another-consent", "another-person")
    pass_years(bench)
    bench.execute(f"UPDATE consent SET told_status = 'Revoked', summary = '[' WHERE consent_id = '{CONSENT}'")
    assert await deeds(bench).disposal.run_once() == 1
    assert await bench.store.find_consent((DEMOBANK, ConsentId("another-consent"))) is None
