from typing import Any

import pytest
from hypothesis import given

from tests.profiles.json_values import json_values, nested
from tracker.journal.canonical import canonical
from tracker.profiles.i_json import DEEPEST_NESTING, require_i_json
from tracker.profiles.profile import UnreadableMessageError


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "\u0000",
        "\U0001f4b3",
        -(2**60),
        10**300,
        1.5e300,
        -0.0,
        [],
        {},
        {"": [{"a": [None, 1, 2.5, "x", False]}]},
        nested(DEEPEST_NESTING),
        nested(DEEPEST_NESTING, in_lists=False),
    ],
)
def test_value_that_can_be_hashed_passes(value: Any) -> None:
    require_i_json(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("\ud800", "text_invalid"),
        ({"a": ["\udfff"]}, "text_invalid"),
        ({"\ud83d": 1}, "text_invalid"),
        (float("nan"), "number_invalid"),
        ([{"a": float("inf")}], "number_invalid"),
        (-float("inf"), "number_invalid"),
        (10**400, "number_invalid"),
        (-(10**400), "number_invalid"),
        (nested(DEEPEST_NESTING + 1), "nesting_too_deep"),
        (nested(DEEPEST_NESTING + 1, in_lists=False), "nesting_too_deep"),
        (nested(100_000), "nesting_too_deep"),
        (nested(DEEPEST_NESTING + 1, "\ud800"), "nesting_too_deep"),
        ({1: "a"}, "json_invalid"),
        ({"a": b"bytes"}, "json_invalid"),
        ([{1, 2}], "json_invalid"),
    ],
)
def test_value_that_cannot_be_hashed_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(UnreadableMessageError) as caught:
        require_i_json(value)
    assert caught.value.reason == reason


@given(json_values())
def test_whatever_passes_has_a_canonical_form(value: Any) -> None:
    reason = None
    try:
        require_i_json(value)
    except UnreadableMessageError as error:
        reason = error.reason
    assert canonical(value) if reason is None else reason in {"text_invalid", "number_invalid"}
