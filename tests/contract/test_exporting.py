"""Exports from a database: every format, every choice, cut off and gone on with; what comes out verifies offline."""

import csv
import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from tests.checkpointing import a_signer, checkpointing
from tests.clocks import ManualClock
from tests.journal import drafts
from tests.journal.drafts import START, a_draft, sealed, uuid
from tracker.adapters.checkpoint_signer import Ed25519NoteSigner
from tracker.adapters.parquet import ParquetWriter
from tracker.adapters.store import rows
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.sealed import hidden_private
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import entry, journal
from tracker.domain.errors import ConsentNotFoundError, InvalidRequestError
from tracker.domain.export import ExportRequest, Format
from tracker.journal import blocks, csv_form
from tracker.journal.columns import COLUMNS, cells
from tracker.journal.entry import Entry
from tracker.journal.export import Row, row_of
from tracker.journal.folder import ExportError, ExportFolder
from tracker.journal.selection import MOST_CONSENTS, Selection
from tracker.journal.verify import Answer, verify_export
from tracker.usecases import export as export_module
from tracker.usecases.export import Exporting
from tracker.usecases.proofs import Proofs

COUNT = 60
AT = START + timedelta(seconds=21)
"""When entry 21 was recorded."""


def _drafts() -> list[Any]:
    made = drafts.some_drafts(COUNT)
    for n in range(5, COUNT, 7):
        made[n] = a_draft(id=uuid(n), provider="otherbank", kind="payment", tracking_id=uuid(900), consent_id="=1+1")
    return made


async def fill(store: SqlStore) -> list[Entry]:
    """Put a journal into an empty database, past all our code."""
    source, planned = f"urn:uuid:{await store.journal_id()}", _drafts()
    made = sealed(planned, source=source)

    def work(connection: Any) -> tuple[None, None]:
        private = hidden_private(planned)
        insert_rows(connection, entry, [rows.entry_values(one, private.get(one.id)) for one in made])
        connection.execute(update(journal).values(next_sequence=len(made) + 1, recorded_at=made[-1].recorded_at))
        return None, None

    await store._database.write(work)
    return made


@pytest.fixture
async def entries(store: SqlStore) -> list[Entry]:
    return await fill(store)


@pytest.fixture
def signer() -> Ed25519NoteSigner:
    return a_signer()


@pytest.fixture
def exporting(store: SqlStore, signer: Ed25519NoteSigner, monkeypatch: pytest.MonkeyPatch) -> Exporting:
    monkeypatch.setattr(export_module, "_PAGE", 7)
    return Exporting(store, Proofs(store), checkpointing(store, ManualClock(START), signer), parquet=ParquetWriter)


def sequences(folder: Path) -> list[int]:
    return [int(json.loads(line)["entry"]["sequence"]) for line in drafts.read_lines(folder)]


def _those(entries: Iterable[Entry], **said: Any) -> list[int]:
    return [one.sequence for one in entries if said.items() <= one.data.items()]


async def test_whole_journal(
    exporting: Exporting, entries: list[Entry], signer: Ed25519NoteSigner, tmp_path: Path
) -> None:
    done = await exporting.export(tmp_path / "out")
    assert (done.count, done.is_signed, done.part.is_whole) == (COUNT, True, True)
    assert sequences(tmp_path / "out") == list(range(1, COUNT + 1))
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["version"] == 1
    assert verify_export(tmp_path / "out", [signer.vkey]).accepted
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["entries.jsonl.gz", "manifest.json"]


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        (None, AT, 1, 20),
        (AT, None, 21, COUNT),
        (AT, AT + timedelta(seconds=1), 21, 21),
        (START + timedelta(days=1), None, 61, 60),
    ],
    ids=["until", "since", "one entry", "nothing"],
)
async def test_stretch(
    exporting: Exporting,
    entries: list[Entry],
    signer: Ed25519NoteSigner,
    tmp_path: Path,
    since: Any,
    until: Any,
    first: int,
    last: int,
) -> None:
    folder = tmp_path / "out"
    done = await exporting.export(folder, ExportRequest(since=since, until=until))
    assert (done.part.first, done.part.last, done.count) == (first, last, last - first + 1)
    assert sequences(folder) == list(range(first, last + 1))
    verdict = verify_export(folder, [signer.vkey])
    assert verdict.accepted, verdict
    assert f"of {COUNT} in the journal" in verdict.intact.sentence
    assert "without a gap" in verdict.intact.sentence or not done.count


async def test_filters(
    store: SqlStore, exporting: Exporting, entries: list[Entry], signer: Ed25519NoteSigner, tmp_path: Path
) -> None:
    for number, (request, chosen) in enumerate(
        (
            (ExportRequest(provider="otherbank"), _those(entries, provider="otherbank")),
            (ExportRequest(kind="payment", since=AT), [n for n in _those(entries, kind="payment") if n > 20]),
            (ExportRequest(provider="nobody"), []),
            (ExportRequest(user_ref="nobody"), []),
        )
    ):
        folder = tmp_path / str(number)
        done = await exporting.export(folder, request)
        assert (sequences(folder), done.count) == (chosen, len(chosen))
        verdict = verify_export(folder, [signer.vkey])
        assert verdict.accepted, verdict
        assert "Not shown: that nothing else is" in verdict.intact.sentence


async def test_one_byte_of_a_filtered_export_is_found(
    exporting: Exporting, entries: list[Entry], signer: Ed25519NoteSigner, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    await exporting.export(folder, ExportRequest(provider="otherbank"))
    lines = drafts.read_lines(folder)
    at = lines[1].index(b'"proof":["') + 20
    drafts.write_lines(folder, [lines[0], lines[1][:at] + bytes([lines[1][at] ^ 1]) + lines[1][at + 1 :], *lines[2:]])
    drafts.refused(verify_export(folder, [signer.vkey]))
    drafts.write_lines(folder, [lines[0], *lines[2:]])
    drafts.change_manifest(folder, count=len(lines) - 1)
    drafts.refused(verify_export(folder, [signer.vkey]), "as its consent's entry before")
    drafts.write_lines(folder, lines[1:])  # the first of the consent that is there
    drafts.refused(verify_export(folder, [signer.vkey]), "as its consent's entry before, and that is none")


async def test_entries_outside_of_the_times_that_are_told_are_found(
    exporting: Exporting, entries: list[Entry], signer: Ed25519NoteSigner, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    await exporting.export(folder, ExportRequest(since=AT, until=AT + timedelta(seconds=5)))
    for wrong, said in (
        (Selection(since=AT, until=AT + timedelta(seconds=4)), "recorded after the time asked for"),
        (Selection(since=AT + timedelta(microseconds=1), until=AT + timedelta(seconds=5)), "recorded before the time"),
    ):
        drafts.change_manifest(folder, selection=wrong.members())
        drafts.refused(verify_export(folder, [signer.vkey]), said)


async def test_nothing_that_makes_no_sense(exporting: Exporting, entries: list[Entry], tmp_path: Path) -> None:
    for request in (
        ExportRequest(consent_id="c-1"),
        ExportRequest(since=AT, until=AT),
        ExportRequest(format=Format.CONSENT_RECORDS, since=AT),
    ):
        with pytest.raises(InvalidRequestError):
            await exporting.export(tmp_path / "out", request)
    with pytest.raises(ConsentNotFoundError):
        await exporting.export(tmp_path / "out", ExportRequest(provider="demobank", consent_id="c-1"))
    assert not (tmp_path / "out").exists()
    assert MOST_CONSENTS == 10_000


async def test_entries_that_are_not_those_of_the_tree_are_not_published(
    store: SqlStore, exporting: Exporting, entries: list[Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = store.export_rows

    async def changed(*asked: Any) -> list[Row]:
        return [(*row[:2], bytes(32), *row[3:]) if row[0] == 9 else row for row in await read(*asked)]

    monkeypatch.setattr(store, "export_rows", changed)
    with pytest.raises(ExportError, match="not those over which the stored tree was built"):
        await exporting.export(tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


class Killed(Exception):  # noqa: N818 - what a test does
    pass


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("form", [Format.JSONL, Format.CSV, Format.PARQUET])
@pytest.mark.parametrize("provider", [None, "demobank"])
async def test_cut_off_anywhere_it_goes_on_and_gives_the_same_bytes(
    exporting: Exporting,
    entries: list[Entry],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: Format,
    provider: str | None,
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 3000)
    monkeypatch.setattr(blocks, "_SAVE_EVERY", 2)
    monkeypatch.setattr("tracker.adapters.parquet.ROWS_IN_A_GROUP", 3)
    monkeypatch.setattr("tracker.adapters.parquet.GROUPS_IN_A_FILE", 2)
    request = ExportRequest(format=form, provider=provider, since=AT - timedelta(seconds=10))
    await exporting.export(tmp_path / "at once", request)
    folder, seen = tmp_path / "in goes", []

    def kill(done: int, total: int) -> None:
        seen.append(done)
        if done < total:
            raise Killed

    reached = []
    for _ in range(COUNT):
        try:
            await exporting.export(folder, request, kill)
        except Killed:
            reached.append(ExportFolder(folder).state.get("position", 0))
            assert not (folder / "manifest.json").exists()
            continue
        break
    assert reached == sorted(reached)
    assert len(set(seen)) > 2
    assert _bytes(folder) == _bytes(tmp_path / "at once")


async def test_what_is_behind_the_last_note_is_written_again(
    exporting: Exporting, entries: list[Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(blocks, "_SAVE_EVERY", 3)
    await exporting.export(tmp_path / "at once")

    def kill(done: int, total: int) -> None:
        if done > 40:
            raise Killed

    folder = tmp_path / "out"
    with pytest.raises(Killed):
        await exporting.export(folder, None, kill)
    with (folder / "entries.jsonl.gz.partial").open("ab") as file:
        file.write(b"half a blo")
    await exporting.export(folder)
    assert _bytes(folder) == _bytes(tmp_path / "at once")


async def test_more_is_recorded_while_an_export_is_cut_off(
    store: SqlStore, exporting: Exporting, entries: list[Entry], signer: Ed25519NoteSigner, tmp_path: Path
) -> None:
    def kill(done: int, total: int) -> None:
        raise Killed

    folder = tmp_path / "out"
    with pytest.raises(Killed):
        await exporting.export(folder, None, kill)
    more = sealed([*_drafts(), a_draft(id=uuid(777), tracking_id=uuid(778))], source=entries[0].source)[-1]

    def work(connection: Any) -> tuple[None, None]:
        connection.execute(insert(entry), [rows.entry_values(more, None)])
        connection.execute(update(journal).values(next_sequence=COUNT + 2))
        return None, None

    await store._database.write(work)
    done = await exporting.export(folder)
    assert done.count == COUNT
    assert verify_export(folder, [signer.vkey]).accepted


async def test_an_export_that_was_cut_off_is_not_gone_on_with_as_another(
    exporting: Exporting, entries: list[Entry], tmp_path: Path
) -> None:
    def kill(done: int, total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        await exporting.export(tmp_path / "out", None, kill)
    with pytest.raises(ExportError, match="holds another export that was cut off"):
        await exporting.export(tmp_path / "out", ExportRequest(provider="demobank"))
    with pytest.raises(ExportError, match="holds another export that was cut off"):
        await exporting.export(tmp_path / "out", ExportRequest(format=Format.CSV))


async def test_csv_says_all_and_runs_nothing(exporting: Exporting, entries: list[Entry], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    await exporting.export(folder, ExportRequest(format=Format.CSV))
    with (folder / "entries.csv").open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file)
    assert head == list(COLUMNS)
    read = [[csv_form.value_of(cell) for cell in line] for line in lines]
    assert read == [[_text(cell) for cell in cells(row_of(one))] for one in entries]
    assert {line[head.index("consent_id")] for line in lines} == {"5b0e7c1a-consent", "'=1+1"}


def _text(cell: Any) -> str | None:
    if cell is None:
        return None
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


async def test_parquet_says_all(
    exporting: Exporting, entries: list[Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet

    monkeypatch.setattr("tracker.adapters.parquet.ROWS_IN_A_GROUP", 8)
    monkeypatch.setattr("tracker.adapters.parquet.GROUPS_IN_A_FILE", 3)
    folder = tmp_path / "out"
    done = await exporting.export(folder, ExportRequest(format=Format.PARQUET))
    assert [file.name for file in done.files] == [f"entries-{n:05d}.parquet" for n in (1, 2, 3)]
    read = [row for file in done.files for row in parquet.ParquetFile(folder / file.name).read().to_pylist()]
    assert len(read) == COUNT
    for row, one in zip(read, entries, strict=True):
        wanted = dict(zip(COLUMNS, cells(row_of(one)), strict=True))
        times = {
            name: datetime.fromisoformat(wanted[name])
            for name in ("time", "status_date_time", "received_at")
            if wanted[name]
        }
        assert row == wanted | times
        assert all(time.tzinfo in {UTC, time.tzinfo} for time in times.values())


async def test_tables_are_never_called_proved(
    exporting: Exporting, entries: list[Entry], signer: Ed25519NoteSigner, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    await exporting.export(folder, ExportRequest(format=Format.CSV, provider="otherbank"))
    verdict = verify_export(folder, [signer.vkey])
    assert (verdict.intact.answer, verdict.by_whom.answer, verdict.accepted) == (
        Answer.UNKNOWN,
        Answer.UNANCHORED,
        False,
    )
    assert "rows of entries as CSV" in verdict.intact.sentence
    assert verify_export(folder, [], allow_unanchored=True).accepted
    file = folder / "entries.csv"
    file.write_bytes(file.read_bytes().replace(b"otherbank", b"demobank!"))
    drafts.refused(verify_export(folder, [], allow_unanchored=True), "is not the file that manifest.json describes")


async def test_gzip_is_one_member_that_any_tool_reads(
    exporting: Exporting, entries: list[Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2000)
    await exporting.export(tmp_path / "out")
    packed = (tmp_path / "out" / "entries.jsonl.gz").read_bytes()
    import zlib

    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(packed) == gzip.decompress(packed)
    assert (reader.eof, reader.unused_data) == (True, b"")
