"""Groups of renewals, as the deeds leave them."""

from datetime import timedelta

import pytest

from tests.usecases.bench import CONSENT, Bench, data
from tests.usecases.chain import EXPIRY, NEXT, THIRD, hear, renew, time_text
from tracker.domain.cover import Span
from tracker.domain.errors import ConsentNotFoundError
from tracker.domain.limits import Change
from tracker.usecases import groups
from tracker.usecases.groups import Groups

SECOND = timedelta(seconds=1)


@pytest.fixture
def read(bench: Bench) -> Groups:
    return Groups(bench.store, bench.consulting)


async def test_times_are_the_holders_whatever_the_order_in_which_they_were_heard(bench: Bench, read: Groups) -> None:
    """A suspension that was heard of after its end cuts the time all the same; what the holder later denied does not."""
    await bench.register()
    start = bench.clock.now().replace(microsecond=0)
    bench.advance(hours=2)
    for status, hours in (("Authorized", 0.0), ("Authorized", 1.0), ("Suspended", 0.5)):
        await hear(bench, status, StatusUpdateDateTime=time_text(start + timedelta(hours=hours)))
    (member,) = (await read.get("demobank", CONSENT)).members
    half, whole = start + timedelta(hours=0.5), start + timedelta(hours=1)
    assert member.authorized == (Span(start, half), Span(whole, EXPIRY))


async def test_an_answer_that_told_nothing_new_counts_too(bench: Bench, read: Groups) -> None:
    await bench.register()
    bench.holders.answers[CONSENT] = {"Data": data("Authorized", "2026-03-02T15:10:00+04:00")}
    for _ in range(2):
        await bench.asker.ask_now((await bench.consent()).tracking_id)
        bench.advance(hours=1)
    group = await read.get("demobank", CONSENT)
    assert [span.until for span in group.cover.spans] == [EXPIRY]
    assert group.current is not None


async def test_an_end_cuts_what_was_planned(bench: Bench, read: Groups) -> None:
    await bench.register()
    await hear(bench)
    bench.advance(hours=1)
    await hear(bench, "Revoked")
    (member,) = (await read.get("demobank", CONSENT)).members
    assert [span.until for span in member.authorized] == [bench.clock.now() - SECOND]


async def test_of_a_large_group_the_oldest_are_left_out(
    bench: Bench, read: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "MOST_MEMBERS", 2)
    await bench.register()
    await hear(bench)
    assert (await read.get("demobank", CONSENT)).is_whole
    for consent_id in (NEXT, THIRD):
        bench.advance(minutes=1)
        await renew(bench, consent_id)
    group = await read.get("demobank", CONSENT)
    assert [member.seen.consent.consent_id for member in group.members] == [NEXT, THIRD]
    assert not group.is_whole


async def test_limits_are_compared_only_where_the_terms_of_both_are_known(bench: Bench, read: Groups) -> None:
    schedule = {"ConsentSchedule": {"MultiPayment": {"MaximumCumulativeNumberOfPayments": 12}}}
    await bench.register(kind="payment")
    await hear(bench, ControlParameters=schedule)
    bench.advance(minutes=1)
    await bench.register(
        NEXT, kind="payment", base_consent_id=CONSENT, permissions=("ReadAccountsBasic", "ReadBalances")
    )
    _, unheard = (await read.get("demobank", CONSENT)).members
    assert unheard.scope is not None
    assert unheard.scope.change is Change.SAME
    higher = {"ConsentSchedule": {"MultiPayment": {"MaximumCumulativeNumberOfPayments": 13}}}
    made = time_text(bench.clock.now())
    await hear(bench, "Authorized", NEXT, ControlParameters=higher, CreationDateTime=made, BaseConsentId=CONSENT)
    _, heard = (await read.get("demobank", CONSENT)).members
    assert heard.scope is not None
    assert (heard.scope.change, heard.scope.raised) == (Change.WIDER, ("maximum_cumulative_number_of_payments",))
    assert heard.is_predecessor_revoked is False


@pytest.mark.parametrize("name", [("demobank", "nobody"), ("nobank", CONSENT), ("demobank", " ")])
async def test_what_nobody_tracks_is_not_found(bench: Bench, read: Groups, name: tuple[str, str]) -> None:
    await bench.register()
    with pytest.raises(ConsentNotFoundError):
        await read.get(*name)
