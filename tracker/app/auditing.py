"""What proves the journal to others, made and wired: the stored tree, exports, evidence packs."""

from dataclasses import dataclass

from tracker.adapters.store.store import SqlStore
from tracker.ports import CheckpointSigner, Clock
from tracker.settings import Settings
from tracker.usecases.evidence import EvidencePacks, NobodyLooked
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
    packs: EvidencePacks

    def ticks(self) -> list[Tick]:
        """What the worker does for it: the tree follows the journal, apart from recording."""
        return [Tick(name="tree", run=self.proofs.extend, every_seconds=_TREE_EVERY_SECONDS)]


def auditing(
    store: SqlStore, settings: Settings, signer: CheckpointSigner | None, providers: Providers, clock: Clock
) -> Auditing:
    """Make all of it."""
    proofs, origin = Proofs(store), settings.audit.origin
    return Auditing(
        proofs=proofs,
        exporting=Exporting(store, origin=origin, signer=signer),
        packs=EvidencePacks(
            store, store.evidence, proofs, providers, clock, NobodyLooked(), origin=origin, signer=signer
        ),
    )
