"""What `tracker check` finds out about our access to a provider."""

from pathlib import Path

from tests.adapters.hub.scripted_hub import ScriptedHub, says_json
from tests.clocks import ManualClock
from tests.usecases.bench import NOW
from tests.web.site import settings_for
from tracker.app.composition import World, build
from tracker.app.findings import Finding
from tracker.app.provider_checks import provider_findings


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
