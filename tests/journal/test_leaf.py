import json
from typing import Any

import pytest

from tests.journal.drafts import a_draft, sealed
from tracker.journal.leaf import DATA, EVIDENCE, LEAF, leaf_fault


def a_leaf() -> dict[str, Any]:
    (entry,) = sealed([a_draft(private={"a": 1}, private_salt=bytes(32))])
    leaf: dict[str, Any] = json.loads(entry.leaf_bytes)
    return leaf


def part(leaf: dict[str, Any], name: str) -> dict[str, Any]:
    parts: dict[str, dict[str, Any]] = {"leaf": leaf, "data": leaf["data"], "evidence": leaf["data"]["evidence"][0]}
    return parts[name]


@pytest.mark.parametrize(
    ("name", "member"),
    [(name, member) for name, forms in (("leaf", LEAF), ("data", DATA), ("evidence", EVIDENCE)) for member in forms],
)
def test_every_member_must_be_there_and_of_its_form(name: str, member: str) -> None:
    leaf = a_leaf()
    members = part(leaf, name)
    kept = members.pop(member)
    assert f"has no {member}" in str(leaf_fault(leaf))
    for wrong in (1.5, [[]], object(), 0):
        members[member] = wrong
        assert leaf_fault(leaf) is not None, wrong
    members[member] = kept
    assert leaf_fault(leaf) is None


@pytest.mark.parametrize("name", ["leaf", "data", "evidence"])
def test_no_other_member_may_be_there(name: str) -> None:
    leaf = a_leaf()
    part(leaf, name)["z\x1b[2J" + "long" * 50] = None
    fault = leaf_fault(leaf)
    assert fault is not None
    assert "do not have" in fault
    assert "\x1b" not in fault
    assert len(fault) < 120


@pytest.mark.parametrize(
    ("member", "wrong"),
    [
        ("specversion", "1.1"),
        ("id", "1"),
        ("source", "urn:uuid:1"),
        ("type", "consent"),
        ("type", "consent.Status"),
        ("time", "2026-03-02T11:13:21Z"),
        ("sequence", "1"),
        ("sequence", "0" * 20),
        ("sequence", "9" * 20),
        ("sequence", "٠" * 20),
        ("datacontenttype", "text/plain"),
        ("subject", "otherbank/1"),
    ],
)
def test_member_of_another_form_is_told(member: str, wrong: str) -> None:
    assert leaf_fault(a_leaf() | {member: wrong}) is not None


@pytest.mark.parametrize(
    ("member", "wrong"),
    [
        ("previous", 0),
        ("previous", True),
        ("previous", 1.0),
        ("previous", 2**53 + 1),
        ("judge", True),
        ("late", 1),
        ("usable", None),
        ("private_digest", "abc"),
        ("private_digest", "A" * 42 + "B"),
        ("evidence", {}),
        ("evidence", [1]),
    ],
)
def test_data_of_another_form_is_told(member: str, wrong: Any) -> None:
    leaf = a_leaf()
    leaf["data"][member] = wrong
    assert leaf_fault(leaf) is not None


def test_signed_evidence_must_name_a_token() -> None:
    leaf = a_leaf()
    leaf["data"]["evidence"][0]["jws_sha256"] = None
    assert leaf_fault(leaf) == "evidence that is called signed names no token"


@pytest.mark.parametrize("value", [None, 1, "leaf", [], {}])
def test_what_is_no_leaf_at_all_is_told(value: Any) -> None:
    assert leaf_fault(value) is not None
