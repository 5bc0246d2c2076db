"""Was it usable when we pulled data, and did we have reason to think so?"""

from datetime import timedelta

import pytest

from tests.cli.histories import hear
from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event
from tests.usecases.chain import time_text
from tests.usecases.test_ask import answer
from tracker.domain.consent import Status
from tracker.domain.errors import ConsentNotFoundError, InvalidRequestError
from tracker.usecases.consult import UsableReason
from tracker.usecases.was_usable import Hindsight, WasUsable, WasUsableAnswers


async def was_usable(bench: Bench, minutes: float) -> WasUsable:
    """So many minutes ago."""
    answers = WasUsableAnswers(bench.store, bench.consulting, bench.believing)
    seen = await bench.consulting.get(DEMOBANK, CONSENT)
    return await answers.of(seen, bench.clock.now() - timedelta(minutes=minutes))


async def test_an_end_that_we_learnt_late_was_not_known_when_data_were_pulled(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    bench.advance(minutes=20)
    bench.holders.answers[CONSENT] = answer()
    await bench.asker.ask_now((await bench.consent()).tracking_id)  # silent: it confirms what we know
    asked_at = bench.clock.now()
    bench.advance(minutes=10)
    pulled_at = bench.clock.now()
    bench.advance(minutes=10)
    revoked = data("Revoked", time_text(pulled_at - timedelta(minutes=5)), RevokedBy="LFI")
    await bench.deliver(event(revoked, jti="late"))
    found = await was_usable(bench, 10)
    assert found.at == pulled_at
    assert found.hindsight is Hindsight.WRONGLY_BELIEVED
    assert (found.today.usable, found.today.reason) == (False, UsableReason.REVOKED)
    assert (found.then.usable, found.then.reason) == (True, UsableReason.OK)
    assert found.word is not None and (found.word.data["to"], found.word.data["channel"]) == ("Authorized", "webhook")
    assert (found.confirmed_at, found.age_seconds) == (asked_at, 600)
    assert [(entry.data["from"], entry.data["to"]) for entry in found.learned_since] == [("Authorized", "Revoked")]
    assert (await was_usable(bench, 16)).hindsight is Hindsight.USABLE
    assert (await was_usable(bench, 0)).hindsight is Hindsight.NOT_USABLE


async def test_a_doubt_of_ours_was_no_reason_to_think_so_though_it_was_usable(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    bench.advance(minutes=10)
    await bench.deliver(event(data("Bogus", time_text(bench.clock.now())), jti="odd"))
    bench.advance(minutes=5)
    then = await was_usable(bench, 1)
    assert (then.then.usable, then.then.reason) == (False, UsableReason.IN_DOUBT)
    bench.advance(minutes=5)
    bench.holders.answers[CONSENT] = answer()
    await bench.asker.ask_now((await bench.consent()).tracking_id)
    assert (await was_usable(bench, 0)).hindsight is Hindsight.USABLE
    assert (await was_usable(bench, 15)).hindsight is Hindsight.USABLE
    assert not (await was_usable(bench, 6)).then.usable


async def test_before_it_was_tracked_nobody_believed_anything(bench: Bench) -> None:
    await bench.register()
    await bench.deliver(event(data()))
    found = await was_usable(bench, 1)
    assert (found.then.seen, found.then.reason) == (None, UsableReason.UNKNOWN_CONSENT)
    assert (found.word, found.confirmed_at) == (None, None)
    seen = await bench.consulting.get(DEMOBANK, CONSENT)
    with pytest.raises(ConsentNotFoundError):
        await bench.believing.known_at(seen, bench.clock.now() - timedelta(minutes=1))


async def test_the_future_is_refused(bench: Bench) -> None:
    await bench.register()
    seen = await bench.consulting.get(DEMOBANK, CONSENT)
    later = bench.clock.now() + timedelta(seconds=1)
    with pytest.raises(InvalidRequestError):
        await bench.believing.known_at(seen, later)
    with pytest.raises(InvalidRequestError):
        await bench.believing.known_at(seen, bench.clock.now(), later)


async def test_what_we_believed_at_one_time_of_another(bench: Bench) -> None:
    """The holder's times and late learning, as far as the entries had told them by then."""
    await bench.register()
    await bench.deliver(event(data()))
    authorized_at = bench.clock.now()
    bench.advance(minutes=30)
    before_we_knew = bench.clock.now()
    suspended = data("Suspended", time_text(authorized_at + timedelta(minutes=10)))
    bench.advance(minutes=1)
    await bench.deliver(event(suspended, jti="suspended"))
    bench.advance(minutes=1)
    seen = await bench.consulting.get(DEMOBANK, CONSENT)
    of = authorized_at + timedelta(minutes=20)

    async def believed(known_at: object) -> str:
        found = await bench.believing.known_at(seen, known_at, of)  # type: ignore[arg-type]
        return found.effective_status.value

    assert await believed(before_we_knew) == "Authorized"
    assert await believed(bench.clock.now()) == "Suspended"
    early = await bench.believing.known_at(seen, bench.clock.now(), authorized_at + timedelta(minutes=5))
    assert (early.effective_status.value, early.usable) == ("Authorized", True)
    before_all = await bench.believing.known_at(seen, bench.clock.now(), authorized_at - timedelta(days=9))
    assert before_all.effective_status.value == "NotStaged"


async def test_a_story_is_cut_at_what_was_known(bench: Bench) -> None:
    consent = await bench.register()
    await bench.deliver(event(data()))
    then = bench.clock.now()
    bench.advance(minutes=1)
    await bench.deliver(event(data("Revoked", time_text(then), RevokedBy="LFI"), jti="end"))
    whole, cut = await bench.timelines.of(consent), await bench.timelines.of(consent, then)
    assert [item.to_status for item in whole if item.is_move] == ["Authorized", "Revoked"]
    assert [item.to_status for item in cut if item.is_move] == ["Authorized"]


async def test_what_was_learnt_late_and_moved_nothing_is_known_of_its_own_time(bench: Bench) -> None:
    """A missed suspension that comes after the word that ended it: data pulled in between were pulled without a right."""
    await bench.register()
    began = bench.clock.now()
    await hear(bench, "Authorized", time_text(began))
    bench.advance(hours=3)
    await hear(bench, "Authorized", time_text(bench.clock.now()))
    before = bench.clock.now()
    bench.advance(minutes=1)
    await hear(bench, "Suspended", time_text(began + timedelta(hours=1)))
    seen = await bench.consulting.get(DEMOBANK, CONSENT)
    pulled_at = began + timedelta(hours=2)
    now = await bench.believing.known_at(seen, bench.clock.now(), pulled_at)
    today = await bench.consulting.as_of(seen, pulled_at)
    assert (now.effective_status, now.usable) == (today.effective_status, today.usable) == (Status.SUSPENDED, False)
    assert now.known is not None and {"status", "usable"} <= now.known.beside, "the entry says no more than its date"
    assert (await bench.believing.known_at(seen, before, pulled_at)).usable, "nobody knew before it came"
    assert (await bench.believing.known_at(seen, bench.clock.now(), began + timedelta(minutes=59))).usable


async def test_of_two_words_for_one_instant_the_last_vouched(bench: Bench) -> None:
    await bench.register()
    await hear(bench, "Authorized", time_text(bench.clock.now()))
    bench.holders.answers[CONSENT] = answer()
    told = {}
    for seconds in (2, 0, 0):
        bench.advance(seconds=seconds)
        await bench.asker.ask_now((await bench.consent()).tracking_id)
        await hear(bench, "Authorized", time_text(bench.clock.now()))
        seen = await bench.consulting.get(DEMOBANK, CONSENT)
        told[bench.clock.now()] = (seen.consent.confirmed_at, seen.consent.confirmed_by)
    for instant, then in told.items():
        known = await bench.believing.known_at(seen, instant)
        assert (known.consent.confirmed_at, known.consent.confirmed_by) == then
