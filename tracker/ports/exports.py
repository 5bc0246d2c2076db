"""Exports: the rows that they are made of, who writes tables, and the jobs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from tracker.domain.export import ExportJob
from tracker.journal.export import Row
from tracker.journal.folder import ExportFolder
from tracker.journal.selection import Part
from tracker.ports.records import Held


def export_lease(job_id: str) -> str:
    """The lease of whoever writes an export."""
    return f"export {job_id}"


class ExportStore(Protocol):
    """What exports are read from. Every method raises `StorageError` when the database is away."""

    async def export_rows(
        self, after: int, last: int, limit: int, tracking_ids: Collection[str] | None = None
    ) -> list[Row]:
        """Rows of entries behind a sequence and up to another, in sequence; of these consents alone, if any are named."""

    async def first_since(self, time: datetime) -> int:
        """The sequence of the first entry recorded at this time or later; that after the last, if none was."""

    async def count_consents(self) -> int:
        """How many consents there are."""


class EntrySink(AbstractContextManager["EntrySink"], Protocol):
    """What writes entries to files in a folder.

    Attributes:
        position: Up to here all that is chosen was taken.
        count: How much that was.
    """

    position: int
    count: int

    def add(
        self, rows: Sequence[Row], proofs: Mapping[int, Sequence[bytes]] | None = None, *, up_to: int | None = None
    ) -> None:
        """Take the next entries; behind them nothing else is chosen up to `up_to`.

        Raises:
            ExportError: They cannot be written.
        """

    def finish(self) -> Any:
        """Write what is left."""


class TableSink(EntrySink, Protocol):
    """What writes them to files of its own naming."""

    def finish(self) -> list[str]:
        """Write what is left; the names of the files."""


TableMaker = Callable[[ExportFolder, Part], TableSink]
"""Makes one, or goes on with one that was cut off."""


class ExportBook(Protocol):
    """The jobs in the database. Every method raises `StorageError` when it is away."""

    async def add(self, job: ExportJob) -> bool:
        """Keep a new one; False if `MOST_OPEN` wait or run."""

    async def listed(self) -> list[ExportJob]:
        """All of them, the last asked for first."""

    async def get(self, job_id: str) -> ExportJob | None:
        """One of them."""

    async def open(self) -> list[str]:
        """Ids of those that are not over, in order."""

    async def save(self, job: ExportJob, held: Held | None) -> bool:
        """Write how one stands; False when it is gone.

        Raises:
            LeaseLostError: Another process writes it now.
        """

    async def delete(self, job_id: str) -> bool:
        """Forget one; False if there is none."""

    async def forget_old(self, before: datetime) -> None:
        """Forget those that were over before a time."""
