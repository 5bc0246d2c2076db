"""The facts of UAE Open Finance, once more and literally: a slip in the profile and the same slip here are two slips."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.profiles.uae_payloads import answer, sharing
from tracker.domain.consent import Status
from tracker.profiles import PROFILES
from tracker.profiles.uae_v2_1 import UAE_V2_1

MOVES = """
                       AwaitingAuthorization Authorized Suspended Rejected Consumed Expired Revoked
NotStaged              yes                   yes        yes       yes      payment  yes     yes
Unknown                -                     -          -         -        -        -       -
AwaitingAuthorization  -                     yes        via       yes      via      yes     yes
Authorized             -                     -          yes       -        payment  yes     yes
Suspended              -                     yes        -         -        via      yes     yes
Rejected               -                     -          -         -        -        -       -
Consumed               -                     -          -         -        -        -       -
Expired                -                     -          -         -        -        -       -
Revoked                -                     -          -         -        -        -       -
"""
KINDS = ("account-access", "payment", "insurance")


def moves() -> list[tuple[Status, Status, str]]:
    head, *rows = MOVES.strip().splitlines()
    table = []
    for row in rows:
        start, *cells = row.split()
        table += [(Status(start), Status(end), cell) for end, cell in zip(head.split(), cells, strict=True)]
    return table


@pytest.mark.parametrize(
    ("kind", "path", "scope", "accept", "must_be_signed"),
    [
        (
            "account-access",
            "/open-finance/account-information/v2.1/account-access-consents",
            "openid accounts",
            "application/jwt, application/json;q=0.5",
            False,
        ),
        (
            "payment",
            "/open-finance/payment/v2.1/payment-consents",
            "openid payments",
            "application/jwt",
            True,
        ),
        (
            "insurance",
            "/open-finance/insurance/v2.1/insurance-consents",
            "insurance",
            "application/jwt, application/json;q=0.5",
            False,
        ),
    ],
)
def test_kind_is_asked_about_as_the_standard_says(
    kind: str, path: str, scope: str, accept: str, must_be_signed: bool
) -> None:
    asked = UAE_V2_1.kinds[kind]
    assert asked.name == kind
    assert asked.path.format(api_version=UAE_V2_1.default_api_version) == path
    assert asked.path.format(api_version="v2.0") == path.replace("v2.1", "v2.0")
    assert (asked.scope, asked.accept, asked.must_be_signed) == (scope, accept, must_be_signed)


def test_there_are_three_kinds_and_one_built_in_profile() -> None:
    assert tuple(UAE_V2_1.kinds) == KINDS
    assert dict(PROFILES) == {"uae-v2.1": UAE_V2_1}
    assert UAE_V2_1.name == "uae-v2.1"


def test_events_come_as_the_standard_says() -> None:
    push = UAE_V2_1.push
    assert push.jwe_algs == {"RSA-OAEP-256"}
    assert push.jwe_encs == {"A256GCM"}
    assert push.jws_algs == {"PS256"}
    assert push.max_body_bytes == 65_536
    assert push.accepted_status == 202


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("start", "end", "cell"), moves())
def test_status_follows_another_as_the_table_says(start: Status, end: Status, cell: str, kind: str) -> None:
    rules = UAE_V2_1.kinds[kind].rules
    is_move = cell == "yes" or (cell == "payment" and kind == "payment")
    is_path = cell == "via" and (end is not Status.CONSUMED or kind == "payment")
    assert (end in rules.moves.get(start, frozenset())) is is_move
    if start is not end:
        assert rules.can_reach(start, end) is (is_move or is_path)
    assert rules.via(start, end) == ((Status.AUTHORIZED,) if is_path else ())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_leads_to_what_is_ours_alone(kind: str) -> None:
    rules = UAE_V2_1.kinds[kind].rules
    assert not rules.can_have(Status.NOT_STAGED)
    assert not rules.can_have(Status.UNKNOWN)


@pytest.mark.parametrize("kind", KINDS)
def test_rules_beside_the_moves(kind: str) -> None:
    rules = UAE_V2_1.kinds[kind].rules
    assert rules.can_have(Status.CONSUMED) is (kind == "payment")
    assert not rules.revivable
    assert not rules.revivers
    assert not rules.terms_may_change
    assert rules.settling.total_seconds() == 300
    assert rules.leeway.total_seconds() == 300


@pytest.mark.parametrize("facts", [PROFILES, UAE_V2_1.kinds])
def test_facts_cannot_be_changed(facts: Mapping[str, Any]) -> None:
    with pytest.raises(TypeError):
        facts["another"] = None  # type: ignore[index]


def test_kind_that_there_is_not_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="library-card"):
        UAE_V2_1.read_consent("library-card", answer(sharing()))
