"""What is encrypted at rest, in a whole service: the ring is there or it does not start; older rows are sealed while it runs."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.adapters.hub.scripted_hub import ScriptedHub
from tests.adapters.store.sealed_before import as_before
from tests.app.test_reloaded_keys import write
from tests.clocks import ManualClock
from tests.contract.test_consent_keys import PERSONAL, content, destroy, fill, one_with_everything
from tests.usecases.bench import NOW
from tests.web.site import settings_for
from tracker.adapters.clock import SystemIds
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys, load_secret_keys, make_secret_keys
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.vault import Vault
from tracker.app.composition import build
from tracker.app.sealing import at_rest_finding, seal_secrets
from tracker.app.service import service
from tracker.app.world import World
from tracker.domain.errors import ConfigurationError
from tracker.domain.tracked import TrackedConsent
from tracker.journal.verify import verify_export
from tracker.settings import Settings


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    write(tmp_path / "ring.json", make_secret_keys())
    return tmp_path / "ring.json"


@pytest.fixture
def settings(database: Path, keys: Path, hub: ScriptedHub, ring: Path) -> Settings:
    return settings_for(database, keys, {"demobank": hub.issuer}, security={"at_rest_keys": ring})


async def filled(database: Path, ring: SecretKeys = NO_KEYS, *, as_it_was: bool = False) -> TrackedConsent:
    store = SqlStore(SqliteDatabase(database), SystemIds(), Vault(ring))
    kept = one_with_everything()
    await fill(store, kept)
    if as_it_was:
        await store._write(as_before)
    await store.close()
    return replace(kept, last_sequence=1)


async def test_a_service_without_a_key_that_is_needed_does_not_start(database: Path, settings: Settings) -> None:
    await filled(database, SecretKeys({"gone": b"g" * 32}))
    with pytest.raises(ConfigurationError, match=r"under the key 'gone', which .* at_rest_keys does not hold"):
        async with service(settings):
            pytest.fail("It started.")
    async with build(settings, World(clock=ManualClock(NOW))) as tracker:
        found = await at_rest_finding(tracker)
    assert (found.ok, found.stops) == (False, True)
    assert "the keys of 2 consent(s) under 'gone' cannot be opened" in found.text


async def test_a_key_that_is_needed_is_not_let_go_while_it_runs(database: Path, settings: Settings, ring: Path) -> None:
    kept = await filled(database, load_secret_keys(ring))
    async with build(settings, World(clock=ManualClock(NOW))) as tracker:
        before = ring.read_text()
        write(ring, make_secret_keys())
        with pytest.raises(ConfigurationError, match="does not hold"):
            await tracker.reload()
        assert await tracker.store.get_consent(kept.tracking_id) == kept
        write(ring, make_secret_keys(), before)
        await tracker.reload()
        assert (await at_rest_finding(tracker)).text.startswith("2 key(s) of consents are not encrypted with the first")
        assert await seal_secrets(tracker) == [
            "0 encrypted now, 0 before.",
            "Of consents, 2 keys and rows were encrypted too.",
        ]
        found = await at_rest_finding(tracker)
        assert (found.warns, found.text) == (False, "values are encrypted under 2 key(s) of consents, and these too")
        assert await tracker.store.get_consent(kept.tracking_id) == kept


async def test_older_rows_are_encrypted_while_the_service_runs(
    database: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    kept = await filled(database, as_it_was=True)
    caplog.set_level("INFO", "tracker.usecases.sealing")
    async with build(settings, World(clock=ManualClock(NOW))) as tracker:
        found = await at_rest_finding(tracker)
        assert found.warns
        assert (
            "not encrypted yet: 1 of consent, 1 of report, 1 of other_event, 1 of payment, 2 of evidence" in found.text
        )
    async with service(settings) as (tracker, _):
        async with asyncio.timeout(20):
            while not await tracker.store.sealing.is_done():
                await asyncio.sleep(0.05)
        assert PERSONAL not in await content(tracker.store)
        assert await tracker.store.get_consent(kept.tracking_id) == kept
    assert "1 rows of consent were encrypted that were not" in caplog.text
    assert PERSONAL.encode() not in b"".join(path.read_bytes() for path in database.parent.glob("tracker.db*"))


async def test_without_a_ring_values_are_encrypted_and_it_is_told_that_their_keys_are_not(
    database: Path, keys: Path, hub: ScriptedHub
) -> None:
    await filled(database)
    async with build(settings_for(database, keys, {"demobank": hub.issuer}), World(clock=ManualClock(NOW))) as tracker:
        assert PERSONAL not in await content(tracker.store)
        found = await at_rest_finding(tracker)
    assert (found.ok, found.warns) == (True, True)
    assert "encrypted under 2 key(s) of consents, which stand in the database as they are; make a key" in found.text


async def test_exports_made_before_and_after_a_key_is_destroyed_verify(
    database: Path, settings: Settings, tmp_path: Path
) -> None:
    kept = await filled(database)
    async with build(settings, World(clock=ManualClock(NOW))) as tracker:
        await tracker.auditing.exporting.export(tmp_path / "before")
        await destroy(tracker.store, kept)
        await tracker.auditing.exporting.export(tmp_path / "after")
    before, after = (verify_export(tmp_path / name, [], allow_unanchored=True) for name in ("before", "after"))
    assert before.accepted
    assert after.accepted
    assert ("without the private" in before.intact.sentence, "without the private" in after.intact.sentence) == (
        False,
        True,
    )
