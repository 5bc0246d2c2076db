"""Writing the exports that were asked for, one at a time in each process, and clearing away what is not wanted any more.

Whoever dies leaves a folder that can be gone on with, and a job that is open: the same process goes on behind the last block
that it noted; another one, that does not have the folder, begins anew, and what it writes is the same.
"""

import asyncio
import hashlib
import logging
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tracker.domain.errors import LeaseLostError, StorageError, TrackerError
from tracker.domain.export import ExportFile, ExportJob, ExportState
from tracker.journal.folder import is_cut_off
from tracker.journal.manifest import MANIFEST_NAME
from tracker.journal.selection import part_of
from tracker.ports import Clock, Held
from tracker.ports.exports import ExportBook, export_lease
from tracker.usecases.export import Exported, Exporting
from tracker.usecases.leasing import Leasing
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 1.0
_NOTE_EVERY_SECONDS = 1.0
_CLEAR_EVERY_SECONDS = 600.0


class ExportRunner:
    """Writes exports."""

    def __init__(
        self,
        *,
        book: ExportBook,
        exporting: Exporting,
        clock: Clock,
        folder: Path,
        place: str,
        keep: timedelta,
        changed: Bell,
        leasing: Leasing | None = None,
    ) -> None:
        """Take what there is to work with.

        Args:
            book: The jobs.
            exporting: Who writes an export.
            clock: Our clock.
            folder: Where to; each export has a folder in it.
            place: What that folder is called, for people on other machines.
            keep: For how long after its end an export is kept.
            changed: Rings when a job came or went.
            leasing: Which jobs this process writes, if there are others; None: all.
        """
        self._book = book
        self._exporting = exporting
        self._clock = clock
        self._folder = folder
        self._place = place
        self._keep = keep
        self._changed = changed
        self._leasing = leasing
        self._cleared_at: float | None = None

    async def run(self) -> None:
        """Write what is asked for until cancelled; what is under way then is gone on with another time."""
        try:
            while True:
                try:
                    is_more = await self.run_once()
                except StorageError as error:
                    _log.warning("Exports wait for the database: %s", error)
                    is_more = False
                if not is_more:
                    await self._changed.wait(_LOOK_AGAIN_SECONDS)
        finally:
            if self._leasing is not None:
                await self._leasing.leave()

    async def run_once(self) -> bool:
        """Clear away what is not wanted, and write the export whose turn it is; whether there was one.

        Raises:
            StorageError: The database is away.
        """
        await self._clear()
        waiting = await self._book.open()
        held: Held | None = None
        if self._leasing is not None:
            ours = await self._leasing.share([export_lease(one) for one in waiting])
            waiting = [one for one in waiting if export_lease(one) in ours]
        job = await self._book.get(waiting[0]) if waiting else None
        if job is None:
            return False
        if self._leasing is not None:
            held = self._leasing.held.get(export_lease(job.id))
        try:
            await self._write(job, held)
        except LeaseLostError:
            _log.info("Export %s is written by another process.", job.id)
            if self._leasing is not None:
                self._leasing.lost(export_lease(job.id))
        finally:
            if self._leasing is not None:
                await self._leasing.release([export_lease(job.id)])
        return True

    async def _write(self, job: ExportJob, held: Held | None) -> None:
        folder = self._folder / job.id
        try:
            if job.part is None:
                part = await self._exporting.part(job.request)
                job = replace(job, part=part.members())
            job = replace(
                job,
                state=ExportState.RUNNING,
                place=self._place,
                started_at=job.started_at or self._clock.now(),
            )
            if not await self._book.save(job, held):
                return
            done = await self._export(job, folder, held)
            if done is None:
                return
            files = (*done.files, await asyncio.to_thread(_cover, folder))
            over = replace(job, state=ExportState.DONE, count=done.count, position=job.total, files=files)
        except StorageError:
            raise
        except LeaseLostError:
            raise
        except TrackerError as error:
            _log.error("Export %s failed: %s", job.id, error)
            await asyncio.to_thread(_remove, folder)
            over = replace(job, state=ExportState.FAILED, last_error=str(error))
        await self._book.save(replace(over, finished_at=self._clock.now()), held)

    async def _export(self, job: ExportJob, folder: Path, held: Held | None) -> Exported | None:
        """Write the files; None if it is not wanted any more. How far it is is noted meanwhile, and the lease kept."""
        reached = [job.position, job.total]

        def note(done: int, total: int) -> None:
            reached[:] = done, total

        if not is_cut_off(folder):
            await asyncio.to_thread(_remove, folder)  # it was finished, and that was not written down
        part = part_of(job.part or {})
        writing = asyncio.ensure_future(self._exporting.export(folder, job.request, note, part=part))
        try:
            while not (await asyncio.wait([writing], timeout=_NOTE_EVERY_SECONDS))[0]:
                if self._leasing is not None:
                    await self._leasing.share([export_lease(one) for one in await self._book.open()])
                if not await self._book.save(replace(job, position=reached[0], total=reached[1]), held):
                    return None
            return writing.result()
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError, TrackerError):
                await writing

    # ------------------------------------------------------------------------------------------ clearing away

    async def _clear(self) -> None:
        """Forget exports that are old, and remove every folder whose job is gone: it may have been deleted anywhere."""
        now = self._clock.monotonic()
        if self._cleared_at is None or now - self._cleared_at >= _CLEAR_EVERY_SECONDS:
            await self._book.forget_old(self._clock.now() - self._keep)
            self._cleared_at = now
        folders = await asyncio.to_thread(_folders, self._folder)
        if not folders:
            return
        known = {job.id for job in await self._book.listed()}
        for folder in folders:
            if folder.name not in known:
                await asyncio.to_thread(_remove, folder)


def _folders(path: Path) -> list[Path]:
    try:
        return [one for one in path.iterdir() if _is_ours(one)]
    except OSError:
        return []


def _is_ours(path: Path) -> bool:
    """Whether a folder is an export's: nothing else is ever removed."""
    name = path.name
    return len(name) == len("0198f1c2-0000-7000-8000-000000000001") and name.count("-") == len("----") and path.is_dir()


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def _cover(folder: Path) -> ExportFile:
    manifest = (folder / MANIFEST_NAME).read_bytes()
    return ExportFile(MANIFEST_NAME, len(manifest), hashlib.sha256(manifest).hexdigest())
