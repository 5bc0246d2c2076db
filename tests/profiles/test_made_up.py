"""The made-up ecosystem is a whole profile, and as far from the built-in one as a profile can be."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.profiles.json_values import json_values
from tests.profiles.made_up import KIND, LIBRARY_CARDS, WORDS, a_card, news
from tracker.domain.consent import Channel, Status
from tracker.domain.decision import decide
from tracker.domain.report import Report
from tracker.profiles import PROFILES
from tracker.profiles.profile import Family, UnreadableMessageError

RECEIVED_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(("word", "status"), WORDS.items())
def test_card_in_each_state_reads_as_the_canonical_status(word: str, status: Status) -> None:
    snapshot = LIBRARY_CARDS.read_consent(KIND, a_card("R-17", word))
    assert (snapshot.status, snapshot.raw_status) == (status, word)
    assert LIBRARY_CARDS.kinds[KIND].rules.can_have(status)


def test_news_of_a_card_reads_as_a_report_on_it() -> None:
    event = LIBRARY_CARDS.read_event(news("R-17", a_card("R-17", "held", 1_772_450_001), on=1_772_450_002))
    assert event.family is Family.CONSENT
    assert (event.consent_id, event.ids_disagree) == ("R-17", False)
    assert event.event_date_time == datetime.fromtimestamp(1_772_450_002, UTC)
    assert event.snapshot is not None
    assert event.snapshot.status is Status.SUSPENDED
    assert event.snapshot.status_date_time == datetime.fromtimestamp(1_772_450_001, UTC)
    assert event.snapshot.permissions == ("borrow", "reserve")


def test_news_without_a_card_says_only_whom_to_ask_about() -> None:
    event = LIBRARY_CARDS.read_event(news("R-17", on=1_772_450_002))
    assert (event.consent_id, event.data, event.snapshot) == ("R-17", None, None)


def test_news_of_a_fine_is_no_report() -> None:
    event = LIBRARY_CARDS.read_event(news("R-17", {"number": "R-17", "state": "refused"}, what="fine due", on=1))
    assert (event.family, event.snapshot) == (Family.PAYMENT, None)


def test_news_around_another_card_says_so() -> None:
    assert LIBRARY_CARDS.read_event(news("R-17", a_card("R-18"), on=1)).ids_disagree


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (a_card("a b"), "number_invalid"),
        (a_card("R-17") | {"state": None}, "state_missing"),
        (a_card("R-17", since=10**30), "since_invalid"),
        (a_card("R-17") | {"until": "tomorrow"}, "until_invalid"),
    ],
)
def test_card_that_cannot_be_is_refused(card: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableMessageError) as caught:
        LIBRARY_CARDS.read_consent(KIND, card)
    assert caught.value.reason == reason


@given(st.dictionaries(st.sampled_from(["news", "card", "iss"]), json_values()))
def test_whatever_claims_come_the_outcome_is_an_event_or_a_refusal(claims: dict[str, Any]) -> None:
    with suppress(UnreadableMessageError):
        LIBRARY_CARDS.read_event(claims)


def test_kind_that_there_is_not_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="payment"):
        LIBRARY_CARDS.read_consent("payment", a_card("R-17"))


def test_judge_follows_its_rules_and_no_others() -> None:
    def heard(status: Status, minute: int, expiry: datetime) -> Report:
        return Report(
            digest=f"{minute}",
            channel=Channel.WEBHOOK,
            status=status,
            status_date_time=RECEIVED_AT + timedelta(minutes=minute),
            received_at=RECEIVED_AT + timedelta(minutes=minute),
            recorded_at=RECEIVED_AT + timedelta(minutes=minute),
            asks=0,
            expiration_date_time=expiry,
        )

    first = heard(Status.AUTHORIZED, 0, RECEIVED_AT + timedelta(days=1))
    renewed = heard(Status.AUTHORIZED, 1, RECEIVED_AT + timedelta(days=2))
    assert not decide([first, renewed], LIBRARY_CARDS.kinds[KIND].rules).is_in_doubt
    assert decide([first, renewed], PROFILES["uae-v2.1"].kinds["payment"].rules).is_in_doubt
    paid = heard(Status.CONSUMED, 1, RECEIVED_AT + timedelta(days=1))
    assert decide([first, paid], LIBRARY_CARDS.kinds[KIND].rules).is_in_doubt


def test_it_shares_no_word_with_the_built_in_profiles() -> None:
    for built_in in PROFILES.values():
        assert not WORDS.keys() & {status.value for status in Status}
        assert not LIBRARY_CARDS.kinds.keys() & built_in.kinds.keys()
        assert LIBRARY_CARDS.push.accepted_status != built_in.push.accepted_status
        assert not LIBRARY_CARDS.push.jwe_encs & built_in.push.jwe_encs
        assert LIBRARY_CARDS.default_api_version != built_in.default_api_version
