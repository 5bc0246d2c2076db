"""UAE Open Finance around a consent's status: failed journeys, token responses, payments, several authorizers, labels.

Everything here is read leniently: none of it moves a consent. What cannot be read is left out, but for a token's response,
which our own application sends and is told about.

Spec: bank initiation v2.1-errata2, `Meta.MultipleAuthorizers`, `AEPaymentStatus`; authorization endpoints v2.1-errata2,
`authorization_details` of token responses; webhook template v2.1-errata2, payments; TPP standards v2.1, errors of the
authorization endpoint and "Consent Management Interfaces".
Conflict: `lfi_internal_error`, `api_hub_communication_error` and `lfi_temporarily_unavailable` come both from a phase in
which the consent becomes Rejected and from one in which it does not; a callback does not say which it was. They count as
ends here: that costs a question, the other would cost a wrong answer.
Conflict: a guide shows `status` beside the consent of a token's response; the description has it in its data. Both are read,
and so is a consent that is flat, as in the request that it was made by.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from tracker.domain.consent import Status, is_consent_id
from tracker.domain.journey import Authorization, Authorizers
from tracker.domain.payment import PaymentOutcome
from tracker.profiles.around import Granted, Labels, PaymentSnapshot, Shelf, Shown
from tracker.profiles.i_json import require_i_json
from tracker.profiles.profile import UnreadableMessageError
from tracker.profiles.uae_v2_1_members import object_in, time_in, word_in

T = TypeVar("T")

STATUSES: Final = {status.value: status for status in Status if status.is_open or status.is_terminal}

_SURVIVED: Final = frozenset(
    {("access_denied", "user_failed_to_authenticate"), ("access_denied", "user_account_blocked")}
)
"""Errors of the phase before the customer was known, in which nothing is decided about the consent."""
_PASSING_REFUSALS: Final = frozenset(
    {"AccessToken.InvalidScope", "Consent.TransientAccountAccessFailure", "Consent.AccountTemporarilyBlocked"}
)
_REFUSED: Final = frozenset({401, 403})
_NOT_DETAILS: Final = "authorization_details_invalid"

_MOST_CODES: Final = 20
_MOST_AUTHORIZERS: Final = 100
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_AMOUNT: Final = re.compile(r"[0-9]{1,16}(\.[0-9]{1,6})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_OUTCOMES: Final = MappingProxyType(
    {
        "AcceptedSettlementCompleted": PaymentOutcome.SUCCESSFUL,
        "AcceptedCreditSettlementCompleted": PaymentOutcome.SUCCESSFUL,
        "AcceptedWithoutPosting": PaymentOutcome.SUCCESSFUL,
        "Rejected": PaymentOutcome.FAILED,
    }
)
_FINAL_PAYMENTS: Final = frozenset({"AcceptedWithoutPosting", "AcceptedCreditSettlementCompleted", "Rejected"})


# ------------------------------------------------------------------------------------------------ the way to it


def end_after_error(error: str, error_description: str | None) -> Status | None:
    """The end that a failed authorization may have brought. Spec: TPP standards v2.1, errors by phase."""
    return None if (error, error_description) in _SURVIVED else Status.REJECTED


def end_after_refusal(status: int, code: str | None) -> Status | None:
    """The end that a refused call for data may tell of. A refusal that will pass, or is about our scope, tells of none."""
    if status not in _REFUSED or code in _PASSING_REFUSALS or (code or "").startswith("Generic"):
        return None
    return Status.REVOKED


def read_granted(details: object) -> Granted:
    """Read `authorization_details`: the one consent in it.

    Raises:
        UnreadableMessageError: `authorization_details_invalid`, or what the members of the consent are refused for.
    """
    if not isinstance(details, list | tuple) or len(details) != 1 or not isinstance(details[0], Mapping):
        raise UnreadableMessageError(_NOT_DETAILS)
    detail = details[0]
    require_i_json(detail)
    consent = detail.get("consent")
    if not isinstance(consent, Mapping):
        raise UnreadableMessageError(_NOT_DETAILS)
    data = consent if "Data" not in consent else object_in(consent, "Data")
    named = data.get("ConsentId")
    if named is not None and not is_consent_id(named):
        raise UnreadableMessageError("consent_id_invalid")
    said = data if data.get("Status") is not None else {"Status": detail.get("status")}
    since = time_in(data, "StatusUpdateDateTime")
    return Granted(
        consent_id=named,
        status=None if said["Status"] is None else STATUSES.get(word_in(said, "Status"), Status.UNKNOWN),
        status_date_time=None if since is None else since.instant,
        terms=data,
    )


def authorizers_in(body: Mapping[str, Any]) -> Authorizers | None:
    """How far several authorizers have come, if the answer tells of any. What is not of the form is left out."""
    meta = body.get("Meta")
    told = meta.get("MultipleAuthorizers") if isinstance(meta, Mapping) else None
    if not isinstance(told, Mapping):
        return None
    total, listed = told.get("TotalRequired"), told.get("Authorizations")
    listed = listed[:_MOST_AUTHORIZERS] if isinstance(listed, list) else []
    authorizations = tuple(read for one in listed if (read := _authorization(one)) is not None)
    required = (
        total if isinstance(total, int) and not isinstance(total, bool) and 0 <= total <= _MOST_AUTHORIZERS else None
    )
    approved = sum(one.status == "Approved" for one in authorizations)
    is_waiting = any(one.status == "Pending" for one in authorizations) or approved < (required or 0)
    return Authorizers(
        total_required=required,
        authorizations=authorizations,
        approved=approved,
        is_waiting=is_waiting and not any(one.status == "Rejected" for one in authorizations),
    )


def _authorization(one: object) -> Authorization | None:
    if not isinstance(one, Mapping):
        return None
    status, since = _if_readable(word_in, one, "AuthorizationStatus"), _if_readable(time_in, one, "AuthorizationDate")
    if status is None:
        return None
    return Authorization(
        authorizer_id=_text_or_none(one.get("AuthorizerId")),
        authorizer_type=_text_or_none(one.get("AuthorizerType")),
        status=status,
        date_time=None if since is None else since.instant,
    )


# ------------------------------------------------------------------------------------------------ payments


def read_payment(data: Mapping[str, Any]) -> PaymentSnapshot | None:
    """Read what an event says of a payment; None if that is not enough to be kept as one."""
    payment_id = data.get("PaymentId")
    if not isinstance(payment_id, str) or not is_consent_id(payment_id):
        return None
    status, since = _if_readable(word_in, data, "Status"), _if_readable(time_in, data, "StatusUpdateDateTime")
    if status is None or since is None:
        return None
    made = _if_readable(time_in, data, "CreationDateTime")
    instruction = data.get("Instruction")
    amount = instruction.get("Amount") if isinstance(instruction, Mapping) else None
    if not isinstance(amount, Mapping):
        amount = {}
    return PaymentSnapshot(
        payment_id=payment_id,
        status=status,
        outcome=_OUTCOMES.get(status, PaymentOutcome.PENDING),
        is_final=status in _FINAL_PAYMENTS,
        status_date_time=since.instant,
        creation_date_time=None if made is None else made.instant,
        transaction_id=_text_or_none(data.get("PaymentTransactionId")),
        reject_codes=tuple(dict.fromkeys(_codes(data.get("RejectReasonCode")))),
        amount=_matching(_AMOUNT, amount.get("Amount")),
        currency=_matching(_CURRENCY, amount.get("Currency")),
    )


def _codes(value: object) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    found = [_matching(_CODE, one.get("Code")) for one in listed[:_MOST_CODES] if isinstance(one, Mapping)]
    return [code for code in found if code is not None]


def _if_readable(take: Callable[[Mapping[str, Any], str], T], holder: Mapping[str, Any], name: str) -> T | None:
    try:
        return take(holder, name)
    except UnreadableMessageError:
        return None


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable() else None  # noqa: PLR2004 - as words


# ------------------------------------------------------------------------------------------------ labels

_STATES: Final = MappingProxyType(
    {
        Status.AWAITING_AUTHORIZATION: (Shelf.CURRENT, "Pending"),
        Status.AUTHORIZED: (Shelf.CURRENT, "Active"),
        Status.SUSPENDED: (Shelf.CURRENT, "Suspended"),
        Status.REJECTED: (Shelf.HISTORY, "Rejected"),
        Status.CONSUMED: (Shelf.HISTORY, "Consumed"),
        Status.EXPIRED: (Shelf.HISTORY, "Expired"),
        Status.REVOKED: (Shelf.HISTORY, "Cancelled"),
    }
)
_PAID: Final = MappingProxyType({PaymentOutcome.SUCCESSFUL: "Successful", PaymentOutcome.FAILED: "Failed"})
_SINGLE: Final = "Single Payment"


def labels(shown: Shown) -> Labels | None:
    """The words of the consent management interface. Spec: TPP standards v2.1, "Consent Management Interfaces".

    A consent that its holder does not know is not shown. One that we have asked the holder to revoke reads as cancelled, and
    stays among the current ones until the holder has done it.
    """
    if shown.status not in _STATES:
        return None
    shelf, word = _STATES[shown.status]
    made = _type(shown)
    if shelf is Shelf.CURRENT and shown.revoking:
        word = _STATES[Status.REVOKED][1]
    elif shelf is Shelf.CURRENT and shown.paused and shown.status is Status.AUTHORIZED:
        word = "Paused"
    elif shown.status is Status.CONSUMED and made == _SINGLE:
        word = _PAID.get(shown.payment_outcome or PaymentOutcome.PENDING, word)
    return Labels(shelf=shelf, status=word, type=made)


def _type(shown: Shown) -> str | None:
    if shown.kind != "payment":
        return "Data Sharing"
    control = (shown.terms or {}).get("ControlParameters")
    schedule = control.get("ConsentSchedule") if isinstance(control, Mapping) else None
    if not isinstance(schedule, Mapping):
        return None
    return _SINGLE if schedule.get("SinglePayment") is not None else "Flexi Pay"
