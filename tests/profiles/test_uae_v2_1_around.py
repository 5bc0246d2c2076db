"""Around a consent's status: labels of every status and kind, errors, refusals, tokens, authorizers, payments."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.profiles import uae_payloads as uae
from tests.profiles.json_values import json_values
from tests.profiles.test_uae_v2_1_totality import mutated, outcome
from tracker.domain.consent import Status, is_consent_id
from tracker.domain.payment import PaymentOutcome
from tracker.journal.canonical import canonical
from tracker.profiles.around import Granted, Labels, Shelf, Shown
from tracker.profiles.profile import Family, UnreadableMessageError
from tracker.profiles.uae_v2_1 import UAE_V2_1
from tracker.profiles.uae_v2_1_around import authorizers_in, read_payment

SINGLE = {"ControlParameters": {"ConsentSchedule": {"SinglePayment": {"Type": "SingleInstantPayment"}}}}
MULTI = {"ControlParameters": {"ConsentSchedule": {"MultiPayment": {"PeriodicSchedule": {}}}}}
FILE = {"ControlParameters": {"ConsentSchedule": {"FilePayment": {}}}}
DELEGATED = {"ControlParameters": {"IsDelegatedAuthentication": True, "ConsentSchedule": {}}}

KINDS: list[tuple[str, dict[str, Any] | None, str | None]] = [
    ("account-access", None, "Data Sharing"),
    ("insurance", {}, "Data Sharing"),
    ("payment", SINGLE, "Single Payment"),
    ("payment", MULTI, "Flexi Pay"),
    ("payment", FILE, "Flexi Pay"),
    ("payment", DELEGATED, "Flexi Pay"),
    ("payment", None, None),
    ("payment", {"ControlParameters": "?"}, None),
]
CURRENT, HISTORY = Shelf.CURRENT, Shelf.HISTORY
PLAIN: dict[Status, tuple[Shelf, str] | None] = {
    Status.NOT_STAGED: None,
    Status.UNKNOWN: None,
    Status.AWAITING_AUTHORIZATION: (CURRENT, "Pending"),
    Status.AUTHORIZED: (CURRENT, "Active"),
    Status.SUSPENDED: (CURRENT, "Suspended"),
    Status.REJECTED: (HISTORY, "Rejected"),
    Status.CONSUMED: (HISTORY, "Consumed"),
    Status.EXPIRED: (HISTORY, "Expired"),
    Status.REVOKED: (HISTORY, "Cancelled"),
}


def labels(**facts: Any) -> tuple[Shelf, str, str | None] | None:
    found = UAE_V2_1.labels(Shown(**facts))
    return None if found is None else (found.shelf, found.status, found.type)


@pytest.mark.parametrize(("kind", "terms", "made"), KINDS)
@pytest.mark.parametrize("status", list(Status))
def test_labels_of_every_status_and_kind(kind: str, terms: Any, made: str | None, status: Status) -> None:
    plain = PLAIN[status]
    assert labels(kind=kind, terms=terms, status=status) == (None if plain is None else (*plain, made))


@pytest.mark.parametrize(("status", "paused", "revoking"), list(product(Status, [False, True], [False, True])))
def test_labels_with_what_we_put_over_a_consent(status: Status, paused: bool, revoking: bool) -> None:
    plain = PLAIN[status]
    if plain is not None and plain[0] is CURRENT:
        if revoking:
            plain = (CURRENT, "Cancelled")
        elif paused and status is Status.AUTHORIZED:
            plain = (CURRENT, "Paused")
    found = labels(kind="account-access", status=status, paused=paused, revoking=revoking)
    assert found == (None if plain is None else (*plain, "Data Sharing"))


@pytest.mark.parametrize(
    ("terms", "paid", "label"),
    [
        (SINGLE, None, "Consumed"),
        (SINGLE, PaymentOutcome.PENDING, "Consumed"),
        (SINGLE, PaymentOutcome.SUCCESSFUL, "Successful"),
        (SINGLE, PaymentOutcome.FAILED, "Failed"),
        (MULTI, PaymentOutcome.FAILED, "Consumed"),
        (MULTI, PaymentOutcome.SUCCESSFUL, "Consumed"),
        (None, PaymentOutcome.SUCCESSFUL, "Consumed"),
    ],
)
def test_a_consumed_single_payment_reads_by_its_payment(terms: Any, paid: Any, label: str) -> None:
    found = UAE_V2_1.labels(Shown(kind="payment", status=Status.CONSUMED, terms=terms, payment_outcome=paid))
    assert isinstance(found, Labels)
    assert found.status == label
    for status in set(Status) - {Status.CONSUMED}:
        assert labels(kind="payment", status=status, terms=SINGLE, payment_outcome=paid) == labels(
            kind="payment", status=status, terms=SINGLE
        )


def test_payments_statuses_are_those_of_the_description() -> None:
    final = {"AcceptedWithoutPosting", "AcceptedCreditSettlementCompleted", "Rejected"}
    words = {*final, "Pending", "AcceptedSettlementCompleted", "SomethingNew"}
    for word in words:
        read = read_payment(uae.payment(Status=word))
        assert read is not None
        assert (read.status, read.is_final) == (word, word in final)


def test_a_payment_is_read_whole() -> None:
    event = UAE_V2_1.read_event(uae.event(uae.payment(PaymentTransactionId="TX77"), ConsentId=uae.PAYMENT_ID))
    assert (event.family, event.snapshot) == (Family.PAYMENT, None)
    assert event.payment is not None
    assert (event.payment.payment_id, event.payment.outcome) == ("PAY-2026-0007", PaymentOutcome.FAILED)
    assert (event.payment.amount, event.payment.currency, event.payment.transaction_id) == ("74.50", "AED", "TX77")
    assert event.payment.reject_codes == ("FTS.AM02",)


@pytest.mark.parametrize(
    "changes",
    [{"PaymentId": 7}, {"PaymentId": "a b"}, {"Status": None}, {"Status": ["x"]}, {"StatusUpdateDateTime": "soon"}],
)
def test_what_says_too_little_of_a_payment_is_none(changes: dict[str, Any]) -> None:
    assert read_payment(uae.payment(**changes)) is None


def test_what_else_a_payment_says_is_left_out_where_it_is_not_of_its_form() -> None:
    odd = {"Instruction": {"Amount": {"Amount": 74.5, "Currency": "dirhams"}}, "CreationDateTime": 3}
    read = read_payment(uae.payment(**odd, RejectReasonCode={"Code": "AANI.AM04"}, PaymentTransactionId="x" * 65))
    assert read is not None
    assert (read.amount, read.currency, read.creation_date_time, read.transaction_id) == (None,) * 4
    assert read.reject_codes == ("AANI.AM04",)
    for codes in ([{"Code": "no code at all"}], ["x"], 3, None, [{}]):
        read = read_payment(uae.payment(RejectReasonCode=codes))
        assert read is not None
        assert read.reject_codes == ()


@given(mutated([uae.event(uae.payment(), ConsentId=uae.PAYMENT_ID)]))
def test_a_payment_event_that_is_right_but_for_a_few_places(claims: Any) -> None:
    event = outcome(lambda: UAE_V2_1.read_event(claims))
    payment = getattr(event, "payment", None)
    if payment is not None:
        assert is_consent_id(payment.payment_id)
        assert 0 < len(payment.status) <= 64
        assert all(len(code) <= 64 for code in payment.reject_codes)


def test_authorizers_are_read_of_an_answer_and_of_nothing_else() -> None:
    meta = {"MultipleAuthorizers": {"TotalRequired": 3, "Authorizations": [{"AuthorizationStatus": "Approved"}]}}
    body = uae.answer(uae.standing_payments()) | {"Meta": meta}
    read = UAE_V2_1.read_consent("payment", body).authorizers
    assert read is not None
    assert (read.total_required, read.approved, read.is_waiting) == (3, 1, True)
    assert UAE_V2_1.read_consent("payment", uae.answer(uae.standing_payments()) | {"Meta": {}}).authorizers is None


@pytest.mark.parametrize(
    ("statuses", "total", "is_waiting"),
    [
        (["Approved", "Approved"], 2, False),
        (["Approved", "Pending"], 2, True),
        (["Pending", "Rejected"], 2, False),
        (["Approved"], None, False),
        ([], 2, True),
        ([], None, False),
    ],
)
def test_somebody_is_waited_for_until_all_have_or_one_has_not_approved(
    statuses: list[str], total: int | None, is_waiting: bool
) -> None:
    told = {"TotalRequired": total, "Authorizations": [{"AuthorizationStatus": status} for status in statuses]}
    read = authorizers_in({"Meta": {"MultipleAuthorizers": told}})
    assert read is not None
    assert read.is_waiting is is_waiting


@given(json_values())
def test_any_json_as_authorizers(value: Any) -> None:
    for told in (value, {"TotalRequired": value, "Authorizations": value}, {"Authorizations": [value, value]}):
        read = authorizers_in({"Meta": {"MultipleAuthorizers": told}})
        assert read is None or len(read.authorizations) <= 100


def _granted(read: Any) -> Granted | None:
    try:
        found: Granted = read()
    except UnreadableMessageError:
        return None
    return found


@given(json_values(), st.sampled_from([0, 1, 2, 3]))
def test_any_json_as_details_of_an_authorization(value: Any, depth: int) -> None:
    for wrapped in [value, [value], [{"consent": value}], [{"consent": {"Data": value}}]][depth:]:
        found = _granted(lambda told=wrapped: UAE_V2_1.read_granted(told))
        if found is not None:
            assert found.consent_id is None or is_consent_id(found.consent_id)
            assert canonical(dict(found.terms))


@given(mutated([[{"type": "urn:x", "consent": {"Data": uae.standing_payments(), "Links": {}}, "status": "Revoked"}]]))
def test_details_that_are_right_but_for_a_few_places(value: Any) -> None:
    found = _granted(lambda: UAE_V2_1.read_granted(value))
    assert found is None or found.status is not Status.NOT_STAGED


def test_details_say_the_status_in_the_consent_or_beside_it() -> None:
    data = uae.sharing(Status="Suspended")
    assert UAE_V2_1.read_granted([{"consent": {"Data": data}}]).status is Status.SUSPENDED
    assert UAE_V2_1.read_granted([{"consent": {"Data": {}}, "status": "Revoked"}]).status is Status.REVOKED
    assert UAE_V2_1.read_granted([{"consent": {"Data": data}, "status": "Revoked"}]).status is Status.SUSPENDED
    assert UAE_V2_1.read_granted([{"consent": {"Data": {"Status": "Odd"}}}]).status is Status.UNKNOWN
    assert UAE_V2_1.read_granted([{"consent": {"Data": {}}}]).status is None
    assert UAE_V2_1.read_granted([{"consent": data}]).status is Status.SUSPENDED
