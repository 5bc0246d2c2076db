"""Checkpoints of a store, made by the real thing."""

from typing import Any

from prometheus_client import CollectorRegistry

from tests.tokens import ed_key
from tracker.adapters.checkpoint_signer import Ed25519NoteSigner
from tracker.adapters.metrics.counters import Counters
from tracker.adapters.store.store import SqlStore
from tracker.ports import Clock
from tracker.ports.checkpoints import CheckpointBook, NoteSigner
from tracker.usecases.checkpoints import Checkpointing, CheckpointTerms
from tracker.usecases.proofs import Proofs

ORIGIN = "demo.example/journal"


def a_signer(name: str = "journal", origin: str = ORIGIN) -> Ed25519NoteSigner:
    return Ed25519NoteSigner(ed_key(name), origin)


def checkpointing(
    store: SqlStore, clock: Clock, *signers: NoteSigner, book: CheckpointBook | None = None, **terms: Any
) -> Checkpointing:
    chosen = CheckpointTerms(**{"origin": ORIGIN, **terms})
    return Checkpointing(
        Proofs(store), book or store.checkpoints, clock, Counters(CollectorRegistry()), chosen, signers
    )
