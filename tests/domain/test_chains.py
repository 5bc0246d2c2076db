"""Chains of renewals: which one counts, and which was forgotten."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.facts import a_consent, at
from tracker.domain.chains import Link, Outlook, age_order, current_link, is_chained, look_around, root_of
from tracker.domain.consent import Status, TrackingId
from tracker.domain.noticed import Noticing

GRACE = timedelta(hours=1)
OLD, NEW = TrackingId("old"), TrackingId("new")


def link(
    name: TrackingId, made: float, status: Status = Status.AUTHORIZED, since: float = 0, *told: TrackingId
) -> Link:
    return Link(tracking_id=name, age=(at(made), name), status=status, since=at(since), overlaps_told=told)


def test_a_consent_belongs_to_the_chain_that_it_names_or_is_the_first_of_its_own() -> None:
    assert root_of(a_consent("a")) == "a"
    assert root_of(a_consent("b", base_consent_id="a")) == "a"
    assert [
        is_chained(c) for c in (a_consent(), a_consent(base_consent_id="a"), a_consent("a", base_consent_id="a"))
    ] == [
        False,
        True,
        True,
    ]
    assert is_chained(a_consent(noticing=Noticing(has_successors=True)))


def test_age_goes_by_when_the_holder_made_it() -> None:
    made = a_consent(creation_date_time=at(5), registered_at=at(0))
    unheard = a_consent(registered_at=at(3))
    assert age_order(unheard) < age_order(made)


@pytest.mark.parametrize(
    ("now", "outlook"),
    [
        (0, Outlook(is_succeeded=True, look_at=at(10) + GRACE)),
        (3609, Outlook(is_succeeded=True, look_at=at(10) + GRACE)),
        (3610, Outlook(is_succeeded=True, overlap=NEW, overlap_since=at(10))),
    ],
)
def test_an_old_one_beside_a_new_one_is_told_after_the_grace(now: float, outlook: Outlook) -> None:
    found = look_around([link(OLD, 0, since=1), link(NEW, 5, since=10)], at(now), GRACE)
    assert found == {OLD: outlook, NEW: Outlook()}


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.AUTHORIZED}))
def test_an_old_one_that_is_not_authorized_is_no_overlap(status: Status) -> None:
    found = look_around([link(OLD, 0, status), link(NEW, 5)], at(10_000), GRACE)
    assert found == {OLD: Outlook(is_succeeded=True), NEW: Outlook()}
    assert look_around([link(OLD, 0), link(NEW, 5, status)], at(10_000), GRACE) == {OLD: Outlook(), NEW: Outlook()}


def test_a_pair_that_was_told_is_not_looked_at_again() -> None:
    found = look_around([link(OLD, 0, Status.AUTHORIZED, 0, NEW), link(NEW, 5)], at(10_000), GRACE)
    assert found[OLD] == Outlook(is_succeeded=True)


def test_without_any_authorized_nobody_counts() -> None:
    assert current_link([link(OLD, 0, Status.SUSPENDED)]) is None
    assert current_link([]) is None


links = st.builds(
    Link,
    tracking_id=st.uuids().map(lambda u: TrackingId(str(u))),
    age=st.tuples(st.integers(0, 50).map(at), st.uuids().map(str)),
    status=st.sampled_from([Status.AUTHORIZED, Status.AUTHORIZED, Status.SUSPENDED, Status.REVOKED]),
    since=st.integers(0, 10_000).map(at),
)
chains = st.lists(links, max_size=8, unique_by=lambda one: one.tracking_id)
instants = st.integers(0, 20_000).map(at)


@given(chain=chains, now=instants)
def test_the_current_one_has_no_younger_authorized_one_and_all_older_ones_are_succeeded(
    chain: list[Link], now: datetime
) -> None:
    current = current_link(chain)
    looks = look_around(chain, now, GRACE)
    assert looks.keys() == {one.tracking_id for one in chain}
    for one in chain:
        younger = [o for o in chain if o.age > one.age and o.status is Status.AUTHORIZED]
        assert looks[one.tracking_id].is_succeeded == bool(younger)
        assert (current is one) == (one.status is Status.AUTHORIZED and not younger)


@given(chain=chains, now=instants)
def test_every_overlap_is_told_at_its_time_once_and_none_before(chain: list[Link], now: datetime) -> None:
    """Looking again when it says, with what was told kept, tells of every older authorized one exactly once."""
    told: dict[TrackingId, list[TrackingId]] = {one.tracking_id: [] for one in chain}
    for _ in range(20):
        kept = [replace(one, overlaps_told=told[one.tracking_id]) for one in chain]
        looks = look_around(kept, now, GRACE)
        for tracking_id, outlook in looks.items():
            if outlook.overlap is not None:
                assert outlook.overlap_since is not None
                assert outlook.overlap_since + GRACE <= now
                told[tracking_id].append(outlook.overlap)
        waits = [outlook.look_at for outlook in looks.values() if outlook.look_at is not None]
        if not waits and not any(outlook.overlap for outlook in looks.values()):
            break
        assert all(wait > now for wait in waits)
        now = min(waits, default=now)
    current = current_link(chain)
    for one in chain:
        is_beside = current is not None and one.age < current.age and one.status is Status.AUTHORIZED
        assert told[one.tracking_id] == ([current.tracking_id] if is_beside and current else [])


def test_a_holder_that_dates_its_word_at_the_end_of_the_calendar_does_not_stop_the_others() -> None:
    last = datetime.max.replace(tzinfo=at(0).tzinfo)
    found = look_around([link(OLD, 0), replace(link(NEW, 5), since=last)], at(10), GRACE)
    assert found[OLD] == Outlook(is_succeeded=True, look_at=at(10) + 2 * GRACE)
