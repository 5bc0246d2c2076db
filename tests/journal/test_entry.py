import hashlib
import json
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.drafts import JOURNAL_ID, SOURCE, START, a_draft, a_token, sealed, some_drafts, uuid
from tracker.domain.consent import Status
from tracker.journal.canonical import NotCanonicalError
from tracker.journal.entry import Draft, Entry, Evidence, NotAnEntryError, from_leaf_bytes, private_digest, seal
from tracker.journal.leaf import DATA, EVIDENCE, LEAF, leaf_fault
from tracker.journal.private import base64url, from_base64url

# Written by hand from interface §5, member for member. If this test fails, all roots and signatures made so far are void.
GOLDEN_LEAF = (
    '{"data":{"channel":"webhook","confirmed":true,"consent_id":"5b0e7c1a-consent","corrected":false,'
    '"evidence":[{"channel":"webhook",'
    '"jwe_sha256":"bb2a6c3c0c1a0c8d2f7e3c3b4f9e7a5d1c0b9a8f7e6d5c4b3a291807f6e5d4c3",'
    '"jwk_thumbprint":"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",'
    '"jws_sha256":"aa1f2e3d4c5b6a79887766554433221100ffeeddccbbaa998877665544332211",'
    '"kid":"hub-key-1","signed":true}],'
    '"from":"Authorized","inferred":false,"judge":1,"kind":"account-access","late":false,"previous":17,'
    '"private_digest":"S9nDK9i6q_fcglJGKvKYj8o9Zbzjr8AB6DXHT7K65_Q","provider":"demobank","reason":null,'
    '"received_at":"2026-03-02T11:13:20.500000Z","revoked_by":"LFI.InitiatedByUser",'
    '"status_date_time":"2026-03-02T07:13:19.000000Z","to":"Revoked",'
    '"tracking_id":"00000000-0000-8000-8000-000000000064","usable":false},'
    '"datacontenttype":"application/json","id":"00000000-0000-8000-8000-000000000001",'
    '"sequence":"00000000000000000042","source":"urn:uuid:0198f1c2-0000-7000-8000-000000000001",'
    '"specversion":"1.0","subject":"demobank/00000000-0000-8000-8000-000000000064",'
    '"time":"2026-03-02T11:13:21.000000Z","type":"consent.status_changed"}'
)
GOLDEN_PRIVATE = {"user_ref": "customer-42", "terms": {"b": 1.0, "a": "é"}}
GOLDEN_SALT = bytes(range(32))


def test_leaf_is_byte_for_byte_what_the_interface_says() -> None:
    token = replace(
        a_token(),
        jws_sha256="aa1f2e3d4c5b6a79887766554433221100ffeeddccbbaa998877665544332211",
        jwe_sha256="bb2a6c3c0c1a0c8d2f7e3c3b4f9e7a5d1c0b9a8f7e6d5c4b3a291807f6e5d4c3",
    )
    draft = a_draft(
        status_date_time=datetime(2026, 3, 2, 11, 13, 19, tzinfo=timezone(timedelta(hours=4))),
        received_at=datetime(2026, 3, 2, 11, 13, 20, 500_000, tzinfo=UTC),
        evidence=(token,),
        private=GOLDEN_PRIVATE,
        private_salt=GOLDEN_SALT,
    )
    entry = seal(draft, sequence=42, previous=17, recorded_at=START, source=SOURCE)
    assert entry.leaf_bytes.decode() == GOLDEN_LEAF
    assert entry.leaf_hash == hashlib.sha256(b"\x00" + GOLDEN_LEAF.encode()).digest()
    assert json.loads(GOLDEN_LEAF) == entry.leaf


def test_private_digest_is_salt_and_canonical_form_hashed() -> None:
    by_hand = hashlib.sha256(GOLDEN_SALT + '{"terms":{"a":"é","b":1},"user_ref":"customer-42"}'.encode()).digest()
    assert private_digest(GOLDEN_PRIVATE, GOLDEN_SALT) == base64url(by_hand)
    assert "=" not in private_digest(GOLDEN_PRIVATE, GOLDEN_SALT)


def test_private_value_is_beside_the_leaf_and_never_in_it() -> None:
    draft = a_draft(private={"user_ref": "customer-42"}, private_salt=GOLDEN_SALT)
    (entry,) = sealed([draft])
    assert entry.private == {"user_ref": "customer-42"}
    assert entry.private_salt == GOLDEN_SALT
    assert b"customer-42" not in entry.leaf_bytes
    assert entry.data["private_digest"] == draft.private_digest
    assert "private_salt" not in repr(entry)


def test_entry_without_private_value_says_so() -> None:
    (entry,) = sealed([a_draft()])
    assert entry.data["private_digest"] is None
    assert entry.private is None


def test_leaf_has_the_members_of_the_interface_and_no_others() -> None:
    (entry,) = sealed([a_draft()])
    assert set(entry.leaf) == set(LEAF)
    assert set(entry.data) == set(DATA)
    assert set(entry.data["evidence"][0]) == set(EVIDENCE)
    assert leaf_fault(entry.leaf) is None


def test_entry_shows_what_readers_ask_for() -> None:
    first, second = sealed([a_draft(), a_draft(id=uuid(2), to_status="Authorized", usable=True)])
    assert (first.sequence, second.sequence) == (1, 2)
    assert (first.previous, second.previous) == (None, 1)
    assert (first.usable, second.usable) == (False, True)
    assert (first.to_status, second.to_status) == ("Revoked", "Authorized")
    assert second.id == uuid(2)
    assert second.type == "consent.status_changed"
    assert second.provider == "demobank"
    assert second.kind == "account-access"
    assert second.tracking_id == uuid(100)
    assert second.subject == f"demobank/{uuid(100)}"
    assert second.source == f"urn:uuid:{JOURNAL_ID}"
    assert second.recorded_at == START + timedelta(seconds=2)


def test_entry_without_status_has_none() -> None:
    (entry,) = sealed([a_draft(from_status=None, to_status=None, status_date_time=None, received_at=None)])
    assert entry.to_status is None
    assert entry.data["status_date_time"] is None
    assert entry.data["received_at"] is None


def test_status_of_the_domain_is_written_as_its_word() -> None:
    (entry,) = sealed([a_draft(to_status=Status.REVOKED, from_status=Status.AUTHORIZED)])
    assert b'"to":"Revoked"' in entry.leaf_bytes
    assert b'"from":"Authorized"' in entry.leaf_bytes


def test_entry_read_back_from_its_bytes_is_the_same() -> None:
    for entry in sealed(some_drafts(8)):
        again = from_leaf_bytes(entry.leaf_bytes, private=entry.private, private_salt=entry.private_salt)
        assert again == entry


def test_entry_recorded_in_another_zone_is_kept_in_utc() -> None:
    dubai = START.astimezone(timezone(timedelta(hours=4)))
    entry = seal(a_draft(), sequence=1, previous=None, recorded_at=dubai, source=SOURCE)
    assert entry.recorded_at == START
    assert entry.recorded_at.utcoffset() == timedelta(0)


def test_entry_cannot_be_changed() -> None:
    (entry,) = sealed([a_draft()])
    with pytest.raises(FrozenInstanceError):
        entry.sequence = 7  # type: ignore[misc]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b'{"sequence":"1"}',
        b'{"sequence":"x","time":"2026-03-02T11:13:21.000000Z","data":{}}',
        b'{"sequence":"1","time":7,"data":{}}',
        b'{"sequence":"1","time":"2026-03-02T11:13:21Z","data":{}}',
        b'{"sequence":"1","time":"2026-03-02T11:13:21.000000Z","data":[]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=lambda data: ascii(data[:80]),
)
def test_bytes_that_are_no_leaf_are_refused(data: bytes) -> None:
    with pytest.raises(NotAnEntryError):
        from_leaf_bytes(data)


@pytest.mark.parametrize(
    "place",
    [
        {"sequence": 0},
        {"sequence": -1},
        {"sequence": 2**53 + 1},
        {"previous": 0},
        {"previous": 5},
        {"previous": 6},
        {"source": JOURNAL_ID},
        {"source": "urn:uuid:not-a-uuid"},
        {"source": SOURCE.upper()},
        {"recorded_at": START.replace(tzinfo=None)},
    ],
    ids=str,
)
def test_place_that_cannot_be_is_refused(place: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"sequence": 5, "previous": None, "recorded_at": START, "source": SOURCE}
    with pytest.raises(ValueError):
        seal(a_draft(), **asked | place)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "1"},
        {"id": "0198F1C2-0000-7000-8000-000000000001"},
        {"tracking_id": "abc"},
        {"type": "Consent changed"},
        {"type": "consent"},
        {"private": {"a": 1}},
        {"private_salt": GOLDEN_SALT},
        {"private": {"a": 1}, "private_salt": b"short"},
    ],
    ids=str,
)
def test_draft_that_could_not_be_sealed_is_refused_when_made(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        a_draft(**changes)


def test_private_value_without_canonical_form_is_refused_when_the_draft_is_made() -> None:
    with pytest.raises(NotCanonicalError):
        a_draft(private={"name": "\ud800"}, private_salt=GOLDEN_SALT)


def test_text_without_utf_8_form_is_refused_when_sealed() -> None:
    with pytest.raises(NotCanonicalError):
        sealed([a_draft(revoked_by="\ud800")])


@pytest.mark.parametrize(
    "changes",
    [
        {"jws_sha256": None},
        {"jws_sha256": "ab"},
        {"jws_sha256": "A" * 64},
        {"jwe_sha256": "z" * 64},
        {"jwk_thumbprint": "NzbLsXh8uDCcd+6MNwXF4W/7noWXFZAfHkxZsRGC9Xs"},
        {"jwk_thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xt"},
    ],
    ids=str,
)
def test_evidence_that_names_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        replace(a_token(), **changes)


def test_salt_reads_back_only_as_it_is_written() -> None:
    assert from_base64url(base64url(GOLDEN_SALT)) == GOLDEN_SALT
    for other in ("AA==", "A", "AB", "A A", "+/", "é", "AA\n"):
        with pytest.raises(ValueError):
            from_base64url(other)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
optional_texts = st.none() | texts
instants = st.datetimes(timezones=st.just(UTC))
drafts = st.builds(
    Draft,
    id=st.uuids().map(str),
    type=st.sampled_from(["consent.registered", "consent.status_changed", "payment.status_changed"]),
    provider=texts,
    tracking_id=st.uuids().map(str),
    consent_id=optional_texts,
    kind=texts,
    from_status=optional_texts,
    to_status=optional_texts,
    status_date_time=st.none() | instants,
    received_at=st.none() | instants,
    channel=optional_texts,
    late=st.booleans(),
    corrected=st.booleans(),
    inferred=st.booleans(),
    confirmed=st.booleans(),
    revoked_by=optional_texts,
    reason=optional_texts,
    usable=st.booleans(),
    evidence=st.lists(st.builds(Evidence, channel=texts, signed=st.just(value=False), kid=optional_texts)).map(tuple),
    private=st.none(),
    private_salt=st.none(),
)


@given(drafts, st.integers(1, 2**53), instants)
def test_whatever_is_sealed_is_a_leaf(draft: Draft, sequence: int, recorded_at: datetime) -> None:
    entry: Entry = seal(draft, sequence=sequence, previous=None, recorded_at=recorded_at, source=SOURCE)
    assert leaf_fault(entry.leaf) is None
    assert leaf_fault(json.loads(entry.leaf_bytes)) is None
    assert from_leaf_bytes(entry.leaf_bytes) == entry


@given(drafts)
def test_each_fact_of_a_draft_stands_in_its_own_member(draft: Draft) -> None:
    data = dict(seal(draft, sequence=9, previous=4, recorded_at=START, source=SOURCE).data)
    assert data.pop("previous") == 4
    assert data.pop("judge") == 1
    assert data.pop("from") == draft.from_status
    assert data.pop("to") == draft.to_status
    assert [item["kid"] for item in data.pop("evidence")] == [item.kid for item in draft.evidence]
    for name in ("status_date_time", "received_at"):
        text, time = data.pop(name), getattr(draft, name)
        assert text == (None if time is None else time.isoformat(timespec="microseconds").replace("+00:00", "Z"))
    assert data == {name: getattr(draft, name) for name in data}


@pytest.mark.parametrize("with_private", [False, True])
@pytest.mark.parametrize("private", [None, GOLDEN_PRIVATE])
def test_what_is_told_again_is_the_leaf_with_a_mark_beside_it(private: Any, with_private: bool) -> None:
    salt = None if private is None else GOLDEN_SALT
    (entry,) = sealed([a_draft(private=private, private_salt=salt)])
    once, again = (entry.told(with_private=with_private, redelivered=mark) for mark in (False, True))
    assert again.startswith(entry.leaf_bytes[:-1] + b',"redelivered":true')
    assert json.loads(again) == json.loads(once) | {"redelivered": True}
    if private is None or not with_private:
        assert once == entry.leaf_bytes
