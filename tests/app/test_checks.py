"""What `tracker check` finds out about our access to a provider."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.adapters.hub.scripted_hub import ScriptedHub, says_json
from tests.clocks import ManualClock
from tests.usecases.bench import NOW
from tests.web.site import settings_for
from tracker.adapters.clock import SystemClock
from tracker.app.checks import _clock
from tracker.app.composition import build
from tracker.app.findings import Finding
from tracker.app.provider_checks import provider_findings
from tracker.app.world import World
from tracker.settings import Settings


async def access(database: Path, keys: Path, hub: ScriptedHub) -> Finding:
    async with build(settings_for(database, keys, {"demobank": hub.issuer}), World(clock=ManualClock(NOW))) as tracker:
        (provider,) = tracker.providers
        found = {finding.subject: finding async for finding in provider_findings(tracker, provider)}
    return found["access to demobank"]


async def test_one_scope_is_enough_and_the_others_are_named(database: Path, keys: Path, hub: ScriptedHub) -> None:
    refused = says_json({"error": "invalid_scope"}, 400)
    hub.next["token"].extend([refused, hub._token, refused])
    found = await access(database, keys, hub)
    assert found == Finding(
        "access to demobank", "tokens are given for payment; not for account-access, insurance", ok=True
    )
    assert [seen.form["scope"] for seen in hub.seen if seen.route == "token"] == [
        "openid accounts",
        "openid payments",
        "insurance",
    ]


async def test_without_any_it_is_not_well_and_says_what_to_look_at(
    database: Path, keys: Path, hub: ScriptedHub
) -> None:
    hub.always["token"] = says_json({"error": "invalid_client"}, 401)
    found = await access(database, keys, hub)
    assert not found.ok
    assert "(invalid_client)" in found.text
    assert "`tracker keys public`" in found.text


class Stepped(SystemClock):
    """Goes on, but shows another time of day."""

    def __init__(self, seconds: float) -> None:
        self._by = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._by


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0, None), (-3_600, "is 3600 s behind the database's"), (120, "is 120 s ahead of the database's")],
)
async def test_a_clock_that_is_not_the_databases_is_found(
    another_postgres: Callable[[], str], keys: Path, hub: ScriptedHub, seconds: float, says: str | None
) -> None:
    """Behind it, consents that have ended would be said to be usable; and several machines would disagree."""
    database = {"database": {"url": another_postgres()}}
    settings = settings_for(Path("unused"), keys, {"demobank": hub.issuer}).model_dump() | database
    on_server = Settings.model_validate(settings)
    async with build(on_server, World(clock=Stepped(seconds))) as tracker:
        found = await _clock(on_server, tracker)
    assert found.ok is (says is None)
    assert says is None or says in found.text
