"""Consents that nobody finished authorizing are revoked, if that is wanted: once, by the clock, and not before asking."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.usecases.bench import CONSENT, DEMOBANK, Bench, open_bench
from tests.usecases.test_ask import answer
from tests.usecases.test_import import row
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.domain.errors import ConsentApiUnavailableError, RevocationRefusedError, StorageError
from tracker.domain.overlay import Revocation
from tracker.domain.schedule import Pace
from tracker.usecases.journeys import Journeys
from tracker.usecases.wake import Bell

OVERDUE, AFTER = 900, 3600
PACE = Pace(revoke_abandoned_after=timedelta(seconds=AFTER))
AWAITING = answer("AwaitingAuthorization", "2026-03-02T15:13:19+04:00")
AUTHORIZED = answer("Authorized", "2026-03-02T16:25:00+04:00")
REVOKED = answer("Revoked", "2026-03-02T16:30:00+04:00", RevokedBy="TPP")


@pytest_asyncio.fixture
async def bench(database: Path, crypto: JwcryptoEventCrypto) -> AsyncIterator[Bench]:
    async with open_bench(database, crypto, pace=PACE) as made:
        yield made


async def overdue(bench: Bench) -> None:
    """A consent that its holder waits for; the journal tells that nobody finished, and the holder still waits."""
    await bench.register()
    bench.holders.answers[CONSENT] = AWAITING
    await bench.asker.run_once(DEMOBANK)
    await look(bench, OVERDUE)
    assert (await bench.told())[-1][0] == "authorization_overdue"
    assert await bench.asker.run_once(DEMOBANK) == 1


async def look(bench: Bench, seconds: float = 0) -> int:
    """Let time pass, and the clock speak."""
    bench.advance(seconds=seconds)
    return await bench.expiry.run_once()


async def request(bench: Bench) -> Revocation | None:
    return (await bench.consent()).overlay.revocation


def revokes(bench: Bench) -> None:
    bench.holders.said.append(lambda: bench.holders.answers.update({CONSENT: REVOKED}))


async def test_the_clock_asks_the_holder_and_then_revokes(bench: Bench) -> None:
    await overdue(bench)
    revokes(bench)
    assert await look(bench, AFTER - 1) == 0
    asked = len(bench.holders.asked)
    assert await look(bench, 1) == 1
    assert (await request(bench), bench.holders.revoked) == (None, [])  # not before the holder has answered
    assert await look(bench, 5) == 0  # and it is waited for in peace
    assert await bench.asker.run_once(DEMOBANK) == 1
    assert len(bench.holders.asked) == asked + 1
    assert await look(bench) == 1
    assert bench.holders.revoked == []
    assert await bench.revoker.run_once(DEMOBANK) == 1
    assert bench.holders.revoked == [(CONSENT, "TPP")]
    assert await bench.status() == ("Revoked", False)
    said, ended = (entry.leaf["data"] for entry in (await bench.entries())[-2:])
    assert (said["channel"], said["reason"], said["revoked_by"]) == ("clock", "abandoned", "TPP")
    assert (said["to"], said["usable"], ended["channel"], ended["to"]) == (
        "AwaitingAuthorization",
        False,
        "poll",
        "Revoked",
    )
    assert [kind for kind, *_ in await bench.told()].count("revocation_requested") == 1


async def test_without_the_setting_nothing_is_revoked(database: Path, crypto: JwcryptoEventCrypto) -> None:
    async with open_bench(database, crypto) as bench:
        await overdue(bench)
        for _ in range(40):
            await look(bench, 86_400)
            await bench.asker.run_once(DEMOBANK)
        assert (await request(bench), bench.holders.revoked) == (None, [])


async def test_who_finishes_before_the_holder_answers_keeps_the_consent(bench: Bench) -> None:
    await overdue(bench)
    await look(bench, AFTER)
    bench.holders.answers[CONSENT] = AUTHORIZED
    assert await bench.asker.run_once(DEMOBANK) == 1
    await look(bench, 86_400)
    assert (await request(bench), await bench.status()) == (None, ("Authorized", True))


async def test_who_comes_back_late_begins_the_time_anew(bench: Bench) -> None:
    await overdue(bench)
    bench.advance(seconds=AFTER - 10)
    await Journeys(bench.store, bench.office, Bell(), Bell()).returned(await bench.consent(), None)
    await bench.asker.run_once(DEMOBANK)
    await look(bench, AFTER - 1)
    await bench.asker.run_once(DEMOBANK)
    await look(bench)
    assert await request(bench) is None
    await look(bench, 1)
    await bench.asker.run_once(DEMOBANK)
    await look(bench)
    assert await request(bench) is not None


async def test_who_comes_back_after_the_request_finds_it_revoked(bench: Bench) -> None:
    """The holder may have got it. What the callback tells makes us ask, and takes nothing back."""
    await overdue(bench)
    await given_up(bench)
    bench.holders.said.append(ConsentApiUnavailableError("away"))
    await bench.revoker.run_once(DEMOBANK)
    await Journeys(bench.store, bench.office, Bell(), Bell()).returned(await bench.consent(), None)
    bench.holders.answers[CONSENT] = AUTHORIZED
    await bench.asker.run_once(DEMOBANK)
    seen = await bench.consulting.usable(DEMOBANK, CONSENT, permission=None, max_age_seconds=None)
    assert (seen.usable, seen.reason.value) == (False, "revocation_pending")
    revokes(bench)
    bench.advance(seconds=6)
    await bench.revoker.run_once(DEMOBANK)
    assert await bench.status() == ("Revoked", False)


async def given_up(bench: Bench) -> None:
    await look(bench, AFTER)
    await bench.asker.run_once(DEMOBANK)
    await look(bench)
    assert await request(bench) is not None


async def test_a_holder_that_refuses_is_not_asked_again(bench: Bench) -> None:
    await overdue(bench)
    await given_up(bench)
    bench.holders.said.append(RevocationRefusedError("Consent.BusinessRuleViolation"))
    await bench.revoker.run_once(DEMOBANK)
    entry = (await bench.entries())[-1]
    assert (entry.type, entry.leaf["data"]["channel"]) == ("consent.revocation_failed", "clock")
    await bench.revoker.withdraw((await bench.consent()).tracking_id)
    assert (await bench.entries())[-1].leaf["data"]["channel"] == "operator"
    for _ in range(30):
        await look(bench, 86_400)
        await bench.asker.run_once(DEMOBANK)
    assert (await request(bench), len(bench.holders.revoked)) == (None, 1)


async def test_what_somebody_asked_for_before_is_theirs(bench: Bench) -> None:
    await overdue(bench)
    await bench.revoker.request((await bench.consent()).tracking_id, "TPP.InitiatedByUser")
    await look(bench, AFTER)
    await bench.asker.run_once(DEMOBANK)
    await look(bench)
    requested = [e.leaf["data"] for e in await bench.entries() if e.type == "consent.revocation_requested"]
    assert [one["channel"] for one in requested] == ["operator"]


async def test_a_holder_that_is_away_is_waited_for(bench: Bench) -> None:
    await overdue(bench)
    bench.holders.answers[CONSENT] = ConsentApiUnavailableError("away")
    await look(bench, AFTER)
    for _ in range(20):
        await bench.asker.run_once(DEMOBANK)
        assert await look(bench, 60) == 0
    assert await request(bench) is None
    bench.holders.answers[CONSENT] = AWAITING
    bench.advance(hours=1)
    await bench.asker.run_once(DEMOBANK)
    await look(bench)
    assert await request(bench) is not None


async def test_a_process_that_dies_between_leaves_it_to_the_next_one(
    database: Path, crypto: JwcryptoEventCrypto, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = partial(open_bench, database, crypto, pace=PACE)
    async with again() as bench:
        await overdue(bench)
        await look(bench, AFTER)
        await bench.asker.run_once(DEMOBANK)
        transact = bench.store.transact

        async def dying(script: Callable[[Any], Any]) -> Awaitable[Any]:
            def cut_off(transaction: Any) -> Any:
                script(transaction)
                raise StorageError("Cut off.")

            return await transact(cut_off)

        monkeypatch.setattr(bench.store, "transact", dying)
        with pytest.raises(StorageError):
            await bench.expiry.run_once()  # before the request is on record
        monkeypatch.undo()
        assert await request(bench) is None
        clock = bench.clock
    async with again(clock=clock) as bench:
        assert await bench.expiry.run_once() == 1  # on record; dead before it is sent
    async with again(clock=clock) as bench:
        assert await bench.expiry.run_once() == 0
        revokes(bench)
        bench.holders.answers[CONSENT] = AWAITING
        assert await bench.revoker.run_once(DEMOBANK) == 1
        assert bench.holders.revoked == [(CONSENT, "TPP")]
        assert await bench.status() == ("Revoked", False)
        assert [kind for kind, *_ in await bench.told()].count("revocation_requested") == 1


async def test_a_setting_that_is_taken_back_leaves_the_clock_alone(database: Path, crypto: JwcryptoEventCrypto) -> None:
    async with open_bench(database, crypto, pace=PACE) as bench:
        await overdue(bench)
        clock = bench.clock
    async with open_bench(database, crypto, clock=clock, pace=replace(PACE, revoke_abandoned_after=None)) as bench:
        assert [await look(bench, AFTER), await look(bench), await look(bench)] == [1, 0, 0]
        assert await request(bench) is None


async def test_imported_consents_are_left_alone(bench: Bench) -> None:
    await bench.registrar.register_many([row(CONSENT)])
    bench.holders.answers[CONSENT] = AWAITING
    for _ in range(10):
        await bench.asker.run_once(DEMOBANK)
        await look(bench, 86_400)
    assert await request(bench) is None
