"""The words of a consent's life."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.consent import Channel, Status, is_consent_id, is_provider_id, require_consent_id
from tracker.domain.errors import InvalidRequestError


def test_statuses_are_the_words_on_the_wire_in_the_order_for_ties() -> None:
    assert sorted((s.rank, s.value) for s in Status) == [
        (0, "NotStaged"),
        (1, "Unknown"),
        (2, "AwaitingAuthorization"),
        (3, "Authorized"),
        (4, "Suspended"),
        (5, "Rejected"),
        (6, "Consumed"),
        (7, "Expired"),
        (8, "Revoked"),
    ]


def test_a_status_is_open_or_terminal_or_one_of_ours() -> None:
    assert {s.value for s in Status if s.is_open} == {"AwaitingAuthorization", "Authorized", "Suspended"}
    assert {s.value for s in Status if s.is_terminal} == {"Rejected", "Consumed", "Expired", "Revoked"}
    assert {s.value for s in Status if not s.is_open and not s.is_terminal} == {"NotStaged", "Unknown"}
    assert not any(s.is_open and s.is_terminal for s in Status)


def test_only_webhooks_and_polls_are_the_holders_word() -> None:
    assert {c.value: c.is_holders_word for c in Channel} == {
        "webhook": True,
        "poll": True,
        "token": False,
        "callback": False,
        "operator": False,
        "clock": False,
    }


@pytest.mark.parametrize(
    "value", ["!", "~", "a/b", "urn:x:1", "../../par", "a?b#c", "...", "%2e", "a" * 128, "a,b;c=d"]
)
def test_consent_ids_are_any_visible_ascii(value: str) -> None:
    assert is_consent_id(value)
    assert require_consent_id(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        " ",
        "a b",
        "a\tb",
        "a\n",
        "\n",
        "a\x00",
        "\x7f",
        "é",
        "ａ",
        "\u202e",
        "a" * 129,
        None,
        1,
        b"a",
        ["a"],
    ],
)
def test_consent_ids_are_nothing_else(value: object) -> None:
    assert not is_consent_id(value)


@pytest.mark.parametrize("value", ["..", "a b", "a" * 129])
def test_requiring_a_consent_id_refuses_what_cannot_be_one(value: str) -> None:
    with pytest.raises(InvalidRequestError, match="1 to 128 characters"):
        require_consent_id(value)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128))
def test_every_visible_ascii_text_but_the_path_steps_is_a_consent_id(value: str) -> None:
    assert is_consent_id(value) == (value not in {".", ".."})


@given(st.text(max_size=140))
def test_what_is_a_consent_id_is_short_and_visible(value: str) -> None:
    visible = all("\x21" <= c <= "\x7e" for c in value)
    assert is_consent_id(value) == (visible and 1 <= len(value) <= 128 and value not in {".", ".."})


@pytest.mark.parametrize("value", ["a", "demobank", "bank-1", "0", "-", "a" * 64])
def test_provider_ids(value: str) -> None:
    assert is_provider_id(value)


@pytest.mark.parametrize("value", ["", "A", "a_b", "a/b", "a.b", "a b", "a\n", "é", "²", "a" * 65])
def test_no_provider_ids(value: str) -> None:
    assert not is_provider_id(value)
