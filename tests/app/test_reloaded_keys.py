"""Keys for notifications and for secrets, read again while the service runs."""

import json
from pathlib import Path

import pytest

from tests.adapters.hub.scripted_hub import ScriptedHub
from tests.clocks import ManualClock
from tests.usecases.bench import NOW
from tests.web.site import settings_for
from tracker.adapters.notification_keys import make_notification_keys
from tracker.adapters.secret_keys import make_secret_keys
from tracker.adapters.store.vault import Sealing
from tracker.app.composition import build
from tracker.app.service import service
from tracker.app.world import World
from tracker.domain.errors import ConfigurationError
from tracker.usecases.subscribe import SubscriptionRequest


def write(path: Path, *texts: str) -> list[str]:
    """A set of the keys of several, the first first; their ids."""
    members = [member for text in texts for member in json.loads(text)["keys"]]
    path.touch(mode=0o600)
    path.write_text(json.dumps({"keys": members}))
    return [member["kid"] for member in members]


async def test_both_are_replaced_without_a_restart(
    database: Path, keys: Path, hub: ScriptedHub, tmp_path: Path
) -> None:
    signing, secrets = tmp_path / "n.json", tmp_path / "s.json"
    first, second = make_notification_keys(), make_notification_keys()
    old, new = make_secret_keys(), make_secret_keys()
    write(signing, first)
    write(secrets, old)
    section = {"signing_key": signing, "secrets_key": secrets, "ownership_challenge": False}
    settings = settings_for(database, keys, {"demobank": hub.issuer}, notifications=section)
    async with build(settings, World(clock=ManualClock(NOW))) as tracker:
        made = await tracker.services.subscriptions.add(SubscriptionRequest(url="https://hooks.example.com/x"))
        published = write(signing, second, first)
        write(secrets, new, old)
        await tracker.reload()
        assert [key["kid"] for key in tracker.services.notification_jwks()["keys"]] == published
        assert await tracker.store.seal_again() == {Sealing.OLD: 1}
        write(secrets, new)
        await tracker.reload()
        assert await tracker.store.get_subscription(made.id) == made
        secrets.write_text("{}")
        with pytest.raises(ConfigurationError):
            await tracker.reload()
        assert await tracker.store.get_subscription(made.id) == made


@pytest.mark.parametrize("has_key", [True, False])
async def test_a_service_without_a_key_for_secrets_says_so(
    database: Path, keys: Path, hub: ScriptedHub, tmp_path: Path, caplog: pytest.LogCaptureFixture, has_key: bool
) -> None:
    write(tmp_path / "s.json", make_secret_keys())
    section = {"secrets_key": tmp_path / "s.json"} if has_key else {}
    async with service(settings_for(database, keys, {"demobank": hub.issuer}, notifications=section)):
        pass
    assert ("are not encrypted in the database" in caplog.text) is not has_key
