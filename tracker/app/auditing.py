"""What proves the journal to others, made and wired: the stored tree, exports."""

from dataclasses import dataclass

from tracker.adapters.parquet import ParquetWriter
from tracker.adapters.store.store import SqlStore
from tracker.ports import CheckpointSigner
from tracker.settings import Settings
from tracker.usecases.consent_records import ConsentRecords
from tracker.usecases.export import Exporting
from tracker.usecases.proofs import Proofs
from tracker.usecases.providers import Providers
from tracker.worker import Tick

_TREE_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditing:
    """What auditors' questions are answered with."""

    proofs: Proofs
    exporting: Exporting

    def ticks(self) -> list[Tick]:
        """What the worker does for it: the tree follows the journal, apart from recording."""
        return [Tick(name="tree", run=self.proofs.extend, every_seconds=_TREE_EVERY_SECONDS)]


def auditing(store: SqlStore, settings: Settings, signer: CheckpointSigner | None, providers: Providers) -> Auditing:
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
    return Auditing(proofs=proofs, exporting=exporting)
