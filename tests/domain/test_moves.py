"""The table of moves of one kind of consent."""

from datetime import timedelta

import pytest

from tests.domain.kinds import AU, AW, CO, DATA_SHARING, EX, KINDS, NS, PAYMENT, REVIVABLE, RJ, RV, SU, UN
from tracker.domain.consent import Status
from tracker.domain.moves import Rules

OPEN_AND_ENDS = [AW, AU, SU, RJ, CO, EX, RV]
REACH = {
    "data sharing": {
        NS: {AW, AU, SU, RJ, EX, RV},
        AW: {AU, SU, RJ, EX, RV},
        AU: {AU, SU, EX, RV},
        SU: {AU, SU, EX, RV},
    },
    "payment": {
        NS: {AW, AU, SU, RJ, CO, EX, RV},
        AW: {AU, SU, RJ, CO, EX, RV},
        AU: {AU, SU, CO, EX, RV},
        SU: {AU, SU, CO, EX, RV},
    },
    "revivable": {
        NS: {AW, AU, SU, RJ, EX, RV},
        AW: {AU, SU, RJ, EX, RV},
        AU: {AU, SU, EX, RV},
        SU: {AU, SU, EX, RV},
        RV: {AU, SU, EX, RV},
    },
}
"""Where a legal path leads from each status, written out; from the others it leads nowhere."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", Status)
def test_a_path_leads_where_the_table_says_and_nowhere_else(kind: str, start: Status) -> None:
    rules, reach = KINDS[kind], REACH[kind].get(start, set())
    assert {end for end in Status if rules.can_reach(start, end)} == reach


def test_only_a_payment_can_be_consumed() -> None:
    assert PAYMENT.can_have(CO)
    assert not DATA_SHARING.can_have(CO)
    assert {s for s in Status if not PAYMENT.can_have(s)} == {NS, UN}


def test_an_end_is_a_terminal_status_that_the_kind_can_have() -> None:
    assert {s for s in Status if DATA_SHARING.is_end(s)} == {RJ, EX, RV}
    assert {s for s in Status if PAYMENT.is_end(s)} == {RJ, CO, EX, RV}


@pytest.mark.parametrize(
    ("rules", "start", "end", "steps"),
    [
        (PAYMENT, AW, SU, (AU,)),
        (PAYMENT, AW, CO, (AU,)),
        (PAYMENT, SU, CO, (AU,)),
        (PAYMENT, AW, AU, ()),
        (PAYMENT, AW, EX, ()),
        (PAYMENT, NS, CO, ()),
        (PAYMENT, SU, SU, ()),  # no way round
        (PAYMENT, CO, AU, ()),  # no way at all
        (PAYMENT, AU, AW, ()),
        (DATA_SHARING, AW, CO, ()),
        (REVIVABLE, RV, SU, (AU,)),
        (REVIVABLE, RV, RV, ()),
        (REVIVABLE, AW, SU, (AU,)),  # not by way of a revocation
    ],
)
def test_the_missing_steps_are_those_of_the_shortest_path(
    rules: Rules, start: Status, end: Status, steps: tuple[Status, ...]
) -> None:
    assert rules.via(start, end) == steps


def test_of_two_shortest_paths_the_one_through_the_earlier_status_is_told() -> None:
    rules = Rules(moves={NS: frozenset({SU, AU}), SU: frozenset({RV}), AU: frozenset({RV})})
    assert rules.via(NS, RV) == (AU,)


def test_a_long_gap_names_every_step_in_between() -> None:
    rules = Rules(moves={NS: frozenset({AW}), AW: frozenset({AU}), AU: frozenset({SU}), SU: frozenset({AU, RV})})
    assert rules.via(NS, RV) == (AW, AU, SU)
    assert rules.via(AW, RV) == (AU, SU)


def test_the_tolerances_are_five_minutes_unless_a_profile_says_otherwise() -> None:
    assert DATA_SHARING.settling == timedelta(minutes=5)
    assert DATA_SHARING.leeway == timedelta(seconds=300)
    assert not DATA_SHARING.terms_may_change
    assert DATA_SHARING.revivable == frozenset()
