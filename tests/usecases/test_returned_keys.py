"""Events for a key of ours that was gone when they were opened are opened by themselves when it is back."""

import logging
from pathlib import Path

import pytest

from tests.usecases.test_our_keys import LATER, said
from tests.usecases.town import Town, open_town, our_set
from tracker.domain.errors import StorageError
from tracker.usecases import returned_keys


async def strand(database: Path, folder: Path, count: int = 1) -> None:
    """Take events in, remove their key, and let another process find that nobody can open them."""
    async with open_town(database, folder, "demobank") as town:
        await town.register("demobank")
        await town.pile_up(town.event("demobank", **said("Revoked", LATER)), count)
        town.write_set(our_set("new"))
    async with open_town(database, folder, "demobank") as town:
        await town.work_off()
        assert set(await town.quarantined()) == {"kid_unknown"}
        assert await town.tracker.returned_keys.run_once() == 0


async def restore(town: Town) -> None:
    town.write_set(our_set("new", "old"))
    await town.tracker.reload()


async def test_what_is_for_a_key_that_comes_back_at_sighup_is_opened(
    database: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tracker.usecases.returned_keys")
    await strand(database, tmp_path)
    async with open_town(database, tmp_path, "demobank") as town:
        assert await town.tracker.returned_keys.run_once() == 0  # not yet
        rings = town.tracker.returned_keys.bell.rings
        await restore(town)
        assert town.tracker.returned_keys.bell.rings == rings + 1
        inbox = town.tracker.bells.inbox.rings
        assert await town.tracker.returned_keys.run_once() == 1
        assert (town.tracker.bells.inbox.rings, town.waiting()) == (inbox + 1, 1)
        assert caplog.messages == ["1 quarantined events are for a key that we have now, and are opened again"]
        await town.work_off()
        assert "kid_unknown" not in await town.quarantined()
        assert await town.tracker.returned_keys.run_once() == 0
        assert len(caplog.messages) == 1


async def test_so_it_is_at_the_start_and_after_a_kill_in_the_middle(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returned_keys, "MOST_IN_ONE_LOOK", 3)
    await strand(database, tmp_path, 8)
    (tmp_path / "encryption.jwks.json").write_bytes(our_set("new", "old"))
    async with open_town(database, tmp_path, "demobank") as town:
        assert await town.tracker.returned_keys.run_once() == 3  # and here it dies
    async with open_town(database, tmp_path, "demobank") as town:
        assert [await town.tracker.returned_keys.run_once() for _ in range(3)] == [3, 2, 0]
        assert town.waiting() == 8
        assert await town.quarantined() == []


async def test_what_a_full_inbox_or_an_outage_cuts_short_is_gone_on_with(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await strand(database, tmp_path, 3)
    async with open_town(database, tmp_path, "demobank") as town:
        await restore(town)
        quarantine = town.tracker.services.quarantine
        monkeypatch.setattr(quarantine, "_max_events", 2)
        assert await town.tracker.returned_keys.run_once() == 2
        assert await town.tracker.returned_keys.run_once() == 0
        monkeypatch.undo()

        async def away() -> None:
            raise StorageError("The database is away.")

        monkeypatch.setattr(town.tracker.store, "inbox_depth", away)
        with pytest.raises(StorageError):
            await town.tracker.returned_keys.run_once()
        monkeypatch.undo()
        assert await town.tracker.returned_keys.run_once() == 1
        assert town.waiting() == 3


async def test_only_what_is_for_our_keys_is_touched(database: Path, tmp_path: Path) -> None:
    await strand(database, tmp_path)
    async with open_town(database, tmp_path, "demobank") as town:
        town.write_set(our_set("new", "other"))
        await town.tracker.reload()
        assert await town.tracker.returned_keys.run_once() == 0
        await town.pile_up(town.event("demobank", to="new"), 1)
        await town.work_off()
        reasons = await town.quarantined()
        await restore(town)
        assert await town.tracker.returned_keys.run_once() == 1
        assert len(await town.quarantined()) == len(reasons) - 1
