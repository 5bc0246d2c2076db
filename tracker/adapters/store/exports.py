"""Export jobs in the database. Implements `ports.ExportBook`."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, delete, func, insert, select, update

from tracker.adapters.store import leases
from tracker.adapters.store.database import Database
from tracker.adapters.store.export_tables import export_job
from tracker.adapters.store.rows.export import export_job_values, to_export_job
from tracker.adapters.store.rows.reading import sorted_out
from tracker.adapters.store.tables import journal
from tracker.domain.export import MOST_OPEN, ExportJob
from tracker.ports import Held

T = TypeVar("T")

_FIXED = frozenset({"id", "request", "asked_by", "created_at"})
_IS_OPEN = export_job.c.finished_at.is_(None)


class SqlExports:
    """Implements `ports.ExportBook`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def _write(self, work: Callable[[Connection], T]) -> T:
        return await self._database.write(lambda connection: (work(connection), None))

    async def add(self, job: ExportJob) -> bool:
        """Keep a new one."""
        return await self._write(partial(_add, job=job))

    async def listed(self) -> list[ExportJob]:
        """All of them."""
        query = select(export_job).order_by(export_job.c.id.desc())
        found, _ = await self._database.read(lambda connection: sorted_out(connection.execute(query), to_export_job))
        return found

    async def get(self, job_id: str) -> ExportJob | None:
        """One of them."""
        query = select(export_job).where(export_job.c.id == job_id)

        def work(connection: Connection) -> ExportJob | None:
            row = connection.execute(query).one_or_none()
            return None if row is None else to_export_job(row)

        return await self._database.read(work)

    async def open(self) -> list[str]:
        """Those that are not over."""
        query = select(export_job.c.id).where(_IS_OPEN).order_by(export_job.c.id)
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))

    async def save(self, job: ExportJob, held: Held | None) -> bool:
        """Write how one stands."""
        return await self._write(partial(_save, job=job, held=held))

    async def delete(self, job_id: str) -> bool:
        """Forget one."""
        statement = delete(export_job).where(export_job.c.id == job_id)
        return await self._write(lambda connection: connection.execute(statement).rowcount > 0)

    async def forget_old(self, before: datetime) -> None:
        """Forget those that were over before a time."""
        statement = delete(export_job).where(export_job.c.finished_at < before)
        await self._write(lambda connection: connection.execute(statement))


def _add(connection: Connection, job: ExportJob) -> bool:
    connection.execute(
        select(journal.c.id).with_for_update(read=False)
    ).first()  # those who ask at once are counted in turn
    if connection.execute(select(func.count()).select_from(export_job).where(_IS_OPEN)).scalar_one() >= MOST_OPEN:
        return False
    connection.execute(insert(export_job), export_job_values(job))
    return True


def _save(connection: Connection, job: ExportJob, held: Held | None) -> bool:
    if held is not None:
        leases.require(connection, held)
    values = {name: value for name, value in export_job_values(job).items() if name not in _FIXED}
    return connection.execute(update(export_job).where(export_job.c.id == job.id).values(values)).rowcount > 0
