"""The hub's clock a minute ahead of ours or behind it, over real HTTP: nothing is lost, and nothing moves that should not."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.test_revoke import KINDS, Street, open_street
from tests.web.site import write_keys

SKEWS = (-60, 60)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_keys(tmp_path_factory.mktemp("keys-of-the-skewed"))


@pytest_asyncio.fixture(params=SKEWS, ids=lambda seconds: f"{seconds:+d}s")
async def street(request: pytest.FixtureRequest, database: Path, keys: Path) -> AsyncIterator[Street]:
    async with open_street(f"sqlite:///{database}", keys, skew_seconds=request.param) as made:
        yield made


async def asked(street: Street, consent_id: str = "c-1") -> None:
    tracking_id = (await street.consent(consent_id))["tracking_id"]
    await street.trackers[0].services.asker.ask_now(tracking_id)


@pytest.mark.parametrize("kind", KINDS)
async def test_questions_and_revocations_are_taken(street: Street, kind: str) -> None:
    await street.authorized("c-1", kind)
    street.clock.advance(2)
    street.hub.move("c-1", "Suspended", send=False)
    await asked(street)
    seen = await street.consent("c-1")
    assert (seen["effective_status"], seen["usable"]) == ("Suspended", False)
    street.clock.advance(2)
    street.hub.move("c-1", "Authorized", send=False)
    await asked(street)
    assert (await street.consent("c-1"))["usable"]
    street.clock.advance(2)
    status, said = await street.press("c-1")
    assert (status, said["effective_status"], street.patches()) == (200, "Revoked", [204])


async def test_events_and_answers_tell_one_history(street: Street) -> None:
    """Each move told by an event, then found again by a question, and the other way round."""
    await street.authorized("c-1")
    await asked(street)
    for move, usable in (("Suspended", False), ("Authorized", True), ("Suspended", False)):
        street.clock.advance(2)
        street.hub.move("c-1", move)
        await street.hear()
        await asked(street)
        seen = await street.consent("c-1")
        assert (seen["effective_status"], seen["usable"], seen["in_doubt"]) == (move, usable, False)
    street.clock.advance(2)
    street.hub.revoke("c-1")
    await asked(street)
    await street.hear()
    assert (await street.consent("c-1"))["effective_status"] == "Revoked"
    assert await street.told() == ["registered", *["status_changed"] * 5]
    assert await street.trackers[0].store.quarantined(10) == []


async def test_expiry_is_by_our_clock_and_confirmed_by_theirs(street: Street) -> None:
    ends = street.clock.now() + timedelta(hours=1)
    await street.authorized("c-1", expiration=ends)
    street.clock.advance(3599)
    await street.trackers[0].expiry.run_once()
    assert (await street.consent("c-1"))["usable"]
    street.clock.advance(1)
    await street.trackers[0].expiry.run_once()
    seen = await street.consent("c-1")
    assert (seen["effective_status"], seen["usable"]) == ("Expired", False)
    street.clock.advance(120)
    await asked(street)
    seen = await street.consent("c-1")
    assert (seen["effective_status"], seen["status"], seen["in_doubt"]) == ("Expired", "Expired", False)
