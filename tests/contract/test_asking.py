"""Who is due to be asked about, in which line, and what a provider's condition makes of it; and what is opened again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.contract.facts import (
    CONSENT_1,
    DEMOBANK,
    OTHERBANK,
    START,
    a_consent,
    a_decision,
    a_quarantined,
    at,
    name_of,
    save,
)
from tracker.adapters.store.store import SqlStore
from tracker.domain.condition import Condition
from tracker.domain.consent import ConsentId, ProviderId, Status
from tracker.domain.schedule import Pace, Tempo, tempo
from tracker.domain.tracked import Asking, TrackedConsent
from tracker.ports import AskLine, Due, QuarantineFilter, Transaction

HOUR = timedelta(hours=1)
PACE = Pace(authorized=4 * HOUR, suspended=8 * HOUR)
HEALTHY, QUIET, SHORT = (tempo(PACE, c) for c in (Condition(), Condition(quiet=True), Condition(stretch=2)))


async def keep(
    store: SqlStore, consent: TrackedConsent, status: Status = Status.AUTHORIZED, **due: datetime | None
) -> None:
    def script(transaction: Transaction) -> None:
        transaction.lock_named([name_of(consent)])
        times: dict[str, Any] = {"next_ask_at": None, "next_tick_at": None, **due}
        transaction.save(consent, a_decision(status), **times)

    await store.transact(script)


async def line(
    store: SqlStore, which: AskLine, now: datetime, its: Tempo = HEALTHY, limit: int = 10, bank: ProviderId = DEMOBANK
) -> list[str]:
    def script(transaction: Transaction) -> list[str]:
        return [consent.consent_id for consent in transaction.lock_due_asks(bank, now, limit, which, its)]

    return await store.transact(script)


async def test_a_condition_moves_what_is_scheduled_and_writes_nothing(store: SqlStore) -> None:
    await keep(store, a_consent("authorized"), steady_ask_at=START + 4 * HOUR)
    await keep(store, a_consent("suspended"), Status.SUSPENDED, steady_ask_at=START + 8 * HOUR)
    await keep(store, a_consent("theirs", OTHERBANK), steady_ask_at=START)

    async def due_after(hours: float, its: Tempo) -> list[str]:
        return await line(store, AskLine.ORDINARY, START + hours * HOUR, its)

    assert [await due_after(hours, HEALTHY) for hours in (3.99, 4, 7.99)] == [[], ["authorized"], ["authorized"]]
    assert await due_after(8, HEALTHY) == ["authorized", "suspended"]
    assert [await due_after(hours, QUIET) for hours in (0.99, 1, 1.99)] == [[], ["authorized"], ["authorized"]]
    assert await due_after(2, QUIET) == ["authorized", "suspended"]
    assert [await due_after(hours, SHORT) for hours in (7.99, 8, 15.99)] == [[], ["authorized"], ["authorized"]]
    assert await due_after(16, SHORT) == ["authorized", "suspended"]
    assert await due_after(0, HEALTHY) == []


async def test_what_is_due_by_either_time_comes_in_one_order_and_once(store: SqlStore) -> None:
    await keep(store, a_consent("third"), steady_ask_at=at(3))
    await keep(store, a_consent("first"), next_ask_at=at(1))
    await keep(store, a_consent("second"), Status.SUSPENDED, steady_ask_at=at(2))
    await keep(store, a_consent("both"), steady_ask_at=at(0), next_ask_at=at(4))
    await keep(store, a_consent("urgent"), steady_ask_at=at(0), urgent_ask_at=at(0))
    await keep(store, a_consent("soon urgent"), steady_ask_at=at(5), urgent_ask_at=at(99))
    assert await line(store, AskLine.ORDINARY, at(9)) == ["both", "first", "second", "third", "soon urgent"]
    assert await line(store, AskLine.ORDINARY, at(9), limit=2) == ["both", "first"]
    # By what the condition makes of it the suspended one is overdue for longer.
    quiet = await line(store, AskLine.ORDINARY, at(9), QUIET)
    assert quiet == ["second", "both", "third", "soon urgent", "first"]


async def test_the_doubtful_are_not_among_the_urgent(store: SqlStore) -> None:
    await keep(store, a_consent("urgent"), urgent_ask_at=at(1))
    await keep(store, a_consent("doubtful", asking=Asking(doubted_at=START)), urgent_ask_at=at(2))
    await keep(store, a_consent("first", asking=Asking(doubted_at=START)), urgent_ask_at=at(1))
    await keep(store, a_consent("let be", asking=Asking(doubted_at=START)))
    assert await line(store, AskLine.DOUBTFUL, at(9)) == ["first", "doubtful"]
    assert await line(store, AskLine.URGENT, at(9)) == ["urgent"]
    assert await line(store, AskLine.DOUBTFUL, at(1.5)) == ["first"]
    assert await line(store, AskLine.ORDINARY, at(9)) == []


async def test_the_suspected_wait_in_the_order_of_suspicion_unless_they_hold_back(store: SqlStore) -> None:
    for name, since, held_back in (("second", 2, None), ("first", 1, 5), ("held back", 0, 50), ("later", 20, None)):
        not_before = None if held_back is None else at(held_back)
        asking = Asking(suspected_at=at(since), not_before=not_before)
        await keep(store, a_consent(name, asking=asking), steady_ask_at=at(9_999))
    await keep(store, a_consent("leased", asking=Asking(suspected_at=START, leased_until=at(60))))
    assert await line(store, AskLine.SUSPECTED, at(9)) == ["first", "second"]
    assert await line(store, AskLine.SUSPECTED, at(9), bank=OTHERBANK) == []
    assert await line(store, AskLine.ORDINARY, at(9)) == []


async def test_what_a_clock_that_was_ahead_has_timed_is_found(store: SqlStore) -> None:
    far = START + timedelta(days=300)
    await keep(store, a_consent("due"), next_ask_at=at(1))
    await keep(store, a_consent("awaiting"), Status.AWAITING_AUTHORIZATION, next_ask_at=far)
    await keep(store, a_consent("authorized"), steady_ask_at=far, urgent_ask_at=far)
    await keep(store, a_consent("leased", asking=Asking(leased_until=far)), steady_ask_at=START)
    await keep(store, a_consent("right"), steady_ask_at=START + 4.2 * HOUR, urgent_ask_at=far)
    await keep(store, a_consent("later"), Status.AWAITING_AUTHORIZATION, next_ask_at=START + 24 * HOUR)
    await keep(store, a_consent("imported"), Status.NOT_STAGED, queued_ask_at=far)
    for its in (HEALTHY, SHORT):
        assert await line(store, AskLine.ORDINARY, at(9), its, limit=1) in (["leased"], ["due"])
        found = await line(store, AskLine.ORDINARY, at(9), its)
        assert set(found) == {"leased", "due", "awaiting", "authorized"} - ({"leased"} if its is SHORT else set())
    assert await line(store, AskLine.QUEUED, at(9)) == ["imported"]
    assert await line(store, AskLine.QUEUED, at(9), Tempo()) == []


async def test_when_it_is_asked_about_next_is_said_by_the_condition_too(store: SqlStore) -> None:
    consent = a_consent()
    await keep(store, consent, steady_ask_at=START + 4 * HOUR, next_ask_at=None)
    assert await store.next_ask_at(consent.tracking_id) == START + 4 * HOUR
    assert await store.next_ask_at(consent.tracking_id, QUIET) == START + HOUR
    assert await store.next_ask_at(consent.tracking_id, SHORT) == START + 8 * HOUR
    await keep(store, consent, steady_ask_at=START + 4 * HOUR, next_ask_at=at(5), urgent_ask_at=at(7))
    assert await store.next_ask_at(consent.tracking_id, SHORT) == at(5)


async def test_the_survey_counts_each_that_is_due_once(store: SqlStore) -> None:
    await keep(store, a_consent("a", asking=Asking(doubted_at=START)), urgent_ask_at=at(4), steady_ask_at=at(1))
    await keep(store, a_consent("b"), urgent_ask_at=at(3), next_ask_at=at(2), steady_ask_at=at(1))
    await keep(store, a_consent("c"), next_ask_at=at(2), steady_ask_at=at(5))
    await keep(store, a_consent("d"), Status.SUSPENDED, steady_ask_at=at(6))
    await keep(store, a_consent("e"), steady_ask_at=at(60), urgent_ask_at=at(99))
    asks = (await store.survey(at(9), [DEMOBANK, OTHERBANK])).asks
    assert (asks[DEMOBANK].count, asks[DEMOBANK].since) == (4, at(2))
    assert (asks[OTHERBANK].count, asks[OTHERBANK].since) == (0, None)


async def test_the_survey_counts_what_the_clock_should_have_told(store: SqlStore) -> None:
    await keep(store, a_consent("a"), next_tick_at=at(3), next_notice_at=at(8))
    await keep(store, a_consent("b"), next_tick_at=at(2), next_notice_at=at(10))
    await keep(store, a_consent("c"), next_tick_at=at(99))
    await keep(store, a_consent("d", OTHERBANK), next_tick_at=at(1))
    found = await store.survey(at(9), [DEMOBANK])
    assert (found.clock, found.notices) == (Due(count=2, since=at(2)), Due(count=1, since=at(8)))
    assert (await store.survey(at(9), [DEMOBANK, OTHERBANK])).clock == Due(count=3, since=at(1))
    assert (
        (await store.survey(at(0), [DEMOBANK])).clock
        == (await store.survey(at(9), [])).notices
        == Due(count=0, since=None)
    )


async def test_the_survey_counts_ends_that_their_holder_does_not_confirm(store: SqlStore) -> None:
    ended = a_decision(Status.AUTHORIZED, expiry=START)
    await save(store, a_consent("a"), a_consent("b"), decision=ended)
    await save(store, a_consent("c", OTHERBANK), decision=a_decision(Status.SUSPENDED, expiry=START))
    await save(store, a_consent("d"), decision=a_decision(Status.EXPIRED, expiry=START))
    await save(store, a_consent("e"), decision=a_decision(Status.AUTHORIZED))
    later = START + timedelta(days=1)
    assert (await store.survey(later - HOUR, [DEMOBANK])).expired_unconfirmed == {DEMOBANK: 0}
    found = (await store.survey(later, [DEMOBANK, OTHERBANK])).expired_unconfirmed
    assert found == {DEMOBANK: 2, OTHERBANK: 1}


# ------------------------------------------------------------------------------------------ groups


async def test_a_revoked_consent_and_its_open_siblings_are_held(store: SqlStore) -> None:
    wanted = Asking(siblings_wanted_at=at(1))
    revoked = a_consent("two", base_consent_id="root", asking=wanted)
    await keep(store, revoked, Status.REVOKED)
    for name, status, provider, base in (
        ("root", Status.AUTHORIZED, DEMOBANK, None),
        ("three", Status.SUSPENDED, DEMOBANK, "root"),
        ("four", Status.REVOKED, DEMOBANK, "root"),
        ("theirs", Status.AUTHORIZED, OTHERBANK, "root"),
        ("another", Status.AUTHORIZED, DEMOBANK, "other root"),
    ):
        await keep(store, a_consent(name, provider, base_consent_id=base), status)
    await keep(store, a_consent("elsewhere", OTHERBANK, asking=Asking(siblings_wanted_at=at(2))), Status.REVOKED)

    def held(now: datetime) -> Callable[[Transaction], tuple[list[str], list[list[str]]]]:
        def script(transaction: Transaction) -> tuple[list[str], list[list[str]]]:
            groups = transaction.lock_revoked(now, 10, [DEMOBANK, OTHERBANK])
            siblings = [sorted(one.consent_id for one in group) for group in groups.siblings.values()]
            for one in groups.revoked:  # seen to
                done = a_consent(one.consent_id, one.provider, tracking_id=one.tracking_id, base_consent_id="root")
                transaction.save(done, a_decision(Status.REVOKED), next_ask_at=None, next_tick_at=None)
            return [one.consent_id for one in groups.revoked], siblings

        return script

    assert await store.transact(held(at(0))) == ([], [])
    assert await store.transact(held(at(9))) == (["two"], [["root", "three"]])  # of one provider at a time
    assert await store.transact(held(at(9))) == (["elsewhere"], [[]])
    assert await store.transact(held(at(9))) == ([], [])


async def test_siblings_of_providers_that_we_do_not_ask_are_not_looked_for(store: SqlStore) -> None:
    await keep(store, a_consent(asking=Asking(siblings_wanted_at=START + 900 * HOUR)), Status.REVOKED)
    assert (await store.transact(lambda t: t.lock_revoked(at(9), 10, [OTHERBANK]))).revoked == []
    # One that was wanted by a clock that was ahead is wanted now.
    assert len((await store.transact(lambda t: t.lock_revoked(at(9), 10, [DEMOBANK]))).revoked) == 1


# ------------------------------------------------------------------------------------------ opened again


async def aside(store: SqlStore, *, reason: str = "key_unknown", provider: str = "demobank", **changes: Any) -> str:
    event = a_quarantined(reason=reason, provider=provider, **changes)
    await store.transact(lambda transaction: transaction.quarantine(event))
    return event.id


async def test_what_lacked_a_key_is_found_by_it(store: SqlStore) -> None:
    first = await aside(store, kid="a", received_at=at(5))
    second = await aside(store, kid="b", reason="keys_unavailable")
    third = await aside(store, kid="a")
    await aside(store, kid="c")
    await aside(store, kid="a", reason="signature_invalid")
    await aside(store, kid="a", provider="otherbank")
    found = await store.lacked_keys("demobank", ["a", "b", "none"], 10, "")
    assert [(one.id, one.kid) for one in found] == [(first, "a"), (second, "b"), (third, "a")]
    assert found[0].received_at == at(5)
    assert [one.id for one in await store.lacked_keys("demobank", ["a", "b"], 2, "")] == [first, second]
    assert [one.id for one in await store.lacked_keys("demobank", ["a", "b"], 2, second)] == [third]
    assert await store.lacked_keys("demobank", [], 10, "") == []


async def test_what_is_for_a_key_of_ours_is_found_by_it(store: SqlStore) -> None:
    first = await aside(store, reason="kid_unknown", our_kid="mine")
    await aside(store, reason="kid_unknown", our_kid="another")
    await aside(store, reason="kid_unknown", our_kid=None)
    await aside(store, reason="decryption_failed", our_kid="mine")
    only = QuarantineFilter(reason="kid_unknown", our_kids=frozenset({"mine", "none"}))
    assert await store.quarantined_ids(10, "", only) == [first]
    assert await store.quarantined_ids(10, "", replace(only, our_kids=frozenset())) == []


async def test_what_claims_to_be_about_a_consent_goes_back_into_the_inbox(store: SqlStore) -> None:
    provider, consent_id = CONSENT_1
    ids = [await aside(store, reason="lapsed", consent_id=consent_id) for _ in range(4)]
    other = await aside(store, reason="lapsed", consent_id="another")
    theirs = await aside(store, provider="otherbank", reason="lapsed", consent_id=consent_id)

    def release(transaction: Transaction) -> set[str]:
        return set(transaction.release_claimed([CONSENT_1, (provider, ConsentId("x"))], 3, at(9)))

    assert await store.transact(release) == set(ids[1:])  # the last received
    assert {item.id: item.retries for item in await store.claim_inbox(at(9), 10, 0)} == dict.fromkeys(ids[1:], 1)
    assert {event.id for event in await store.quarantined(10)} == {ids[0], other, theirs}
    assert await store.transact(release) == {ids[0]}
    assert await store.transact(release) == set()
