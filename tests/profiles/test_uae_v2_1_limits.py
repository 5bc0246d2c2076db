"""Limits of payments: each form of the schedule, and whatever stands in their place."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.profiles import uae_payloads as uae
from tests.profiles.test_uae_v2_1_specs import PAYMENT_LINKS, SPECS, problems
from tracker.domain.limits import Limit
from tracker.profiles.uae_v2_1 import UAE_V2_1
from tracker.profiles.uae_v2_1_limits import is_single, read_limits

USED = {
    "CumulativeNumberOfPayments": 4,
    "CumulativeValueOfPayments": {"Amount": "1240.00", "Currency": "AED"},
    "CumulativeNumberOfPaymentsInCurrentPeriod": 1,
    "CumulativeValueOfPaymentsInCurrentPeriod": {"Amount": "310.00", "Currency": "AED"},
}
DAY = {"PaymentExecutionDate": "2026-05-05"}


def aed(amount: str) -> dict[str, str]:
    return {"Amount": amount, "Currency": "AED"}


def schedule(kind: str, **members: Any) -> dict[str, Any]:
    return {"PeriodicSchedule": {"Type": kind, **members}}


MONTHLY = {"PeriodType": "Month", "PeriodStartDate": "2026-05-01"}
COUNT, VALUE = "maximum_cumulative_number_of_payments", "maximum_cumulative_value_of_payments"

SCHEDULES: list[tuple[dict[str, Any], list[tuple[Any, ...]]]] = [
    (
        {"SinglePayment": {"Type": "SingleInstantPayment", "Amount": aed("74.50")}},
        [("amount", "74.50", None, "AED", None)],
    ),
    (
        {
            "MultiPayment": {
                "MaximumCumulativeNumberOfPayments": 6,
                "MaximumCumulativeValueOfPayments": aed("2000.00"),
                **schedule(
                    "VariableOnDemand",
                    **MONTHLY,
                    Controls={
                        "MaximumIndividualAmount": aed("500.00"),
                        "MaximumCumulativeValueOfPaymentsPerPeriod": aed("900.00"),
                        "MaximumCumulativeNumberOfPaymentsPerPeriod": 2,
                    },
                ),
            }
        },
        [
            (COUNT, "6", "4", None, None),
            (VALUE, "2000.00", "1240.00", "AED", None),
            (f"{COUNT}_per_period", "2", "1", None, "Month"),
            (f"{VALUE}_per_period", "900.00", "310.00", "AED", "Month"),
            ("maximum_individual_amount", "500.00", None, "AED", None),
        ],
    ),
    (
        {
            "MultiPayment": schedule(
                "FixedOnDemand",
                **MONTHLY,
                Amount=aed("310.00"),
                Controls={"MaximumCumulativeNumberOfPaymentsPerPeriod": 1},
            )
        },
        [(f"{COUNT}_per_period", "1", "1", None, "Month"), ("amount", "310.00", None, "AED", None)],
    ),
    (
        {"MultiPayment": schedule("VariablePeriodicSchedule", **MONTHLY, MaximumIndividualAmount=aed("80.00"))},
        [("maximum_individual_amount", "80.00", None, "AED", None)],
    ),
    (
        {"MultiPayment": schedule("FixedPeriodicSchedule", **MONTHLY, Amount=aed("80.00"))},
        [("amount", "80.00", None, "AED", None)],
    ),
    (
        {"MultiPayment": schedule("FixedDefinedSchedule", Schedule=[{**DAY, "Amount": aed("9.00")}] * 5)},
        [("schedule", "5", "4", None, None)],
    ),
    (
        {
            "MultiPayment": schedule(
                "VariableDefinedSchedule", Schedule=[{**DAY, "MaximumIndividualAmount": aed("9.00")}] * 9
            )
        },
        [("schedule", "9", "4", None, None)],
    ),
    ({"FilePayment": {"FileType": "csv", "FileHash": "x", "NumberOfTransactions": 3, "ControlSum": "9.00"}}, []),
    ({}, []),
]


def terms(found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return uae.single_payment(
        **{"ControlParameters": {"ConsentSchedule": found}, "PaymentConsumption": USED, **changes}
    )


def told(limits: tuple[Limit, ...]) -> list[tuple[Any, ...]]:
    shown = [(f"{one.maximum:f}", None if one.used is None else f"{one.used:f}") for one in limits]
    return [(limit.name, *numbers, limit.currency, limit.period) for limit, numbers in zip(limits, shown, strict=True)]


@pytest.mark.parametrize(("found", "limits"), SCHEDULES)
def test_each_form_of_a_schedule(found: dict[str, Any], limits: list[tuple[Any, ...]]) -> None:
    assert told(read_limits(terms(found))) == limits


@pytest.mark.skipif(not SPECS.is_dir(), reason="the official descriptions are not beside the project")
@pytest.mark.parametrize("found", [found for found, _ in SCHEDULES])
def test_the_schedules_of_these_tests_are_valid(found: dict[str, Any]) -> None:
    message = uae.claims(uae.answer(terms(found), Links=PAYMENT_LINKS))
    assert problems("payment", "AEPaymentConsentResponseSigned", message) == []


def test_without_a_figure_nothing_is_said_to_be_used() -> None:
    found = terms(SCHEDULES[1][0])
    del found["PaymentConsumption"]
    assert {limit.used for limit in read_limits(found)} == {None}


def test_what_was_spent_in_another_currency_is_not_counted() -> None:
    used = {**USED, "CumulativeValueOfPayments": {"Amount": "1240.00", "Currency": "USD"}}
    found = {limit.name: limit.used for limit in read_limits(terms(SCHEDULES[1][0], PaymentConsumption=used))}
    assert (found[COUNT], found[VALUE]) == (Decimal(4), None)


@pytest.mark.parametrize(
    ("found", "single"),
    [({"SinglePayment": {}}, True), ({"FilePayment": {}}, True), ({"MultiPayment": {}}, False), ({}, False)],
)
def test_which_are_for_one_use(found: dict[str, Any], single: bool) -> None:
    assert is_single(terms(found)) is single


@pytest.mark.parametrize("value", [None, True, "6", 6.0, -1, 10**16, [], {}, {"Amount": 5, "Currency": "AED"}])
def test_what_is_no_number_or_amount_is_no_limit(value: object) -> None:
    found = {
        "MultiPayment": {
            "MaximumCumulativeNumberOfPayments": value,
            "MaximumCumulativeValueOfPayments": value,
            "PeriodicSchedule": value,
        }
    }
    assert read_limits(terms(found)) == ()


@pytest.mark.parametrize("amount", ["", "-1.00", "1e5", "NaN", "٣.00", "1" * 17, "1.", " 1.00"])
def test_what_is_no_amount_is_no_limit(amount: str) -> None:
    found = {"SinglePayment": {"Amount": {"Amount": amount, "Currency": "AED"}}}
    assert read_limits(terms(found)) == ()


nested = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10**17) | st.sampled_from([1.5, "1.00", "AED", "Month", 10**400, ""]),
    lambda inner: (
        st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "ControlParameters",
                        "ConsentSchedule",
                        "MultiPayment",
                        "SinglePayment",
                        "PeriodicSchedule",
                        "Schedule",
                    ),
                    *("Controls", "PaymentConsumption", "Amount", "Currency", "PeriodType", "MaximumIndividualAmount"),
                    *("MaximumCumulativeNumberOfPayments", "MaximumCumulativeValueOfPayments"),
                ]
            ),
            inner,
            max_size=4,
        )
        | st.lists(inner, max_size=2)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["ControlParameters", "PaymentConsumption", "x"]), nested))
def test_whatever_the_terms_are_reading_them_does_not_fail(found: dict[str, Any]) -> None:
    is_single(found)
    for limit in read_limits(found):
        assert limit.maximum >= 0
        assert limit.share is None or limit.share >= 0
        assert isinstance(limit.is_nearly_exhausted, bool)


def test_data_sharing_must_be_attested_and_has_no_limits() -> None:
    kinds = UAE_V2_1.kinds
    assert {name: kind.attest_within and kind.attest_within.days for name, kind in kinds.items()} == {
        "account-access": 45,
        "payment": None,
        "insurance": 45,
    }
    assert kinds["account-access"].read_limits(terms(SCHEDULES[0][0])) == ()
    assert not kinds["insurance"].is_single(terms(SCHEDULES[0][0]))
