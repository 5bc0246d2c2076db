"""Many registrations at once, and in which order their holder is asked about them."""

from datetime import timedelta

import pytest

from tests.usecases.bench import CONSENT, DEMOBANK, NOW, Bench, data, event, message
from tests.usecases.test_ask import answer
from tracker.domain.consent import TrackingId
from tracker.domain.errors import ConsentApiUnavailableError, StorageError
from tracker.ports import Transaction
from tracker.usecases.register import MOST_IN_ONE_TRANSACTION, Registered, Registration


def row(consent_id: str, **facts: object) -> Registration:
    return Registration(**{"provider": DEMOBANK, "kind": "account-access", "consent_id": consent_id, **facts})


def said(done: list[Registered]) -> list[str]:
    return [one.error.code if one.error else "new" if one.is_new else "known" for one in done]


async def test_one_that_is_refused_does_not_stop_the_others(bench: Bench) -> None:
    await bench.register("known", user_ref="u")
    done = await bench.registrar.register_many(
        [
            row("a"),
            row("b", provider="nobody"),
            row("known"),
            row("known", user_ref="another"),
            row("a", user_ref="u"),
            row("a"),
            row("..", user_ref="u"),
            row("c", kind="mortgage"),
            row("d", kind="payment"),
        ]
    )
    assert said(done) == [
        "new",
        "provider_not_found",
        "known",
        "consent_conflict",
        "consent_conflict",
        "known",
        "invalid_request",
        "invalid_request",
        "new",
    ]
    assert done[5].consent is not None and done[0].consent is not None
    assert done[5].consent.tracking_id == done[0].consent.tracking_id
    assert [entry.type for entry in await bench.entries()] == ["consent.registered"] * 3
    assert await bench.registrar.register_many([]) == []


async def test_more_than_fit_in_a_transaction_are_registered_once_each(bench: Bench) -> None:
    rows = [row(f"c{n}") for n in range(2 * MOST_IN_ONE_TRANSACTION + 1)]
    assert said(await bench.registrar.register_many(rows)) == ["new"] * len(rows)
    assert said(await bench.registrar.register_many(rows)) == ["known"] * len(rows)
    assert bench.rows("SELECT count(*), count(DISTINCT consent_id) FROM consent") == [(len(rows), len(rows))]
    assert bench.rows("SELECT count(*) FROM batch") == [(3,)]


async def test_a_rehearsal_says_what_would_come_of_it_and_keeps_nothing(bench: Bench) -> None:
    await bench.register("known", user_ref="u")
    before = bench.rows("SELECT count(*) FROM consent"), await bench.entries()
    rows = [row("a"), row("a"), row("known", user_ref="another"), row("b", kind="mortgage")]
    done = await bench.registrar.register_many(rows, is_rehearsal=True)
    assert said(done) == ["new", "known", "consent_conflict", "invalid_request"]
    assert (bench.rows("SELECT count(*) FROM consent"), await bench.entries()) == before


async def test_what_came_before_the_import_is_filed(bench: Bench) -> None:
    endless = {name: value for name, value in data().items() if name != "ExpirationDateTime"}
    await bench.deliver(event(endless))
    assert said(await bench.registrar.register_many([row("a"), row(CONSENT)])) == ["new", "new"]
    assert await bench.status() == ("Authorized", True)
    assert bench.rows("SELECT queued_ask_at FROM consent WHERE consent_id != 'a'") == [(None,)]


async def test_what_the_database_will_never_take_stands_alone(bench: Bench) -> None:
    class NeverError(StorageError):
        """The database will not take it."""

        retryable = False

    transact = bench.store.transact

    async def refuse(script):  # type: ignore[no-untyped-def]
        def checked(transaction: Transaction):  # type: ignore[no-untyped-def]
            done, entries = script(transaction)
            if any(one.consent is not None and one.consent.consent_id == "bad" for one in done):
                raise NeverError
            return done, entries

        return await transact(checked)

    bench.store.transact = refuse  # type: ignore[method-assign]
    rows = [row(f"c{n}") for n in range(5)] + [row("bad")] + [row("d")]
    assert said(await bench.registrar.register_many(rows)) == ["new"] * 5 + ["storage_unavailable", "new"]
    assert bench.rows("SELECT count(*) FROM consent") == [(6,)]
    NeverError.retryable = True
    with pytest.raises(NeverError):
        await bench.registrar.register_many([row("bad")])


# ------------------------------------------------------------------------------------------------ asking


async def test_the_soonest_ending_are_asked_about_first_then_those_without_an_end_then_the_ended(bench: Bench) -> None:
    ends = {"ended": -9, "later": 30, "just ended": -1, "never": None, "soon": 1, "sooner": 0.5}
    rows = [
        row(name.replace(" ", "-"), expiration_date_time=None if end is None else NOW + timedelta(days=end))
        for name, end in ends.items()
    ]
    await bench.registrar.register_many(rows)
    assert await bench.asker.run_once(DEMOBANK) == 5
    bench.advance(seconds=1)
    assert await bench.asker.run_once(DEMOBANK) == 1
    assert bench.holders.asked == ["sooner", "soon", "later", "never", "just-ended", "ended"]


async def test_nothing_urgent_waits_for_an_import(bench: Bench) -> None:
    """A doubt, an expiry, a customer at the holder's pages; and what is due by the schedule gets its half."""
    first = NOW + timedelta(minutes=1)
    await bench.register("doubtful")
    await bench.register("ending")
    await bench.register("scheduled")
    for name in ("doubtful", "ending", "scheduled"):
        ends = first.isoformat() if name == "ending" else "2027-01-01T00:00:00Z"
        bench.holders.answers[name] = answer(ConsentId=name, ExpirationDateTime=ends)
    assert await bench.asker.run_once(DEMOBANK) == 3
    bench.advance(hours=7)
    for _ in range(4):  # all that was due by the schedule meanwhile, but not again
        await bench.asker.run_once(DEMOBANK)
        bench.advance(seconds=1)
    await bench.registrar.register_many([row(f"old{n}") for n in range(40)])
    bench.advance(hours=7)
    await bench.register("customer")
    await bench.deliver(event(None, message=message(data(ConsentId="other", Status=7), ConsentId="doubtful")))
    bench.holders.asked.clear()
    assert await bench.asker.run_once(DEMOBANK) == 5
    asked = set(bench.holders.asked)
    assert {"customer", "doubtful", "ending"} <= asked
    assert "scheduled" in asked
    assert len(asked - {"customer", "doubtful", "ending", "scheduled"}) == 1


async def test_an_import_and_the_schedule_share_what_is_left(bench: Bench) -> None:
    for n in range(40):
        await bench.register(f"s{n}")
        bench.holders.answers[f"s{n}"] = answer(ConsentId=f"s{n}", ExpirationDateTime="2027-01-01T00:00:00Z")
    for _ in range(8):
        assert await bench.asker.run_once(DEMOBANK) == 5
        bench.advance(seconds=1)
    await bench.registrar.register_many([row(f"old{n}") for n in range(40)])
    bench.advance(hours=7)
    bench.holders.asked.clear()
    for _ in range(4):
        assert await bench.asker.run_once(DEMOBANK) == 5
        bench.advance(seconds=1)
    assert sum(name.startswith("s") for name in bench.holders.asked) == 12
    assert len(set(bench.holders.asked)) == 20


async def test_an_imported_consent_that_its_holder_does_not_know_is_not_asked_about_every_minute(bench: Bench) -> None:
    await bench.registrar.register_many([row("old")])
    await bench.register("new")
    assert await bench.asker.run_once(DEMOBANK) == 2
    bench.advance(hours=5)
    bench.holders.asked.clear()
    await bench.asker.run_once(DEMOBANK)
    assert bench.holders.asked == ["new"]
    bench.advance(hours=1)
    bench.holders.answers["old"] = answer(ConsentId="old")
    await bench.asker.run_once(DEMOBANK)
    assert await bench.status("old") == ("Authorized", True)


async def test_what_failed_in_an_outage_does_not_stand_before_the_urgent_after_it(bench: Bench) -> None:
    rows = [row(f"old{n}") for n in range(5)]
    await bench.registrar.register_many(rows)
    for n in range(5):
        bench.holders.answers[f"old{n}"] = ConsentApiUnavailableError()
    assert await bench.asker.run_once(DEMOBANK) == 5
    assert bench.rows("SELECT count(urgent_ask_at), count(next_ask_at) FROM consent") == [(0, 5)]
    bench.advance(hours=1)
    await bench.register("customer")
    bench.holders.asked.clear()
    assert await bench.asker.run_once(DEMOBANK) == 1  # it tries whether the outage is over
    assert bench.holders.asked == ["customer"]
    assert await bench.asker.run_once(DEMOBANK) == 4


async def test_a_queued_consent_says_since_when_it_is_due(bench: Bench) -> None:
    (done,) = await bench.registrar.register_many([row("old")])
    assert done.consent is not None
    assert await bench.store.next_ask_at(TrackingId(done.consent.tracking_id)) == NOW
