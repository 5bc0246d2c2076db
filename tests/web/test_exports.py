"""Exports as jobs over the API: asked for, written by a worker, fetched in parts, deleted; they survive a restart."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.web.site import Site
from tracker.domain.export import ExportState
from tracker.journal.folder import is_cut_off
from tracker.journal.verify import verify_export
from tracker.usecases import export as export_module
from tracker.usecases.export_running import ExportRunner

ALL = "/v1/audit/exports"


async def ask(site: Site, **wanted: Any) -> dict[str, Any]:
    said = await site.call("POST", ALL, json=wanted)
    assert said.status == 202, said.body
    made: dict[str, Any] = said.json
    assert said.headers["Location"] == f"{ALL}/{made['id']}"
    return made


def runner_of(site: Site) -> ExportRunner:
    runner = site.tracker.auditing.runner
    assert runner is not None
    return runner


async def test_an_export_is_asked_for_written_and_fetched(site: Site, tmp_path: Path) -> None:
    for n in range(3):
        await site.register(f"c{n}")
    made = await ask(site)
    assert (made["state"], made["files"], made["format"], made["from"]) == ("waiting", [], "jsonl", None)
    assert await runner_of(site).run_once()
    done = (await site.get(f"{ALL}/{made['id']}")).json
    assert (done["state"], done["count"], done["position"], done["total"]) == ("done", 3, done["total"], done["total"])
    folder = tmp_path / "fetched"
    folder.mkdir()
    for file in done["files"]:
        said = await site.get(f"{ALL}/{made['id']}/files/{file['name']}")
        assert (said.status, len(said.body)) == (200, file["bytes"])
        assert "Content-Encoding" not in said.headers
        assert said.headers["Cache-Control"] == "no-store"
        (folder / file["name"]).write_bytes(said.body)
    assert verify_export(folder, [], allow_unanchored=True).accepted
    assert not await runner_of(site).run_once()


async def test_a_file_is_fetched_in_parts(site: Site) -> None:
    await site.register()
    made = await ask(site)
    await runner_of(site).run_once()
    path = f"{ALL}/{made['id']}/files/manifest.json"
    whole = (await site.get(path)).body
    rest = await site.get(path, headers={"Range": "bytes=10-"})
    assert (rest.status, rest.body) == (206, whole[10:])
    assert rest.headers["Content-Range"] == f"bytes 10-{len(whole) - 1}/{len(whole)}"
    assert (await site.get(path, headers={"Range": f"bytes={len(whole)}-"})).status == 416
    assert (await site.call("HEAD", path)).headers["Content-Length"] == str(len(whole))


async def test_each_choice_is_understood(site: Site) -> None:
    await site.register("c1", user_ref="anna")
    await site.register("c2", user_ref="bert")
    for wanted, count in (
        ({"format": "csv"}, 2),
        ({"consent": "demobank/c1"}, 1),
        ({"user_ref": "bert", "provider": "demobank"}, 1),
        ({"kind": "payment"}, 0),
        ({"to": "2020-01-01T00:00:00Z"}, 0),
        ({"format": "consent-records", "user_ref": "anna"}, 1),
        ({"format": "parquet"}, 2),
    ):
        made = await ask(site, **wanted)
        await runner_of(site).run_once()
        done = (await site.get(f"{ALL}/{made['id']}")).json
        assert (done["state"], done["count"]) == ("done", count), done


@pytest.mark.parametrize(
    "wanted",
    [
        {"format": "xml"},
        {"from": "yesterday"},
        {"consent": "c1"},
        {"consent": "demobank/c1", "provider": "otherbank"},
        {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
        {"format": "consent-records", "from": "2026-03-02T00:00:00Z"},
        {"unknown": 1},
    ],
)
async def test_what_makes_no_sense_is_refused(site: Site, wanted: dict[str, Any]) -> None:
    assert (await site.call("POST", ALL, json=wanted)).problem == "invalid_request"
    assert (await site.get(ALL)).json["items"] == []


async def test_a_consent_that_is_not_tracked_is_told_at_once(site: Site) -> None:
    assert (await site.call("POST", ALL, json={"consent": "demobank/none"})).problem == "consent_not_found"


async def test_exports_are_listed_and_deleted_with_their_files(site: Site) -> None:
    first, second = await ask(site), await ask(site, format="csv")
    page = (await site.get(f"{ALL}?limit=1")).json
    assert [one["id"] for one in page["items"]] == [second["id"]]
    rest = (await site.get(f"{ALL}?limit=1&cursor={page['next_cursor']}")).json
    assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == ([first["id"]], None)
    await runner_of(site).run_once()
    folder = site.database.parent / "exports" / first["id"]
    assert (folder / "manifest.json").exists()
    assert (await site.call("DELETE", f"{ALL}/{first['id']}")).status == 204
    assert (await site.call("DELETE", f"{ALL}/{first['id']}")).problem == "export_not_found"
    await runner_of(site).run_once()
    assert not folder.exists()
    assert (site.database.parent / "exports" / second["id"]).exists()


async def test_old_exports_are_removed(site: Site) -> None:
    made = await ask(site)
    await runner_of(site).run_once()
    folder = site.database.parent / "exports" / made["id"]
    site.advance(6 * 86_400)
    await runner_of(site).run_once()
    assert folder.exists()
    site.advance(86_401)
    await runner_of(site).run_once()
    assert not folder.exists()
    assert (await site.get(ALL)).json["items"] == []


async def test_only_folders_of_exports_are_ever_removed(site: Site) -> None:
    mine = site.database.parent / "exports" / "important-notes-of-somebody-1234567890"
    mine.mkdir(parents=True)
    await ask(site)
    await runner_of(site).run_once()
    assert mine.exists()


async def test_an_export_that_was_cut_off_goes_on_after_a_restart(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        await site.register(f"c{n}")
    made = await ask(site)
    runner = runner_of(site)

    async def dies(*_: Any, **__: Any) -> Any:
        raise SystemExit

    with monkeypatch.context() as killed:
        killed.setattr(export_module.Exporting, "_fill", dies)
        with pytest.raises(SystemExit):
            await runner._exporting.export(runner._folder / made["id"], (await _job(site, made)).request)
    folder = site.database.parent / "exports" / made["id"]
    assert is_cut_off(folder)
    await site.register("another")
    job = await _job(site, made)
    assert job.state is ExportState.WAITING
    part = json.loads((folder / "progress.json").read_bytes())["plan"]["part"]
    site.execute(f"UPDATE export_job SET state = 'running', part = '{json.dumps(part)}' WHERE id = '{made['id']}'")
    assert await runner.run_once()
    done = (await site.get(f"{ALL}/{made['id']}")).json
    assert (done["state"], done["count"]) == ("done", 5)


async def _job(site: Site, made: dict[str, Any]) -> Any:
    job = await site.tracker.store.exports.get(made["id"])
    assert job is not None
    return job


async def test_another_process_without_the_folder_begins_anew(site: Site) -> None:
    for n in range(5):
        await site.register(f"c{n}")
    made = await ask(site)
    await runner_of(site).run_once()
    folder = site.database.parent / "exports" / made["id"]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    await site.register("another")
    site.execute("UPDATE export_job SET state = 'running', finished_at = NULL")
    assert await runner_of(site).run_once()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


async def test_one_that_cannot_be_written_fails_and_says_why(site: Site) -> None:
    await site.register()
    (site.database.parent / "exports").write_text("not a folder")
    made = await ask(site)
    await runner_of(site).run_once()
    done = (await site.get(f"{ALL}/{made['id']}")).json
    assert done["state"] == "failed"
    assert "cannot be written" in done["last_error"]
    assert done["files"] == []
    assert not await runner_of(site).run_once()
