"""What proves the journal to others, made and wired: the stored tree, checkpoints, exports, evidence packs."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from socket import gethostname
from typing import Protocol

from tracker.adapters.checkpoint_file import CheckpointFile
from tracker.adapters.checkpoint_signer import is_signed
from tracker.adapters.parquet import ParquetWriter
from tracker.adapters.store.store import SqlStore
from tracker.app.timestamping import authority_of
from tracker.domain.errors import TrackerError
from tracker.journal.checkpoint import parse_vkey
from tracker.ports import Clock, Ids, Meters
from tracker.ports.checkpoints import NoteSigner
from tracker.settings import Settings
from tracker.usecases.checkpoints import Checkpointing, CheckpointTerms
from tracker.usecases.consent_records import ConsentRecords
from tracker.usecases.evidence import EvidencePacks
from tracker.usecases.export import Exporting
from tracker.usecases.export_jobs import ExportJobs
from tracker.usecases.export_running import ExportRunner
from tracker.usecases.leasing import Leasing
from tracker.usecases.proofs import Proofs
from tracker.usecases.providers import Providers
from tracker.usecases.wake import Bell
from tracker.usecases.witnessing import Witnessing
from tracker.web.services import AuditAnswers
from tracker.worker import Tick

_TREE_EVERY_SECONDS = 5.0
_LOOKS_PER_CHECKPOINT = 10  # whoever did not sign the last one still sees in time that the next is due
_LEAVING_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditing:
    """What auditors' questions are answered with.

    Attributes:
        look_every_seconds: How often it is looked whether a checkpoint is due.
    """

    proofs: Proofs
    checkpoints: Checkpointing
    witnessing: Witnessing
    exporting: Exporting
    jobs: ExportJobs
    runner: ExportRunner | None
    packs: EvidencePacks
    look_every_seconds: float

    def answers(self) -> AuditAnswers:
        """What HTTP reaches of it."""
        return AuditAnswers(proofs=self.proofs, checkpoints=self.checkpoints, witnessing=self.witnessing)

    def ticks(self) -> list[Tick]:
        """What the worker does for it: the tree follows the journal, apart from recording, and checkpoints follow the tree."""
        return [
            Tick(name="tree", run=self.proofs.extend, every_seconds=_TREE_EVERY_SECONDS),
            Tick(name="checkpoints", run=self.checkpoints.run_once, every_seconds=self.look_every_seconds),
        ]

    def standing(self) -> list[asyncio.Task[None]]:
        """What runs all the time in a worker: exports are written."""
        return [] if self.runner is None else [asyncio.create_task(self.runner.run(), name="exports")]

    async def leave(self) -> None:
        """Sign what there is before we stop; if that cannot be done now, whoever starts next does."""
        with suppress(TrackerError, TimeoutError):
            async with asyncio.timeout(_LEAVING_SECONDS):
                if await self.proofs.extend():
                    await self.checkpoints.at_head()


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
    signers: Sequence[NoteSigner],
    meters: Meters,
    providers: Providers,
    *,
    world: World,
    changed: Bell,
    leasing: Leasing | None,
) -> Auditing:
    """Make all of it.

    Raises:
        ConfigurationError: Checkpoints are to be stamped, and what that takes is not installed.
    """
    audit = settings.audit
    proofs = Proofs(store)
    terms = CheckpointTerms(
        origin=audit.origin,
        every=timedelta(seconds=audit.checkpoint_every_seconds),
        outlet=None if audit.publish_to is None else CheckpointFile(audit.publish_to),
        authority=authority_of(audit),
    )
    clock = world.clock
    checkpoints = Checkpointing(proofs, store.checkpoints, clock, meters, terms, signers)
    witnesses = [parse_vkey(text) for text in audit.witnesses]
    exporting = Exporting(
        store,
        proofs,
        checkpoints,
        floor=store.retention.journal_floor,
        parquet=ParquetWriter,
        records=ConsentRecords(store, providers),
    )
    folder = None if audit.exports_folder is None else Path(audit.exports_folder).absolute()
    book = store.exports
    runner = None
    if folder is not None:
        runner = ExportRunner(
            book=book,
            exporting=exporting,
            clock=clock,
            folder=folder,
            place=f"{folder} on {gethostname()}",
            keep=timedelta(days=audit.exports_keep_days),
            changed=changed,
            leasing=leasing,
        )
    return Auditing(
        proofs=proofs,
        checkpoints=checkpoints,
        witnessing=Witnessing(store.checkpoints, clock, is_signed, witnesses),
        exporting=exporting,
        jobs=ExportJobs(book=book, exporting=exporting, clock=clock, ids=world.ids, folder=folder, changed=changed),
        runner=runner,
        packs=EvidencePacks(store, store.evidence, proofs, checkpoints, providers, clock, graves=store.retention),
        look_every_seconds=max(1.0, audit.checkpoint_every_seconds / _LOOKS_PER_CHECKPOINT),
    )
