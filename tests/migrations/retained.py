"""What retention keeps: something in each of its tables, and what revision 0022 leaves of it below."""

from sqlalchemy import Connection, insert

from tests.contract.facts import START, a_consent, a_decision
from tracker.adapters.store import migrate
from tracker.adapters.store.retention_tables import journal_detached
from tracker.adapters.store.store import SqlStore
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Transaction
from tracker.ports.retention import Erasure, Hold, Tombstone

BEFORE_0022 = "0022-1"
"""The revision before it, whichever that is."""
GONE = a_consent("gone")
HOLD = "a hold"


async def keep_some(store: SqlStore, consent: TrackedConsent) -> Tombstone:
    """Hold a consent, have it erased later, and let another one go of which something was heard afterwards."""
    hold = Hold(id=HOLD, tracking_id=consent.tracking_id, reason="x", placed_by="y", placed_at=START)
    wanted = Erasure(tracking_id=consent.tracking_id, requested_by="y", requested_at=START, look_at=START)

    def script(transaction: Transaction) -> None:
        transaction.save(GONE, a_decision(), next_ask_at=None, next_tick_at=None)
        transaction.disposals.place_hold(hold)
        transaction.disposals.look_at_clock(START)
        transaction.disposals.ask_for(wanted)

    def let_go(transaction: Transaction) -> None:
        transaction.lock_tracked([GONE.tracking_id])
        transaction.disposals.dispose(GONE, START)
        transaction.disposals.note_late("0" * 64, TOMBSTONE, START)

    await store.transact(script)
    await store.transact(let_go)
    part = {"name": "entry_before_2", "below": 2, "detached_at": START}
    await store._write(lambda connection: connection.execute(insert(journal_detached), part))
    return TOMBSTONE


TOMBSTONE = Tombstone(
    tracking_id=GONE.tracking_id,
    provider=GONE.provider,
    consent_id=GONE.consent_id,
    kind=GONE.kind,
    disposed_at=START,
)


def down_and_up(connection: Connection) -> None:
    """What has gone is gone, and its name is free again."""
    migrate.downgrade(connection, BEFORE_0022)
    found = connection.exec_driver_sql("SELECT count(*) FROM consent").scalar()
    assert found == 1
    migrate.upgrade(connection)
