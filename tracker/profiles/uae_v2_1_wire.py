"""Messages of UAE Open Finance: what an event or an answer says, whatever its quirks of form.

Reading is tolerant where nothing depends on it: unknown members stay in the terms, optional ones may be missing,
date-times may be wrapped in an object of their own name, permissions may be nested. It is strict about what moves a
consent: whose it is, its status, since when, until when. Whatever JSON comes, the outcome is an event, a snapshot or
`UnreadableMessageError`.

Its reasons:
    `message_missing`, `meta_missing`, `body_invalid`, `data_missing`, `data_invalid`: the frame;
    `consent_id_missing`, `consent_id_invalid`: whose it is;
    `event_type_missing`, `event_type_invalid`, `event_date_time_missing`, `event_date_time_invalid`: what happened;
    `status_missing`, `status_invalid`: its state, `status_update_date_time_missing`, `status_update_date_time_invalid`:
    since when, `creation_date_time_invalid`, `expiration_date_time_invalid`,
    `authorization_expiration_date_time_invalid`: its limits;
    `text_invalid`, `number_invalid`, `nesting_too_deep`, `json_invalid`: the JSON of the data itself (see `i_json`).

Spec: webhook template v2.1-errata2, `AEWebhookEventTypes`; account information v2.1-errata2, bank initiation
v2.1-errata2 and insurance v2.1-errata1, the answers to GET of one consent.
Conflict: the template makes two date-times of a payment consent objects, the resource's own description makes them
texts; both are read. Guides show events without `message` around them; the template has it and it is required here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from tracker.domain.consent import Status, is_consent_id
from tracker.profiles.date_time import ReadTime
from tracker.profiles.profile import Event, Family, Refusal, RefusalMeaning, Snapshot, UnreadableMessageError
from tracker.profiles.uae_v2_1_around import STATUSES, authorizers_in, read_payment
from tracker.profiles.uae_v2_1_members import (
    consent_id_in,
    data_in,
    object_in,
    require_time_in,
    time_in,
    unwrapped,
    word_in,
)

_OTHER_RESOURCES: Final = {
    "QuoteId": Family.INSURANCE_QUOTE,
    "FxQuoteId": Family.FX_QUOTE,
    "AccountId": Family.ACCOUNT_OPENING,
}
_ABOUT_A_CONSENT: Final = frozenset({Family.CONSENT, Family.PAYMENT})
_CONSENT_MARKS: Final = ("ControlParameters", "Permissions")
_DATE_TIMES: Final = frozenset(
    {"CreationDateTime", "StatusUpdateDateTime", "ExpirationDateTime", "AuthorizationExpirationDateTime"}
)
_REVOKED_BY: Final = frozenset({"LFI", "TPP", "LFI.InitiatedByUser", "TPP.InitiatedByUser"})
"""It goes into entries that cannot be erased, so no other word is taken: it might be somebody's name."""
_ERROR_CODE: Final = re.compile(r"[A-Za-z.]{1,80}")


def read_event(claims: object) -> Event:
    """Read the claims of an event.

    `EventResource` is not looked at, its spelling varies. Data that bears no mark of a consent (neither permissions nor
    control parameters) states nothing: its `Status` may be a payment's, and both vocabularies have `Rejected`.

    Raises:
        UnreadableMessageError: They are not an event's, or what it says of a consent cannot be understood.
    """
    message = object_in(claims, "message")
    meta = object_in(message, "Meta")
    data = data_in(message)
    family = _family(meta, data)
    event = partial(
        Event,
        family=family,
        event_type=word_in(meta, "EventType"),
        event_date_time=require_time_in(meta, "EventDateTime").instant,
        data=data,
    )
    if family not in _ABOUT_A_CONSENT:
        return event(consent_id=_id_or_none(meta.get("ConsentId")), snapshot=None)
    named = consent_id_in(meta)
    within = named if data is None or data.get("ConsentId") is None else consent_id_in(data)
    stated = data if family is Family.CONSENT and _is_consent(data) else None
    return event(
        consent_id=named,
        snapshot=None if stated is None else _snapshot(stated, within),
        ids_disagree=within != named,
        payment=read_payment(data) if family is Family.PAYMENT and data is not None else None,
    )


def consent_id_of(claims: object) -> str | None:
    """Which consent an event names, however little else of it can be read; None if it names none."""
    try:
        return _id_or_none(object_in(object_in(claims, "message"), "Meta").get("ConsentId"))
    except UnreadableMessageError:
        return None


def read_consent(body: object) -> Snapshot:
    """Read the body of an answer about one consent. Only its `Data` is kept.

    Raises:
        UnreadableMessageError: It is not such a body.
    """
    if not isinstance(body, Mapping):
        raise UnreadableMessageError("body_invalid")
    data = data_in(body)
    if data is None:
        raise UnreadableMessageError("data_missing")
    return replace(_snapshot(data, consent_id_in(data)), authorizers=authorizers_in(body))


def open_answer(claims: object) -> Mapping[str, Any]:
    """Take the message out of a signed answer's claims.

    Raises:
        UnreadableMessageError: `message_missing`.
    """
    return object_in(claims, "message")


def read_refusal(document: object) -> Refusal:
    """Read the first error that a holder names.

    A 400 is what some holders say for a consent that they do not know. Two groups of codes are something else: `Generic…` is
    a fault of the holder's, which may pass; `JWS.…` and `JWE.…` complain about a signature or an encryption that a GET does
    not have, so that asking again helps nobody.

    Spec: UAE Open Finance v2.1, the error responses of each consent GET.
    """
    errors = document.get("Errors") if isinstance(document, Mapping) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("Code") if isinstance(first, Mapping) else None
    if not isinstance(code, str) or not _ERROR_CODE.fullmatch(code):
        return Refusal(code=None, meaning=RefusalMeaning.NOT_STAGED)
    if code.startswith("Generic"):
        return Refusal(code=code, meaning=RefusalMeaning.PASSING)
    if code.startswith(("JWS.", "JWE.")):
        return Refusal(code=code, meaning=RefusalMeaning.OUTSIDE)
    return Refusal(code=code, meaning=RefusalMeaning.NOT_STAGED)


def _family(meta: Mapping[str, Any], data: Mapping[str, Any] | None) -> Family:
    for name, family in _OTHER_RESOURCES.items():
        if meta.get(name) is not None:
            return family
    if data is not None and data.get("PaymentId") is not None:
        return Family.PAYMENT
    return Family.CONSENT


def _is_consent(data: Mapping[str, Any] | None) -> bool:
    return data is not None and any(data.get(mark) is not None for mark in _CONSENT_MARKS)


def _snapshot(data: Mapping[str, Any], consent_id: str) -> Snapshot:
    raw_status = word_in(data, "Status")
    since = require_time_in(data, "StatusUpdateDateTime")
    made, ends = time_in(data, "CreationDateTime"), time_in(data, "ExpirationDateTime")
    authorizable = time_in(data, "AuthorizationExpirationDateTime")
    revoked_by, allowed = data.get("RevokedBy"), data.get("Permissions")
    return Snapshot(
        consent_id=consent_id,
        status=STATUSES.get(raw_status, Status.UNKNOWN),
        raw_status=raw_status,
        status_date_time=since.instant,
        creation_date_time=_instant(made),
        expiration_date_time=_instant(ends),
        authorization_expiration_date_time=_instant(authorizable),
        base_consent_id=_id_or_none(data.get("BaseConsentId")),
        revoked_by=revoked_by if isinstance(revoked_by, str) and revoked_by in _REVOKED_BY else None,
        permissions=None if allowed is None else tuple(dict.fromkeys(_permissions(allowed))),
        terms={name: unwrapped(name, value) if name in _DATE_TIMES else value for name, value in data.items()},
        zone_assumed=any(time.zone_assumed for time in (since, made, ends, authorizable) if time is not None),
    )


def _permissions(value: object, sector: str = "") -> Iterator[str]:
    """Flatten permissions: plain ones, nested ones, and an insurance sector's as `Motor:ReadInsurancePolicies`."""
    if isinstance(value, str):
        yield sector + value
    elif isinstance(value, list):
        for inner in value:
            yield from _permissions(inner, sector)
    elif isinstance(value, dict) and not sector:
        name = value.get("InsuranceType")
        if isinstance(name, str):
            yield from _permissions(value.get("Permissions"), f"{name}:")


def _id_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and is_consent_id(value) else None


def _instant(time: ReadTime | None) -> datetime | None:
    return None if time is None else time.instant
