"""Whatever JSON comes, reading it ends in a value that every later step can work with, or in the one refusal."""

import re
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

from hypothesis import event as label
from hypothesis import given
from hypothesis import strategies as st

from tests.profiles import uae_payloads as uae
from tests.profiles.json_values import json_values
from tracker.domain.consent import Status, is_consent_id
from tracker.journal.canonical import canonical
from tracker.profiles import uae_v2_1_wire
from tracker.profiles.profile import Event, Family, Snapshot, UnreadableMessageError
from tracker.profiles.uae_v2_1 import UAE_V2_1

REASONS = frozenset(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", uae_v2_1_wire.__doc__ or "")) - {"i_json"}
KNOWN = [
    uae.event(uae.sharing(RevokedBy="TPP", BaseConsentId="b")),
    uae.event(uae.pushed_payment(), ConsentId=uae.PAYMENT_ID),
    uae.event(uae.standing_payments(), ConsentId=uae.PAYMENT_ID),
    uae.event(uae.insurance(), ConsentId=uae.INSURANCE_ID),
    uae.event(uae.payment(), ConsentId=uae.PAYMENT_ID),
    uae.event(uae.FX_QUOTE, FxQuoteId="q"),
    uae.event(uae.INSURANCE_QUOTE, QuoteId="q"),
    uae.event(uae.ACCOUNT_OPENING, AccountId="a"),
    uae.claims({"Meta": uae.meta()}),
]


def paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    found = [at]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += paths(inner, (*at, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += paths(inner, (*at, index))
    return found


def put(value: Any, at: tuple[str | int, ...], new: Any) -> Any:
    """The value with another one in one place."""
    if not at:
        return new
    if isinstance(value, dict):
        return {name: put(inner, at[1:], new) if name == at[0] else inner for name, inner in value.items()}
    return [put(inner, at[1:], new) if index == at[0] else inner for index, inner in enumerate(value)]


@st.composite
def mutated(draw: st.DrawFn, known: list[Any]) -> Any:
    """A message that is right but for a few places."""
    value = draw(st.sampled_from(known))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(paths(value)))
        value = put(value, place, draw(json_values()))
    return value


def outcome(read: Callable[[], Event | Snapshot]) -> Event | Snapshot | None:
    try:
        return read()
    except UnreadableMessageError as error:
        label(error.reason)
        if error.reason not in REASONS:
            raise
        return None


def check_snapshot(snapshot: Snapshot) -> None:
    assert is_consent_id(snapshot.consent_id)
    assert snapshot.status is not Status.NOT_STAGED
    assert (snapshot.status is Status.UNKNOWN) == (snapshot.status.value != snapshot.raw_status) or (
        snapshot.raw_status == "Unknown"
    )
    assert 0 < len(snapshot.raw_status) <= 64
    assert snapshot.revoked_by is None or len(snapshot.revoked_by) <= 40
    assert snapshot.base_consent_id is None or is_consent_id(snapshot.base_consent_id)
    assert all(isinstance(permission, str) for permission in snapshot.permissions or ())
    for time in (snapshot.status_date_time, snapshot.creation_date_time, snapshot.expiration_date_time):
        assert time is None or time.utcoffset() == timedelta(0)
    assert canonical(dict(snapshot.terms))


def check_event(event: Event) -> None:
    label(event.family)
    assert event.event_date_time.tzinfo is UTC
    assert event.data is None or canonical(dict(event.data))
    if event.family in {Family.CONSENT, Family.PAYMENT}:
        assert is_consent_id(event.consent_id)
    if event.snapshot is not None:
        assert event.family is Family.CONSENT
        assert event.ids_disagree == (event.snapshot.consent_id != event.consent_id)
        check_snapshot(event.snapshot)


def check(read: Any) -> None:
    if isinstance(read, Event):
        check_event(read)
    elif read is not None:
        assert isinstance(read, Snapshot)
        check_snapshot(read)


@given(json_values())
def test_any_json_as_claims(claims: Any) -> None:
    check(outcome(lambda: UAE_V2_1.read_event(claims)))


@given(json_values(), json_values())
def test_any_json_as_metadata_and_data(meta: Any, data: Any) -> None:
    check(outcome(lambda: UAE_V2_1.read_event(uae.claims({"Meta": meta, "Data": data}))))


@given(mutated(KNOWN))
def test_event_that_is_right_but_for_a_few_places(claims: Any) -> None:
    check(outcome(lambda: UAE_V2_1.read_event(claims)))


@given(st.sampled_from(list(UAE_V2_1.kinds)), json_values())
def test_any_json_as_an_answer(kind: str, body: Any) -> None:
    check(outcome(lambda: UAE_V2_1.read_consent(kind, body)))
    check(outcome(lambda: UAE_V2_1.read_consent(kind, {"Data": body})))


@given(
    st.sampled_from(list(UAE_V2_1.kinds)),
    mutated([uae.answer(data()) for data in (uae.sharing, uae.pushed_payment, uae.standing_payments, uae.insurance)]),
)
def test_answer_that_is_right_but_for_a_few_places(kind: str, body: Any) -> None:
    check(outcome(lambda: UAE_V2_1.read_consent(kind, body)))


def test_reasons_are_listed() -> None:
    assert len(REASONS) == 22
