"""Exports that are asked for over HTTP: jobs that a worker writes to a folder of its own.

The files lie on a disk, and not in the database: they are as large as the journal, and can be made again from it. Processes that
share the folder share the files; another one knows the job and does not have them.
"""

from datetime import datetime
from pathlib import Path

from tracker.domain.errors import (
    ExportElsewhereError,
    ExportNotFoundError,
    ExportsNotConfiguredError,
    TooManyExportsError,
)
from tracker.domain.export import MOST_OPEN, ExportJob, ExportRequest
from tracker.ports import Clock, Ids
from tracker.ports.exports import ExportBook
from tracker.usecases.export import Exporting
from tracker.usecases.wake import Bell


class ExportJobs:
    """Asking for exports, looking at them, fetching them, deleting them."""

    def __init__(
        self, *, book: ExportBook, exporting: Exporting, clock: Clock, ids: Ids, folder: Path | None, changed: Bell
    ) -> None:
        """Take what there is to work with.

        Args:
            book: The jobs.
            exporting: Who knows what can be exported.
            clock: Our clock.
            ids: For the jobs' ids, which give their order.
            folder: Where files are written; None: nothing can be asked for.
            changed: Rung when a job came or went.
        """
        self._book = book
        self._exporting = exporting
        self._clock = clock
        self._ids = ids
        self._folder = folder
        self._changed = changed

    async def ask(self, request: ExportRequest, asked_by: str) -> ExportJob:
        """Ask for an export.

        Raises:
            ExportsNotConfiguredError: There is no folder for it.
            InvalidRequestError: What is wanted cannot be.
            ConsentNotFoundError: It names a consent that is not tracked.
            TooManyExportsError: Enough wait.
        """
        if self._folder is None:
            raise ExportsNotConfiguredError
        await self._exporting.require_possible(request)  # what cannot be is told now, and not by a job that fails
        job = ExportJob(id=self._ids.ordered(), request=request, asked_by=asked_by, created_at=self._now())
        if not await self._book.add(job):
            raise TooManyExportsError(f"{MOST_OPEN} exports wait: delete one, or let one end.")
        self._changed.ring()
        return job

    async def listed(self) -> list[ExportJob]:
        """All of them, the last asked for first."""
        return await self._book.listed()

    async def get(self, job_id: str) -> ExportJob:
        """One of them.

        Raises:
            ExportNotFoundError: There is none of this id.
        """
        found = await self._book.get(job_id)
        if found is None:
            raise ExportNotFoundError
        return found

    async def file(self, job_id: str, name: str) -> Path:
        """Where a file of an export is.

        Raises:
            ExportNotFoundError: There is no such job, or it has no such file, or not yet.
            ExportElsewhereError: Another process has it.
        """
        job = await self.get(job_id)
        if name not in {file.name for file in job.files}:
            raise ExportNotFoundError(f"This export has no file {name!r}.")
        path = None if self._folder is None else self._folder / job.id / name
        if path is None or not path.is_file():
            raise ExportElsewhereError(f"The files of this export lie at {job.place}, and not here.")
        return path

    async def delete(self, job_id: str) -> None:
        """Delete one, with its files; one that is being written ends.

        Raises:
            ExportNotFoundError: There is none of this id.
        """
        if not await self._book.delete(job_id):
            raise ExportNotFoundError
        self._changed.ring()

    def _now(self) -> datetime:
        return self._clock.now()
