"""What messages of UAE Open Finance say, with the quirks that are known of them and some that may come."""

import copy
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from tests.profiles import uae_payloads as uae
from tests.profiles.json_values import nested
from tracker.domain.consent import Status
from tracker.profiles.profile import Event, Family, Snapshot, UnreadableMessageError
from tracker.profiles.uae_v2_1 import UAE_V2_1

SINCE = datetime(2026, 4, 1, 8, 0, 4, tzinfo=UTC)
MADE = datetime(2026, 4, 1, 7, 50, tzinfo=UTC)
ENDS = datetime(2026, 9, 30, 20, tzinfo=UTC)


def read(claims: Any) -> Event:
    return UAE_V2_1.read_event(claims)


def snapshot_of(data: Any, kind: str = "account-access") -> Snapshot:
    return UAE_V2_1.read_consent(kind, uae.answer(data))


def pushed(data: Any, **members: Any) -> Snapshot:
    snapshot = read(uae.event(data, **(members or {"ConsentId": data["ConsentId"]}))).snapshot
    assert snapshot is not None
    return snapshot


def reason_of(claims: Any) -> str:
    with pytest.raises(UnreadableMessageError) as caught:
        read(claims)
    return caught.value.reason


def without(holder: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in holder.items() if name not in names}


# ------------------------------------------------------------------------------------------ consent events of each kind


def test_sharing_event_is_a_report() -> None:
    data = uae.sharing(Status="Revoked", RevokedBy="LFI.InitiatedByUser", BaseConsentId="root-1")
    event = read(uae.event(data))
    assert event == Event(
        family=Family.CONSENT,
        event_type="Resource.Updated",
        event_date_time=datetime(2026, 4, 1, 8, 0, 5, tzinfo=UTC),
        consent_id=uae.SHARING_ID,
        data=data,
        snapshot=Snapshot(
            consent_id=uae.SHARING_ID,
            status=Status.REVOKED,
            raw_status="Revoked",
            status_date_time=SINCE,
            creation_date_time=MADE,
            expiration_date_time=ENDS,
            base_consent_id="root-1",
            revoked_by="LFI.InitiatedByUser",
            permissions=("ReadAccountsBasic", "ReadTransactionsDetail"),
            terms=data,
        ),
    )


def test_payment_consent_event_with_date_times_as_objects_reads_like_one_with_texts() -> None:
    snapshot = pushed(uae.pushed_payment(Status="Consumed"))
    assert (snapshot.status, snapshot.status_date_time, snapshot.creation_date_time) == (Status.CONSUMED, SINCE, MADE)
    assert snapshot.terms == uae.single_payment(Status="Consumed")
    assert snapshot == pushed(uae.single_payment(Status="Consumed"))
    assert snapshot.permissions is None


def test_payment_consent_waiting_for_a_second_authorizer() -> None:
    snapshot = pushed(uae.standing_payments())
    assert snapshot.status is Status.AWAITING_AUTHORIZATION
    assert snapshot.authorization_expiration_date_time == datetime(2026, 4, 4, 6, tzinfo=UTC)
    assert snapshot.permissions == ("ReadAccountsBasic", "ReadRefundAccount")


def test_insurance_event_names_permissions_with_their_sector() -> None:
    snapshot = pushed(uae.insurance())
    assert (snapshot.consent_id, snapshot.status) == (uae.INSURANCE_ID, Status.SUSPENDED)
    assert snapshot.permissions == (
        "Motor:ReadInsurancePolicies",
        "Motor:ReadCustomerClaims",
        "Travel:ReadInsurancePolicies",
    )
    assert snapshot.terms == uae.insurance()


@pytest.mark.parametrize("form", [{}, {"Data": None}])
def test_event_without_data_says_only_whom_to_ask_about(form: dict[str, Any]) -> None:
    event = read(uae.claims({"Meta": uae.meta(EventType="Resource.Deleted", ConsentId=uae.PAYMENT_ID), **form}))
    assert (event.family, event.consent_id) == (Family.CONSENT, uae.PAYMENT_ID)
    assert (event.data, event.snapshot, event.ids_disagree) == (None, None, False)


@pytest.mark.parametrize("event_type", ["Resource.Created", "Resource.Deleted", "Resource.Merged", "x"])
def test_event_type_is_kept_and_decides_nothing(event_type: str) -> None:
    event = read(uae.event(uae.sharing(), ConsentId=uae.SHARING_ID, EventType=event_type))
    assert event.event_type == event_type
    assert event.snapshot is not None


# ------------------------------------------------------------------------------------------------------- the classifier


@pytest.mark.parametrize(
    ("claims", "family"),
    [
        (uae.event(uae.INSURANCE_QUOTE, QuoteId="9c1d"), Family.INSURANCE_QUOTE),
        (uae.event(uae.FX_QUOTE, FxQuoteId="9c1d"), Family.FX_QUOTE),
        (uae.event(uae.ACCOUNT_OPENING, AccountId="ACC-881"), Family.ACCOUNT_OPENING),
        (uae.event(uae.payment(), ConsentId=uae.PAYMENT_ID), Family.PAYMENT),
        # a consent's own data under another resource's id is still that resource's
        (uae.event(uae.sharing(), QuoteId="9c1d", ConsentId=uae.SHARING_ID), Family.INSURANCE_QUOTE),
        (uae.event(uae.sharing(), FxQuoteId="9c1d", ConsentId=uae.SHARING_ID), Family.FX_QUOTE),
        (uae.event(uae.sharing(), AccountId="ACC-881", ConsentId=uae.SHARING_ID), Family.ACCOUNT_OPENING),
        (uae.event(uae.sharing(PaymentId="PAY-1"), ConsentId=uae.SHARING_ID), Family.PAYMENT),
        (uae.event(uae.single_payment(PaymentId="PAY-1"), ConsentId=uae.PAYMENT_ID), Family.PAYMENT),
        # without data, and with ids of no known form
        (uae.claims({"Meta": uae.meta(QuoteId="9c1d")}), Family.INSURANCE_QUOTE),
        (uae.event(uae.FX_QUOTE, FxQuoteId=["9c1d"]), Family.FX_QUOTE),
        (uae.event(uae.FX_QUOTE, FxQuoteId="9c1d", ConsentId="not an id"), Family.FX_QUOTE),
    ],
)
def test_event_about_something_else_is_no_report(claims: dict[str, Any], family: Family) -> None:
    event = read(claims)
    assert (event.family, event.snapshot) == (family, None)
    assert event.data == claims["message"].get("Data")


def test_payment_event_names_its_consent() -> None:
    event = read(uae.event(uae.payment(), ConsentId=uae.PAYMENT_ID))
    assert (event.consent_id, event.ids_disagree) == (uae.PAYMENT_ID, False)
    assert read(uae.event(uae.FX_QUOTE, FxQuoteId="9c1d")).consent_id is None
    assert read(uae.event(uae.FX_QUOTE, FxQuoteId="9c1d", ConsentId="not an id")).consent_id is None
    assert read(uae.event(uae.FX_QUOTE, FxQuoteId="9c1d", ConsentId=uae.PAYMENT_ID)).consent_id == uae.PAYMENT_ID


@pytest.mark.parametrize("absent", ["QuoteId", "FxQuoteId", "AccountId"])
def test_id_that_is_null_is_none(absent: str) -> None:
    assert read(uae.event(uae.sharing(), ConsentId=uae.SHARING_ID, **{absent: None})).family is Family.CONSENT


@pytest.mark.parametrize(
    "data",
    [
        {},
        without(uae.payment(), "PaymentId"),
        uae.payment(PaymentId=None),
        without(uae.sharing(Status="Revoked"), "Permissions"),
        uae.single_payment(ControlParameters=None),
    ],
)
def test_data_without_the_mark_of_a_consent_states_nothing(data: dict[str, Any]) -> None:
    """`Rejected` is a payment's word too: taken for the consent's it would end the consent for good."""
    event = read(uae.event(data, ConsentId=data.get("ConsentId", uae.PAYMENT_ID)))
    assert (event.family, event.snapshot, event.data) == (Family.CONSENT, None, data)


@pytest.mark.parametrize(
    "resource",
    [
        "/payments/PAY-1",
        "/payment/PAY-1",
        "/motor-insurance-quotes/1",
        f"/consents/{uae.PAYMENT_ID}",
        "",
        None,
        7,
        {"a": []},
        "\ud800",
    ],
)
def test_event_resource_routes_nothing(resource: Any) -> None:
    event = read(uae.event(uae.sharing(), ConsentId=uae.SHARING_ID, EventResource=resource))
    assert (event.family, event.consent_id) == (Family.CONSENT, uae.SHARING_ID)
    assert event.snapshot is not None


# ---------------------------------------------------------------------------------------------------------- whose it is


def test_data_about_another_consent_says_so() -> None:
    event = read(uae.event(uae.sharing(ConsentId="another"), ConsentId=uae.SHARING_ID))
    assert event.ids_disagree
    assert event.consent_id == uae.SHARING_ID
    assert event.snapshot is not None
    assert event.snapshot.consent_id == "another"


def test_ids_are_compared_to_the_letter() -> None:
    assert read(uae.event(uae.sharing(ConsentId=uae.SHARING_ID.upper()), ConsentId=uae.SHARING_ID)).ids_disagree
    assert read(uae.event(uae.payment(ConsentId="another"), ConsentId=uae.PAYMENT_ID)).ids_disagree


@pytest.mark.parametrize("data", [without(uae.sharing(), "ConsentId"), uae.sharing(ConsentId=None)])
def test_data_without_an_id_is_about_the_consent_that_the_event_names(data: dict[str, Any]) -> None:
    event = read(uae.event(data))
    assert not event.ids_disagree
    assert event.snapshot is not None
    assert event.snapshot.consent_id == uae.SHARING_ID


ODD_IDS = ["a/b", "urn:x:1", "../../par", "a?b#c", "%2e%2e", "~!$&'()*", "x" * 128, "1"]
NO_IDS = ["", ".", "..", "a b", "a\x00b", "a\nb", "é", "\ud800", "x" * 129, 7, True, ["a"], {"a": "b"}, 1.5]


@pytest.mark.parametrize("consent_id", ODD_IDS)
def test_odd_id_is_an_id(consent_id: str) -> None:
    assert read(uae.event(uae.sharing(ConsentId=consent_id), ConsentId=consent_id)).consent_id == consent_id
    assert snapshot_of(uae.sharing(ConsentId=consent_id)).consent_id == consent_id


@pytest.mark.parametrize("value", NO_IDS)
def test_what_cannot_be_an_id_is_refused(value: Any) -> None:
    assert reason_of(uae.event(uae.sharing(), ConsentId=value)) == "consent_id_invalid"
    assert reason_of(uae.event(uae.payment(), ConsentId=value)) == "consent_id_invalid"
    if value != "\ud800":
        assert reason_of(uae.event(uae.sharing(ConsentId=value))) == "consent_id_invalid"
        assert reason_of(uae.event(uae.payment(ConsentId=value))) == "consent_id_invalid"


def test_event_that_names_nothing_is_refused() -> None:
    assert reason_of(uae.event(uae.sharing(), Other="x")) == "consent_id_missing"
    assert reason_of(uae.event(uae.sharing(), ConsentId=None)) == "consent_id_missing"


# ------------------------------------------------------------------------------------------------------------- statuses


@pytest.mark.parametrize(
    "word", ["AwaitingAuthorization", "Authorized", "Suspended", "Rejected", "Consumed", "Expired", "Revoked"]
)
def test_word_of_the_standard_is_that_status(word: str) -> None:
    snapshot = pushed(uae.sharing(Status=word))
    assert (snapshot.status, snapshot.status.value, snapshot.raw_status) == (Status(word), word, word)


@pytest.mark.parametrize(
    "word",
    [
        "NotStaged",
        "Unknown",
        "Paused",
        "authorized",
        "AUTHORIZED",
        " Authorized",
        "AcceptedSettlementInProcess",
        "Active",
        "?",
        "مفوض",
        "x" * 64,
    ],
)
def test_any_other_word_is_unknown_and_kept(word: str) -> None:
    for snapshot in (pushed(uae.sharing(Status=word)), snapshot_of(uae.sharing(Status=word))):
        assert (snapshot.status, snapshot.raw_status) == (Status.UNKNOWN, word)


@pytest.mark.parametrize(
    "value", ["", "x" * 65, "Author\nized", "a\x00", "\u202eAuthorized", 1, True, [], {"Status": "x"}]
)
def test_what_is_no_word_is_refused(value: Any) -> None:
    assert reason_of(uae.event(uae.sharing(Status=value))) == "status_invalid"
    assert reason_of(uae.event(uae.sharing(), ConsentId=uae.SHARING_ID, EventType=value)) == "event_type_invalid"


# ---------------------------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    "name", ["CreationDateTime", "StatusUpdateDateTime", "ExpirationDateTime", "AuthorizationExpirationDateTime"]
)
def test_each_date_time_of_the_data_may_be_wrapped_and_is_made_plain(name: str) -> None:
    plain = uae.standing_payments()
    assert pushed(plain | {name: {name: plain[name]}}) == pushed(plain)


def test_wrapped_date_time_with_something_beside_it_stays_as_it_was_in_the_terms() -> None:
    wrapped = {"CreationDateTime": "2026-04-01T11:50:00+04:00", "Note": "x"}
    snapshot = pushed(uae.sharing(CreationDateTime=wrapped))
    assert snapshot.creation_date_time == MADE
    assert snapshot.terms["CreationDateTime"] == wrapped


def test_wrapped_objects_elsewhere_are_left_alone() -> None:
    data = uae.sharing(ExchangeRate={"ExpirationDateTime": {"ExpirationDateTime": "x"}}, Note={"Note": "x"})
    assert pushed(data).terms == data


@pytest.mark.parametrize("missing", [{}, None, {"StatusUpdateDateTime": None}])
def test_status_without_its_time_is_refused(missing: Any) -> None:
    data = (
        without(uae.sharing(), "StatusUpdateDateTime") if missing == {} else uae.sharing(StatusUpdateDateTime=missing)
    )
    assert reason_of(uae.event(data)) == "status_update_date_time_missing"
    with pytest.raises(UnreadableMessageError, match="status_update_date_time_missing"):
        snapshot_of(data)


def test_other_times_may_be_missing() -> None:
    snapshot = pushed(without(uae.sharing(), "CreationDateTime", "ExpirationDateTime"))
    assert snapshot.creation_date_time is None
    assert snapshot.expiration_date_time is None
    assert snapshot.authorization_expiration_date_time is None
    assert pushed(uae.sharing(ExpirationDateTime=None)).expiration_date_time is None


def test_time_without_an_offset_is_read_in_the_countrys_zone_and_marked() -> None:
    snapshot = pushed(uae.sharing(StatusUpdateDateTime="2026-04-01T12:00:04"))
    assert (snapshot.status_date_time, snapshot.zone_assumed) == (SINCE, True)
    assert pushed(uae.sharing(ExpirationDateTime="2026-10-01T00:00:00")).zone_assumed
    assert not pushed(uae.sharing()).zone_assumed


BAD_TIMES = ["", "2026-04-01", "soon", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", 1775030400, True, [], {}]


@pytest.mark.parametrize("value", BAD_TIMES)
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CreationDateTime", "creation_date_time_invalid"),
        ("StatusUpdateDateTime", "status_update_date_time_invalid"),
        ("ExpirationDateTime", "expiration_date_time_invalid"),
        ("AuthorizationExpirationDateTime", "authorization_expiration_date_time_invalid"),
    ],
)
def test_date_time_that_is_none_is_refused(name: str, code: str, value: Any) -> None:
    assert reason_of(uae.event(uae.sharing(**{name: value}))) == code
    assert reason_of(uae.event(uae.sharing(**{name: {name: value}}))) == code
    assert reason_of(uae.event(uae.sharing(**{name: {"DateTime": "2026-04-01T12:00:04Z"}}))) == code


@pytest.mark.parametrize("value", BAD_TIMES)
def test_event_of_no_time_is_refused(value: Any) -> None:
    assert reason_of(uae.event(None, ConsentId="c", EventDateTime=value)) == "event_date_time_invalid"
    assert reason_of(uae.event(None, ConsentId="c", EventDateTime=None)) == "event_date_time_missing"


# -------------------------------------------------------------------------------------------- what else the data may say


@pytest.mark.parametrize("code", ["LFI", "TPP", "LFI.InitiatedByUser", "TPP.InitiatedByUser"])
def test_code_of_who_revoked_is_kept(code: str) -> None:
    assert pushed(uae.sharing(RevokedBy=code)).revoked_by == code


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "the customer, by telephone",
        "Fatima Al-Mansouri",
        "Fatima",
        "Fatima.Mansouri",
        "lfi",
        "Regulator",
        "LFI\n",
        "784-1990",
        3,
        ["LFI"],
        {},
    ],
)
def test_free_text_of_who_revoked_is_not_taken_out_of_the_terms(text: Any) -> None:
    snapshot = pushed(uae.sharing(RevokedBy=text))
    assert snapshot.revoked_by is None
    assert snapshot.terms["RevokedBy"] == text


@pytest.mark.parametrize("value", [None, "", "a b", 7, []])
def test_base_id_that_is_none_is_left_out(value: Any) -> None:
    assert pushed(uae.sharing(BaseConsentId=value)).base_consent_id is None


@pytest.mark.parametrize(
    ("permissions", "flat"),
    [
        ([["ReadBalances"], ["ReadParty", ["ReadProduct"]]], ("ReadBalances", "ReadParty", "ReadProduct")),
        (["ReadBalances", "ReadParty", "ReadBalances"], ("ReadBalances", "ReadParty")),
        ([], ()),
        (["ReadBalances", 7, None, {"x": 1}], ("ReadBalances",)),
        ([[{"InsuranceType": "Home", "Permissions": [["A"], "B"]}]], ("Home:A", "Home:B")),
        ([{"InsuranceType": "Home", "Permissions": "A"}], ("Home:A",)),
        ([{"InsuranceType": "Home"}, {"Permissions": ["A"]}, {"InsuranceType": 7, "Permissions": ["A"]}], ()),
        ([{"InsuranceType": "Home", "Permissions": [{"InsuranceType": "Life", "Permissions": ["A"]}]}], ()),
        (7, ()),
        (nested(60, "ReadBalances"), ("ReadBalances",)),
    ],
)
def test_permissions_are_flat_whatever_their_form(permissions: Any, flat: tuple[str, ...]) -> None:
    snapshot = pushed(uae.sharing(Permissions=permissions))
    assert snapshot.permissions == flat
    assert snapshot.terms["Permissions"] == permissions


def test_members_that_nobody_knows_are_kept() -> None:
    data = uae.sharing(OnBehalfOf={"TradingName": "Aggregator One"}, V22={"New": [1, 2.5, None, True]}, Δ="x")
    event = read(uae.event(data) | {"also": "here"})
    assert event.data == data
    assert event.snapshot is not None
    assert event.snapshot.terms == data


def test_reading_changes_nothing_that_was_given() -> None:
    claims = uae.event(uae.pushed_payment(), ConsentId=uae.PAYMENT_ID)
    before = copy.deepcopy(claims)
    read(claims)
    assert claims == before


def test_claims_and_answers_may_be_any_mapping() -> None:
    assert read(MappingProxyType(uae.event(uae.sharing()))) == read(uae.event(uae.sharing()))
    assert UAE_V2_1.read_consent("payment", MappingProxyType({"Data": uae.sharing()})) == snapshot_of(uae.sharing())


# -------------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("account-access", uae.sharing()),
        ("payment", uae.single_payment()),
        ("payment", uae.standing_payments()),
        ("insurance", uae.insurance()),
    ],
)
def test_answer_reads_like_an_event_with_the_same_data(kind: str, data: dict[str, Any]) -> None:
    assert snapshot_of(data, kind) == pushed(data)
    assert UAE_V2_1.read_consent(kind, {"Data": data}) == pushed(data)


def test_answer_keeps_nothing_but_its_data() -> None:
    authorizers = {"TotalRequired": 2, "Authorizations": [{"AuthorizerId": "A1", "AuthorizationStatus": "Pending"}]}
    body = uae.answer(uae.standing_payments(), Meta={"MultipleAuthorizers": authorizers}, Other="\ud800")
    assert UAE_V2_1.read_consent("payment", body).terms == uae.standing_payments()


def test_answer_needs_no_mark_of_a_consent() -> None:
    assert snapshot_of(without(uae.sharing(), "Permissions")).status is Status.AUTHORIZED


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "body_invalid"),
        ([uae.answer(uae.sharing())], "body_invalid"),
        ("Data", "body_invalid"),
        (None, "body_invalid"),
        (7, "body_invalid"),
        ({}, "data_missing"),
        ({"data": uae.sharing()}, "data_missing"),
        ({"Data": None}, "data_missing"),
        ({"Errors": [{"Code": "GenericError", "Message": "x"}]}, "data_missing"),
        ({"Data": [uae.sharing()], "Meta": {"TotalPages": 1}}, "data_invalid"),
        ({"Data": "x"}, "data_invalid"),
        ({"Data": {}}, "consent_id_missing"),
        ({"Data": uae.sharing(ConsentId="..")}, "consent_id_invalid"),
        ({"Data": without(uae.sharing(), "Status")}, "status_missing"),
        ({"message": uae.answer(uae.sharing())}, "data_missing"),
    ],
)
@pytest.mark.parametrize("kind", ["account-access", "payment", "insurance"])
def test_answer_of_another_shape_is_refused(kind: str, body: Any, reason: str) -> None:
    with pytest.raises(UnreadableMessageError) as caught:
        UAE_V2_1.read_consent(kind, body)
    assert caught.value.reason == reason


# ---------------------------------------------------------------------------------------------------- what is no message


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "message_missing"),
        ([], "message_missing"),
        (None, "message_missing"),
        ("message", "message_missing"),
        (uae.claims(None), "message_missing"),
        (uae.claims("x"), "message_missing"),
        (uae.claims([uae.meta()]), "message_missing"),
        ({"Meta": uae.meta(), "Data": uae.sharing()}, "message_missing"),
        (uae.claims({}), "meta_missing"),
        (uae.claims({"Meta": None}), "meta_missing"),
        (uae.claims({"Meta": [uae.meta()]}), "meta_missing"),
        (uae.claims({"Data": uae.sharing()}), "meta_missing"),
        (uae.event([uae.sharing()]), "data_invalid"),
        (uae.event("x"), "data_invalid"),
        (uae.event(False), "data_invalid"),
        (uae.event(uae.sharing(), EventType=None, ConsentId="c"), "event_type_missing"),
        (uae.event(without(uae.sharing(), "Status")), "status_missing"),
        (uae.event(uae.sharing(Note="\ud800")), "text_invalid"),
        (uae.event(uae.sharing(Status="\udc00")), "text_invalid"),
        (uae.event(uae.sharing(**{"\ud800": 1})), "text_invalid"),
        (uae.event(uae.sharing(Note=float("nan"))), "number_invalid"),
        (uae.event(uae.sharing(Note=[float("-inf")])), "number_invalid"),
        (uae.event(uae.sharing(Note=10**400)), "number_invalid"),
        (uae.event(uae.sharing(Note=nested(100_000))), "nesting_too_deep"),
        (uae.event(uae.sharing(Permissions=nested(100_000, "x"))), "nesting_too_deep"),
        (uae.event(uae.payment(Note=nested(100_000)), ConsentId=uae.PAYMENT_ID), "nesting_too_deep"),
        (uae.event(uae.FX_QUOTE | {"Note": "\ud800"}, FxQuoteId="q"), "text_invalid"),
    ],
)
def test_what_is_no_message_is_refused(claims: Any, reason: str) -> None:
    assert reason_of(claims) == reason
