"""What proves the journal to others, made and wired: the stored tree, exports."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from socket import gethostname
from typing import Protocol

from tracker.adapters.parquet import ParquetWriter
from tracker.adapters.store.store import SqlStore
from tracker.ports import CheckpointSigner, Clock, Ids
from tracker.settings import Settings
from tracker.usecases.consent_records import ConsentRecords
from tracker.usecases.export import Exporting
from tracker.usecases.export_jobs import ExportJobs
from tracker.usecases.export_running import ExportRunner
from tracker.usecases.leasing import Leasing
from tracker.usecases.proofs import Proofs
from tracker.usecases.providers import Providers
from tracker.usecases.wake import Bell
from tracker.worker import Tick

_TREE_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditing:
    """What auditors' questions are answered with."""

    proofs: Proofs
    exporting: Exporting
    jobs: ExportJobs
    runner: ExportRunner | None

    def ticks(self) -> list[Tick]:
        """What the worker does for it: the tree follows the journal, apart from recording."""
        return [Tick(name="tree", run=self.proofs.extend, every_seconds=_TREE_EVERY_SECONDS)]

    def standing(self) -> list[asyncio.Task[None]]:
        """What runs all the time in a worker: exports are written."""
        return [] if self.runner is None else [asyncio.create_task(self.runner.run(), name="exports")]


class World(Protocol):
    """What of the world it needs."""

    @property
    def clock(self) -> Clock:
        """Our clock."""

    @property
    def ids(self) -> Ids:
        """Fresh ids."""


def auditing(
    store: SqlStore,
    settings: Settings,
    signer: CheckpointSigner | None,
    providers: Providers,
    *,
    world: "World",
    changed: Bell,
    leasing: Leasing | None,
) -> Auditing:
    """Make all of it."""
    proofs = Proofs(store)
    exporting = Exporting(
        store,
        proofs,
        origin=settings.audit.origin,
        signer=signer,
        parquet=ParquetWriter,
        records=ConsentRecords(store, providers),
    )
    folder = None if settings.audit.exports_folder is None else Path(settings.audit.exports_folder).absolute()
    jobs = ExportJobs(
        book=store.exports, exporting=exporting, clock=world.clock, ids=world.ids, folder=folder, changed=changed
    )
    runner = None
    if folder is not None:
        runner = ExportRunner(
            book=store.exports,
            exporting=exporting,
            clock=world.clock,
            folder=folder,
            place=f"{folder} on {gethostname()}",
            keep=timedelta(days=settings.audit.exports_keep_days),
            changed=changed,
            leasing=leasing,
        )
    return Auditing(proofs=proofs, exporting=exporting, jobs=jobs, runner=runner)
