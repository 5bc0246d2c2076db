"""The limits of UAE Open Finance's payments: what the consent schedule sets, and what the holder says is used of it.

Whatever cannot be read is no limit: what a holder repeats of a consent's terms moves nothing, and must stop nothing.

Spec: bank initiation v2.1-errata2, `AEBankServiceInitiationLongLivedPaymentConsent`, the six periodic schedules,
`AEBankServiceInitiationFilePaymentConsent`, `AEPaymentConsumption` (rejected payments are not counted).
Conflict: the schedules' descriptions count successful executions, `AEPaymentConsumption` whatever was not rejected; the
holder's own figure is shown.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from tracker.domain.limits import Limit

_AMOUNT: Final = re.compile(r"\d{1,16}(\.\d{1,5})?", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_LARGEST: Final = 10**16
_PERIODS: Final = frozenset({"Day", "Week", "Month", "Year"})


def is_single(terms: Mapping[str, Any]) -> bool:
    """Whether a payment consent is for one payment, or one file of payments."""
    schedule = _schedule(terms)
    return "SinglePayment" in schedule or "FilePayment" in schedule


def read_limits(terms: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits of a payment consent, those of its whole life first. Never fails."""
    schedule = _schedule(terms)
    single, multi = _object(schedule.get("SinglePayment")), _object(schedule.get("MultiPayment"))
    used = _object(terms.get("PaymentConsumption"))
    return (
        *_money("amount", single.get("Amount")),
        *_of_life(multi, used),
        *_of_schedule(_object(multi.get("PeriodicSchedule")), used),
    )


def _of_life(multi: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[Limit]:
    name = "maximum_cumulative_number_of_payments"
    yield from _count(name, multi.get("MaximumCumulativeNumberOfPayments"), used.get("CumulativeNumberOfPayments"))
    name = "maximum_cumulative_value_of_payments"
    yield from _money(name, multi.get("MaximumCumulativeValueOfPayments"), used.get("CumulativeValueOfPayments"))


def _of_schedule(schedule: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[Limit]:
    days = schedule.get("Schedule")
    if isinstance(days, list) and days:  # one payment on each of these days, and no more
        yield from _count("schedule", len(days), used.get("CumulativeNumberOfPayments"))
    period = schedule.get("PeriodType")
    if period in _PERIODS:
        controls = _object(schedule.get("Controls"))
        name, limit = "maximum_cumulative_number_of_payments_per_period", "MaximumCumulativeNumberOfPaymentsPerPeriod"
        found = used.get("CumulativeNumberOfPaymentsInCurrentPeriod")
        yield from _count(name, controls.get(limit), found, period)
        name, limit = "maximum_cumulative_value_of_payments_per_period", "MaximumCumulativeValueOfPaymentsPerPeriod"
        found = used.get("CumulativeValueOfPaymentsInCurrentPeriod")
        yield from _money(name, controls.get(limit), found, period)
    one = schedule.get("MaximumIndividualAmount", _object(schedule.get("Controls")).get("MaximumIndividualAmount"))
    yield from _money("maximum_individual_amount", one)
    yield from _money("amount", schedule.get("Amount"))


def _count(name: str, maximum: object, used: object, period: str | None = None) -> Iterator[Limit]:
    if (most := _number(maximum)) is not None:
        yield Limit(name=name, maximum=most, used=_number(used), period=period)


def _money(name: str, maximum: object, used: object = None, period: str | None = None) -> Iterator[Limit]:
    most, spent = _amount(maximum), _amount(used)
    if most is not None:
        amount, currency = most
        is_same = spent is not None and spent[1] == currency
        yield Limit(
            name=name,
            maximum=amount,
            used=spent[0] if is_same and spent is not None else None,
            currency=currency,
            period=period,
        )


def _schedule(terms: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(_object(terms.get("ControlParameters")).get("ConsentSchedule"))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> Decimal | None:
    # true and false pass for 1 and 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST:
        return None
    return Decimal(value)


def _amount(value: object) -> tuple[Decimal, str] | None:
    members = _object(value)
    amount, currency = members.get("Amount"), members.get("Currency")
    if not isinstance(amount, str) or _AMOUNT.fullmatch(amount) is None:
        return None
    if not isinstance(currency, str) or _CURRENCY.fullmatch(currency) is None:
        return None
    return Decimal(amount), currency
