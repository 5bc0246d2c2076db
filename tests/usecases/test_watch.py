"""Watching over the providers: how we learnt of moves, which were missed, and who has gone quiet."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.usecases.bench import CONSENT, DEMOBANK, OTHERBANK, Bench, a_provider, data, event, message
from tracker.domain.condition import HEALTHY, Condition
from tracker.domain.errors import StorageError
from tracker.domain.hearing import Quiet
from tracker.domain.lags import Lags
from tracker.domain.schedule import JITTER
from tracker.ports import Told
from tracker.usecases.watch import Watch, stretch_for


def at(bench: Bench) -> str:
    return bench.clock.now().isoformat()


def an_event(bench: Bench, status: str = "Authorized", consent_id: str = CONSENT, **claims: Any) -> bytes:
    found = data(status, at(bench), ConsentId=consent_id)
    seconds = int(bench.clock.now().timestamp())
    times = {"iat": seconds, "nbf": seconds, "exp": seconds + 600}
    return event(None, message=message(found, at=at(bench), ConsentId=consent_id), **times, **claims)


async def find(bench: Bench, status: str, consent_id: str = CONSENT) -> None:
    """Let a poll find a move."""
    bench.holders.answers[consent_id] = {"Data": data(status, at(bench), ConsentId=consent_id)}
    await bench.asker.ask_now((await bench.consent(consent_id)).tracking_id)


async def begin(bench: Bench, *names: str) -> None:
    for name in names or (CONSENT,):
        await bench.register(name)
        bench.advance(seconds=1)
        await bench.deliver(an_event(bench, consent_id=name))
    await bench.look_after()


async def drifts(bench: Bench) -> list[tuple[str, str, str, bool]]:
    found = [entry for entry in await bench.entries() if entry.type == "consent.drift_found"]
    return [(e.data["consent_id"], e.data["reason"], e.data["to"], e.data["usable"]) for e in found]


async def alarms(bench: Bench) -> list[tuple[str, str, str, bool]]:
    found = [entry for entry in await bench.entries() if entry.type.startswith("provider.")]
    assert {entry.subject for entry in found} <= {f"provider/{DEMOBANK}"}
    return [(e.type, e.data["from"], e.data["to"], e.data["status_date_time"] is not None) for e in found]


async def hearing(bench: Bench) -> Any:
    return (await bench.store.provider_health())[DEMOBANK].hearing


async def lags(bench: Bench) -> Any:
    facts = await bench.store.provider_facts([DEMOBANK], bench.clock.now(), bench.clock.now() - timedelta(days=1))
    return facts[DEMOBANK].lags


# ---------------------------------------------------------------------------------------------- drift


async def test_a_move_that_no_event_told_is_told_after_the_grace_and_once(bench: Bench) -> None:
    await begin(bench)
    await find(bench, "Suspended")
    moved_at = at(bench)
    await bench.look_after()
    bench.advance(seconds=299)
    await bench.look_after()
    assert await drifts(bench) == []
    bench.advance(seconds=1)
    await bench.look_after()
    await bench.look_after()
    assert await drifts(bench) == [(CONSENT, "suspended_missed", "Suspended", False)]
    entries = await bench.entries()
    told, move = entries[-1].data, entries[-2].data
    assert told["evidence"] == move["evidence"]
    assert told["received_at"] == move["received_at"]
    assert told["previous"] == entries[-2].sequence
    assert told["status_date_time"][:19] == moved_at[:19]
    assert told["from"] is None


async def test_an_event_that_comes_within_the_grace_is_in_time(bench: Bench) -> None:
    await begin(bench)
    await find(bench, "Suspended")
    await bench.look_after()
    late = an_event(bench, "Suspended")
    bench.advance(seconds=200)
    await bench.deliver(late)
    bench.advance(seconds=200)
    await bench.look_after()
    assert await drifts(bench) == []
    assert (await hearing(bench)).record.endswith("t")


async def test_what_was_missed_is_named_though_more_has_happened_since(bench: Bench) -> None:
    await begin(bench)
    await find(bench, "Suspended")
    await bench.look_after()
    bench.advance(seconds=100)
    await bench.deliver(an_event(bench, "Authorized"))
    bench.advance(seconds=200)
    await bench.look_after()
    assert await drifts(bench) == [(CONSENT, "suspended_missed", "Authorized", True)]
    assert (await hearing(bench)).quiet is None  # something was heard


async def test_nobody_had_to_tell_of_what_was_before_we_tracked_it_nor_of_the_staging(bench: Bench) -> None:
    for name, status in (("old", "Authorized"), ("staged", "AwaitingAuthorization")):
        await bench.register(name)
        bench.holders.answers[name] = {"Data": data(status, "2026-03-02T15:13:19+04:00", ConsentId=name)}
        await bench.asker.ask_now((await bench.consent(name)).tracking_id)
    await bench.look_after()
    bench.advance(hours=1)
    await bench.look_after()
    assert await drifts(bench) == []
    assert await lags(bench) == {}


async def test_a_provider_that_was_taken_out_holds_nobody_up(bench: Bench) -> None:
    await begin(bench)
    await find(bench, "Suspended")
    await bench.look_after()
    bench.advance(seconds=301)
    bench.execute("UPDATE consent SET provider = 'gone'")
    await bench.look_after()
    assert await drifts(bench) == []
    assert bench.rows("SELECT * FROM awaited_event") == []


async def test_a_damaged_consent_does_not_stand_in_the_way_of_others(bench: Bench) -> None:
    await begin(bench, "a", "b")
    await find(bench, "Suspended", "a")
    await find(bench, "Suspended", "b")
    await bench.look_after()
    bench.advance(seconds=301)
    bench.execute("UPDATE consent SET summary = '{' WHERE consent_id = 'a'")
    await bench.look_after()
    assert [name for name, *_ in await drifts(bench)] == ["b"]
    assert bench.rows("SELECT * FROM awaited_event") == []


# ---------------------------------------------------------------------------------------------- quiet


async def test_a_silent_provider_is_noticed_by_the_first_move_and_known_by_the_second(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tracker.usecases.watch")
    await begin(bench, "a", "b", "c")
    await bench.register("elsewhere", provider=OTHERBANK)
    bench.advance(seconds=60)
    await find(bench, "Suspended", "a")
    found_at = bench.clock.now()
    for _ in range(120):
        bench.advance(seconds=5)
        await bench.look_after()
        if (await hearing(bench)).quiet:
            break
    assert bench.clock.now() - found_at <= timedelta(minutes=15)
    assert (await hearing(bench)).quiet is Quiet.UNSURE
    assert bench.conditions.of(DEMOBANK) == Condition(probed=True)
    assert bench.conditions.of(OTHERBANK) == HEALTHY
    await find(bench, "Suspended", "b")
    await pass_the_grace(bench)
    assert (await hearing(bench)).quiet is Quiet.SILENT
    assert bench.conditions.of(DEMOBANK) == Condition(quiet=True)
    assert await alarms(bench) == [("provider.quiet", "heard", "silent", True)]
    await find(bench, "Revoked", "a")  # more of the same is no more news
    await pass_the_grace(bench)
    assert len(await drifts(bench)) == 3
    await bench.deliver(an_event(bench, "Suspended", "c"))
    await bench.look_after()
    await bench.look_after()
    assert bench.conditions.of(DEMOBANK) == HEALTHY
    quiet, heard = ("provider.quiet", "heard", "silent", True), ("provider.heard", "silent", "heard", False)
    assert await alarms(bench) == [quiet, heard]
    assert [(record.levelname, record.message.partition(":")[0]) for record in caplog.records] == [
        ("INFO", "demobank may have gone quiet"),
        ("WARNING", "demobank has gone quiet (silent)"),
        ("INFO", "demobank is heard again"),
    ]


async def pass_the_grace(bench: Bench) -> None:
    await bench.look_after()
    bench.advance(seconds=301)
    await bench.look_after()


async def test_one_lost_event_is_no_alarm_and_costs_half_an_hour(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tracker.usecases.watch")
    await begin(bench, "a", "b")
    bench.advance(seconds=90)
    await find(bench, "Suspended", "a")
    await pass_the_grace(bench)
    assert bench.conditions.of(DEMOBANK) == Condition(probed=True)
    bench.advance(minutes=29)
    await bench.look_after()
    assert bench.conditions.of(DEMOBANK) == Condition(probed=True)
    bench.advance(minutes=1)
    await bench.look_after()
    assert bench.conditions.of(DEMOBANK) == HEALTHY
    assert (await hearing(bench)).quiet is Quiet.UNSURE
    await bench.deliver(an_event(bench, "Suspended", "b"))
    await bench.look_after()
    assert (await hearing(bench)).quiet is None
    assert [(record.levelname, record.message.partition(":")[0]) for record in caplog.records] == [
        ("INFO", "demobank may have gone quiet"),
        ("INFO", "demobank is heard"),
    ]


async def test_an_event_that_tells_no_move_ends_the_probe(bench: Bench) -> None:
    await begin(bench, "a", "b")
    bench.advance(seconds=90)
    await find(bench, "Suspended", "a")
    await pass_the_grace(bench)
    bench.advance(seconds=10)
    await bench.deliver(an_event(bench, "Authorized", "b"))  # once more; it moves nothing
    await bench.look_after()
    assert bench.conditions.of(DEMOBANK) == HEALTHY


async def test_what_was_lost_before_others_came_is_no_silence(bench: Bench) -> None:
    await begin(bench, "a", "b")
    bench.advance(seconds=90)
    bench.holders.answers["a"] = {"Data": data("Suspended", at(bench), ConsentId="a")}
    bench.advance(hours=1)
    await bench.deliver(an_event(bench, "Suspended", "b"))
    bench.advance(hours=1)
    await bench.asker.ask_now((await bench.consent("a")).tracking_id)
    await pass_the_grace(bench)
    assert len(await drifts(bench)) == 1
    assert (await hearing(bench)).quiet is None


async def next_ask(bench: Bench) -> datetime:
    at = await bench.store.next_ask_at((await bench.consent("b")).tracking_id, bench.office.tempo(DEMOBANK))
    assert at is not None
    return at


async def test_while_it_is_quiet_what_was_due_late_is_asked_about_sooner(bench: Bench) -> None:
    await begin(bench, "a", "b", "c")
    await bench.register("elsewhere", provider=OTHERBANK)
    bench.advance(seconds=90)
    await find(bench, "Suspended", "a")
    await bench.look_after()
    before = await next_ask(bench)
    await pass_the_grace(bench)
    probed = await next_ask(bench)
    await find(bench, "Suspended", "c")
    await pass_the_grace(bench)
    after = await next_ask(bench)
    base = bench.office.pace.authorized
    assert before - bench.clock.now() > timedelta(hours=5)
    assert before - probed == base / 3
    assert after - bench.clock.now() <= base * (1 / 4 + JITTER)


async def test_a_restart_forgets_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Another process goes on: with the page that was being read, what is waited for, and an alarm that was given."""
    await begin(bench, "a", "b")
    bench.advance(seconds=90)
    await find(bench, "Suspended", "a")
    await find(bench, "Suspended", "b")
    for seconds in (1, 301, 301):
        await bench.pulse.write()
        await Watch(bench.store, bench.office, bench.registrar._journal_bell, grace=timedelta(seconds=300)).run_once()
        bench.advance(seconds=seconds)
    assert len(await drifts(bench)) == 2
    assert sum("has gone quiet" in record.message for record in caplog.records) == 1
    assert len(await alarms(bench)) == 1


# ---------------------------------------------------------------------------------------------- what is counted


async def test_moves_are_counted_by_how_we_learnt_of_them_and_how_long_that_took(bench: Bench) -> None:
    await begin(bench, "a", "b")
    told = an_event(bench, "Suspended", "a")
    bench.holders.answers["b"] = {"Data": data("Suspended", at(bench), ConsentId="b")}
    bench.advance(seconds=2)
    await bench.deliver(told, told)
    bench.advance(seconds=60)
    await bench.asker.ask_now((await bench.consent("b")).tracking_id)
    await bench.look_after()
    found = await lags(bench)
    assert found[Told.WEBHOOK] == Lags.of([0.0, 0.0, 2.0])
    assert found[Told.POLL] == Lags.of([62.0])
    bench.advance(seconds=301)
    await bench.look_after()
    assert (await lags(bench))[Told.MISSED] == Lags.of([62.0])
    assert (await bench.store.provider_health())[DEMOBANK].signs.last_event_at is not None


async def test_what_cannot_be_written_down_is_written_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: object) -> None:
        raise StorageError

    await begin(bench)
    bench.advance(seconds=1)
    await bench.deliver(an_event(bench, "Suspended"))
    heard_at = bench.clock.now()
    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "note_signs", fails)
        with pytest.raises(StorageError):
            await bench.pulse.write()
    await bench.pulse.write()
    assert (await bench.store.provider_health())[DEMOBANK].signs.last_event_at == heard_at


# ---------------------------------------------------------------------------------------------- a short day


@pytest.mark.parametrize(
    ("hour", "used", "stretch"),
    [(0, 0, 1.35), (12, 2000, 1.35), (12, 3000, 2.75), (12, 1000, 1.0), (23, 4000, 24.0), (23, 3900, 2.25)],
)
def test_base_intervals_stretch_as_what_is_left_of_the_day_asks_for(hour: int, used: int, stretch: float) -> None:
    provider = a_provider(DEMOBANK, "https://x", daily_requests=4000)
    now = datetime(2026, 3, 2, hour, tzinfo=UTC)
    assert stretch_for(provider, used, 1000 / 19_800, now) == pytest.approx(stretch)


async def test_a_stretch_ends_when_the_provider_has_no_budget_for_a_day_any_more(bench: Bench) -> None:
    """It was configured away, and the service started anew."""
    await bench.store.set_stretch(DEMOBANK, 24.0)
    await bench.look_after()
    assert bench.conditions.of(DEMOBANK) == HEALTHY
