"""Write the journal, or a part of it, out to a folder, so that others can read it and auditors verify it without us."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from tracker.domain.checkpoint_errors import CheckpointNotFoundError
from tracker.domain.consent import ConsentId, ProviderId
from tracker.domain.errors import ConsentNotFoundError, InvalidRequestError
from tracker.domain.export import ExportFile, ExportRequest, Format
from tracker.journal.csv_form import CSV_NAME, HEAD, csv_lines
from tracker.journal.export import EntryWriter, Row, publish
from tracker.journal.folder import ExportError, ExportFolder, is_cut_off
from tracker.journal.instant import rfc3339
from tracker.journal.manifest import WrittenFile
from tracker.journal.selection import MOST_CONSENTS, Part, Selection, part_of
from tracker.journal.stretch import Around, closed
from tracker.journal.table import publish_table
from tracker.ports import ConsentQuery, Store
from tracker.ports.exports import EntrySink, TableMaker
from tracker.usecases.checkpoints import Checkpointing
from tracker.usecases.consent_records import ConsentRecords
from tracker.usecases.proofs import Proofs

T = TypeVar("T")

_PAGE: Final = 4_000
_ANY_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No status is asked for: so it does not matter what time it is."""

Progress = Callable[[int, int], object]
"""Told how much of how much is done."""

Floor = Callable[[], Awaitable[int]]
"""Says which sequence is the first that is still in the database."""


async def _the_first() -> int:
    return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        part: What it is of.
        count: How many entries, or consent records.
        is_signed: Whether there is a checkpoint.
        files: All but the manifest.
    """

    part: Part
    count: int
    is_signed: bool
    files: tuple[ExportFile, ...]


class Exporting:
    """Exports in constant memory, page by page: no snapshot is held open meanwhile."""

    def __init__(
        self,
        store: Store,
        proofs: Proofs,
        checkpoints: Checkpointing,
        *,
        floor: Floor = _the_first,
        parquet: TableMaker | None = None,
        records: ConsentRecords | None = None,
    ) -> None:
        """Take what there is to work with.

        Args:
            store: The journal.
            proofs: Its tree.
            checkpoints: Signs what the tree is, if there is a key.
            floor: Below which entries were moved out of the database.
            parquet: What writes Parquet; None: nothing does.
            records: What makes consent records; None: nothing does.
        """
        self._store = store
        self._proofs = proofs
        self._checkpoints = checkpoints
        self._floor = floor
        self._parquet = parquet
        self._records = records

    async def require_possible(self, wanted: ExportRequest) -> None:
        """Check what is wanted against what there is now.

        Raises:
            ConsentNotFoundError: It names a consent that is not tracked.
            InvalidRequestError: What is wanted cannot be.
            StorageError: The database is away.
        """
        require_sense(wanted)
        await self._consents(wanted)

    async def part(self, wanted: ExportRequest) -> Part:
        """Fix what an export is of: the journal as it is now, up to a checkpoint that is signed for it, if there is a key.

        Raises:
            ConsentNotFoundError: It names a consent that is not tracked.
            InvalidRequestError: What is wanted cannot be.
            JournalForkedError: The journal does not begin with what was signed of it before.
            StorageError: The database is away.
        """
        require_sense(wanted)
        checkpoint = await self._checkpoints.at_head()
        head = await self._store.head() if checkpoint is None else checkpoint.size
        selection = Selection(
            since=wanted.since,
            until=wanted.until,
            provider=wanted.provider,
            kind=wanted.kind,
            consent_id=wanted.consent_id,
            user_ref=wanted.user_ref,
            tracking_ids=await self._consents(wanted),
        )
        first = 1 if wanted.since is None else await self._store.first_since(wanted.since)
        first = min(head + 1, max(first, await self._floor()))
        last = head if wanted.until is None else min(head, await self._store.first_since(wanted.until) - 1)
        return Part(
            journal_id=await self._store.journal_id(),
            selection=selection,
            first=first,
            last=max(first - 1, last),
            tree_size=head,
        )

    async def _consents(self, wanted: ExportRequest) -> tuple[str, ...] | None:
        if wanted.consent_id is None and wanted.user_ref is None:
            return None
        found: set[str] | None = None
        if wanted.consent_id is not None:
            consent = await self._store.find_consent((_provider(wanted), _consent_id(wanted)))
            if consent is None:
                raise ConsentNotFoundError
            found = {consent.tracking_id}
        if wanted.user_ref is not None:
            theirs = await self._consents_of(wanted.user_ref)
            found = theirs if found is None else found & theirs
        return tuple(sorted(found or ()))

    async def _consents_of(self, user_ref: str) -> set[str]:
        query = ConsentQuery(user_ref=user_ref, limit=MOST_CONSENTS + 1)
        found = {one.tracking_id for one in await self._store.search(query, _ANY_TIME)}
        if len(found) > MOST_CONSENTS:
            raise InvalidRequestError(f"More than {MOST_CONSENTS} consents have this user_ref: choose in another way.")
        return set(found)

    async def export(
        self,
        folder: Path,
        wanted: ExportRequest | None = None,
        progress: Progress = lambda _done, _all: None,
        *,
        part: Part | None = None,
    ) -> Exported:
        """Write what is wanted, as it is now, into a folder, or go on where the same was cut off.

        Args:
            folder: Where to; made if it is not there, refused if it holds anything else.
            wanted: What; None: the whole journal.
            progress: Told how much of how much is looked at. What it raises ends the export, which can be gone on with.
            part: What it is of, if that was fixed before; None: what is there now, or was when it was begun.

        Raises:
            ConsentNotFoundError: It names a consent that is not tracked.
            InvalidRequestError: What is wanted cannot be.
            ExtraNotInstalledError: The format needs what is not installed.
            ExportError: It cannot be written, or the entries are not those of the stored tree.
            JournalForkedError: The journal does not begin with what was signed of it before.
            StorageError: It cannot be read.
        """
        wanted = wanted or ExportRequest()
        place = await asyncio.to_thread(self._resumed, folder, wanted, part)
        if place is None:
            part = part or await self.part(wanted)
            place = await asyncio.to_thread(ExportFolder, folder, _plan(wanted, part))
        part = part_of(place.plan["part"])
        await self._proofs.extend()
        match wanted.format:
            case Format.JSONL:
                return await self._lines(place, part, progress)
            case Format.CSV:
                return await self._csv(place, part, progress)
            case Format.PARQUET:
                return await self._tables(place, part, progress)
            case Format.CONSENT_RECORDS:
                return await self._consent_records(place, part, progress)

    @staticmethod
    def _resumed(folder: Path, wanted: ExportRequest, part: Part | None) -> ExportFolder | None:
        if not is_cut_off(folder):
            return None
        place = ExportFolder(folder)
        if place.plan.get("wanted") != _members(wanted) or (part and place.plan.get("part") != part.members()):
            raise ExportError(f"{folder} holds another export that was cut off: name a new folder, or delete it.")
        return place

    # ------------------------------------------------------------------------------------------ formats

    async def _lines(self, place: ExportFolder, part: Part, progress: Progress) -> Exported:
        size, around = part.tree_size, None
        if not part.selection.is_filter:
            around = await self._proofs.around(part.first, part.last, size)
        root = await self._proofs.root(size)
        with ExitStack() as stack:
            left = around.left if around else ()
            writer = stack.enter_context(await _in_thread(lambda: EntryWriter(place, part, left=left)))
            await self._fill(writer, part, progress, is_proved=around is None)
            frontier = await _in_thread(writer.finish)
        if around is not None and closed(frontier, around.right, size) != root:
            raise ExportError(
                "The entries are not those over which the stored tree was built: `tracker journal verify --database` names the "
                "first that was changed."
            )
        note = await self._note(size)
        manifest = await _in_thread(lambda: publish(place, part, writer.count, root=root, around=around, note=note))
        return _exported(part, writer.count, note, [manifest.file])

    async def _csv(self, place: ExportFolder, part: Part, progress: Progress) -> Exported:
        around = Around((), ())
        if not part.selection.is_filter:
            around = await self._proofs.around(part.first, part.last, part.tree_size)
        with ExitStack() as stack:
            writer = stack.enter_context(
                await _in_thread(
                    lambda: EntryWriter(place, part, CSV_NAME, left=around.left, lines=csv_lines, head=HEAD)
                )
            )
            await self._fill(writer, part, progress)
            await _in_thread(writer.finish)
        return await self._publish_table(place, part, Format.CSV, writer.count, [CSV_NAME])

    async def _tables(self, place: ExportFolder, part: Part, progress: Progress) -> Exported:
        make = self._parquet
        if make is None:
            raise InvalidRequestError("Nothing here writes Parquet.")
        with ExitStack() as stack:
            writer = stack.enter_context(await _in_thread(lambda: make(place, part)))
            await self._fill(writer, part, progress)
            names: list[str] = await _in_thread(writer.finish)
        return await self._publish_table(place, part, Format.PARQUET, writer.count, names)

    async def _consent_records(self, place: ExportFolder, part: Part, progress: Progress) -> Exported:
        if self._records is None:
            raise InvalidRequestError("Nothing here writes consent records.")
        count, name = await self._records.write(place, part, progress)
        return await self._publish_table(place, part, Format.CONSENT_RECORDS, count, [name])

    async def _publish_table(
        self, place: ExportFolder, part: Part, content: Format, count: int, names: Sequence[str]
    ) -> Exported:
        note = await self._note(part.tree_size)
        manifest = await _in_thread(lambda: publish_table(place, part, content.value, count, names, note))
        return _exported(part, count, note, manifest.files)

    async def _note(self, size: int) -> str | None:
        """The checkpoint over so many entries: it was signed when the export was begun, if there was a key."""
        try:
            return (await self._checkpoints.at(size)).note
        except CheckpointNotFoundError:
            return None

    # ------------------------------------------------------------------------------------------ entries

    async def _fill(self, sink: EntrySink, part: Part, progress: Progress, *, is_proved: bool = False) -> None:
        """Hand a sink what it lacks: while it takes one page, the next is read."""
        total = part.last - part.first + 1
        needles = part.selection.needles()
        ahead = asyncio.create_task(self._read(part, sink.position))
        try:
            while sink.position < part.last:
                rows, up_to = await ahead
                if up_to < part.last:
                    ahead = asyncio.create_task(self._read(part, up_to))
                if needles:
                    rows = [row for row in rows if all(needle in row[1] for needle in needles)]
                proofs = None
                if is_proved and rows:
                    proofs = await self._proofs.inclusions([row[0] for row in rows], part.tree_size)
                await _in_thread(partial(sink.add, rows, proofs, up_to=up_to))
                progress(sink.position - part.first + 1, total)
        finally:
            ahead.cancel()

    async def _read(self, part: Part, after: int) -> tuple[list[Row], int]:
        ids = part.selection.tracking_ids
        if after >= part.last or ids == ():
            return [], part.last
        rows = await self._store.export_rows(after, part.last, _PAGE, ids)
        return rows, rows[-1][0] if len(rows) == _PAGE else part.last


async def _in_thread(work: Callable[[], T]) -> T:
    """Do what blocks in a thread, and wait for its end even if nobody wants it any more: the files are closed after that."""
    doing = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


def require_sense(wanted: ExportRequest) -> None:
    """Check what somebody wants.

    Raises:
        InvalidRequestError: It cannot be.
    """
    if wanted.consent_id is not None and wanted.provider is None:
        raise InvalidRequestError("A consent is named with its provider.")
    if wanted.since is not None and wanted.until is not None and wanted.until <= wanted.since:
        raise InvalidRequestError("The time up to which is wanted lies after the one from which.")
    is_of_time = wanted.since is not None or wanted.until is not None
    if wanted.format is Format.CONSENT_RECORDS and is_of_time:
        raise InvalidRequestError("Consent records tell how consents stand, and are not chosen by time.")


def _exported(part: Part, count: int, note: str | None, files: Sequence[WrittenFile]) -> Exported:
    named = tuple(ExportFile(file.name, file.bytes, file.sha256) for file in files)
    return Exported(part=part, count=count, is_signed=note is not None, files=named)


def _plan(wanted: ExportRequest, part: Part) -> Mapping[str, Any]:
    return {"wanted": _members(wanted), "part": part.members()}


def _members(wanted: ExportRequest) -> dict[str, Any]:
    members = asdict(wanted) | {"format": wanted.format.value}
    return {name: rfc3339(value) if hasattr(value, "astimezone") else value for name, value in members.items()}


def _provider(wanted: ExportRequest) -> ProviderId:
    return ProviderId(wanted.provider or "")


def _consent_id(wanted: ExportRequest) -> ConsentId:
    return ConsentId(wanted.consent_id or "")
