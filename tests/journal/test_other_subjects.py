"""Entries that are about no consent: about a subscription, or about a provider."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.journal.drafts import START, a_draft, a_token, export, sealed, uuid
from tests.journal.test_document import Verdict, verify
from tracker.journal.entry import Draft
from tracker.journal.leaf import leaf_fault
from tracker.journal.verify import verify_export

OF_SUBSCRIPTION = {
    "type": "subscription.failing",
    "subscription_id": uuid(7),
    "from_status": "active",
    "reason": "for_50",
}
OF_PROVIDER = {"type": "provider.quiet", "provider": "demobank", "status_date_time": START, "channel": "clock"}

UNSIGNED = {"channel": "poll", "signed": False, **dict.fromkeys(("jws_sha256", "jwe_sha256", "kid", "jwk_thumbprint"))}


def others(number: int = 10) -> list[Draft]:
    one = [Draft(id=uuid(number + n), **OF_SUBSCRIPTION) for n in range(2)]
    return [one[0], Draft(id=uuid(number + 2), **OF_PROVIDER), a_draft(id=uuid(number + 3)), one[1]]


def test_they_name_what_they_are_about_and_nothing_of_a_consent() -> None:
    first, of_provider, _, second = sealed(others())
    assert (first.subject, of_provider.subject) == (f"subscription/{uuid(7)}", "provider/demobank")
    assert (first.provider, first.tracking_id, first.kind) == (None, None, None)
    assert (of_provider.provider, of_provider.tracking_id, of_provider.usable) == ("demobank", None, False)
    assert (second.previous, of_provider.previous) == (first.sequence, None)
    assert second.lane == first.lane != of_provider.lane
    assert [leaf_fault(entry.leaf) for entry in (first, of_provider, second)] == [None, None, None]


def test_an_export_with_them_is_verified_by_us_and_by_the_document(tmp_path: Path) -> None:
    folder = export(tmp_path / "out", sealed(others()))
    assert verify_export(folder, []).lines()[0].startswith("intact         yes")
    found = verify(folder, [])
    assert isinstance(found, Verdict)
    assert found.counts == [1, 0, 3]


@pytest.mark.parametrize(
    "wrong",
    [
        {"subscription_id": None},  # about nothing
        {"provider": "demobank"},  # about both
        {"subscription_id": "7"},
        {"consent_id": "c-1"},
        {"kind": "payment"},
        {"usable": True},
        {"confirmed": True},
        {"evidence": (a_token(),)},
    ],
)
def test_a_draft_says_what_it_is_about_and_no_more(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="about no consent"):
        Draft(**{"id": uuid(1), **OF_SUBSCRIPTION, **wrong})


@pytest.mark.parametrize("missing", [{"provider": None}, {"kind": None}, {"tracking_id": "1"}])
def test_a_draft_about_a_consent_names_it(missing: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="tracking id"):
        a_draft(**missing)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    "wrong",
    [
        {"consent_id": "c-1"},
        {"kind": "payment"},
        {"usable": True},
        {"inferred": True},
        {"tracking_id": uuid(100)},
        {"provider": "otherbank"},
        {
            "evidence": [
                {
                    "channel": "poll",
                    "signed": False,
                    **dict.fromkeys(("jws_sha256", "jwe_sha256", "kid", "jwk_thumbprint")),
                }
            ]
        },
    ],
)
def test_a_leaf_about_no_consent_that_says_more_is_none(index: int, wrong: dict[str, Any]) -> None:
    entry = sealed(others())[index]
    assert leaf_fault({**entry.leaf, "data": {**entry.data, **wrong}}) is not None


@pytest.mark.parametrize("subject", ["subscription/1", f"provider/{uuid(7)}", f"subscription/{uuid(7)}/", "demobank/"])
def test_a_leaf_about_no_consent_with_another_subject_is_none(subject: str) -> None:
    (entry,) = sealed([Draft(id=uuid(1), **OF_SUBSCRIPTION)])
    assert leaf_fault({**entry.leaf, "subject": subject}) is not None
    assert entry.recorded_at == START + timedelta(seconds=1)
