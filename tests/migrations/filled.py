"""A database with something in every table."""

import sqlite3
from pathlib import Path

from tests.contract.facts import (
    IDS,
    START,
    a_consent,
    a_decision,
    a_payment,
    a_quarantined,
    a_report,
    a_subscription,
    an_evidence,
    an_item,
    an_other_event,
    draft_about,
    parked,
    some_authorizers,
    stored,
)
from tests.migrations import retained
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.store import Database, SqlStore
from tracker.adapters.store.tables import metadata
from tracker.domain.belief import Belief
from tracker.domain.completion import Work
from tracker.domain.consent import Channel, Status
from tracker.domain.export import ExportJob, ExportRequest
from tracker.domain.journey import Journey
from tracker.domain.lags import Lags
from tracker.domain.overlay import Overlay, Revocation
from tracker.domain.pull import OpenEntry, Window
from tracker.domain.replay import NotTaken, Replay, Selection, Wanted
from tracker.ports import (
    Access,
    ApiKey,
    Confirmation,
    Progress,
    Pulled,
    ReplayProgress,
    Told,
    Transaction,
    subscription_lease,
)


async def fill(database: Database) -> None:
    """Put at least one row into every table, and close."""
    store = SqlStore(database, SystemIds())
    asked_for = Revocation(revoked_by="TPP.InitiatedByUser", requested_at=START, due_at=START)
    journey, authorizers = Journey(returned_at=START, code_received=True), some_authorizers()
    overlay = Overlay(revocation=asked_for)
    consent = a_consent(terms={"name": "Zoë"}, user_ref="u", overlay=overlay, journey=journey, authorizers=authorizers)
    subscription = a_subscription()

    def script(transaction: Transaction) -> None:
        transaction.save(consent, a_decision(), next_ask_at=START, next_tick_at=START)
        transaction.add_report(stored(a_report(1), consent), an_evidence())
        transaction.add_other_event(an_other_event(), an_evidence())
        transaction.save_payment(a_payment())
        transaction.quarantine(a_quarantined())
        transaction.add_confirmation(
            Confirmation(
                tracking_id=consent.tracking_id,
                vouched_at=START,
                recorded_at=START,
                channel=Channel.POLL,
                status=Status.AUTHORIZED,
            )
        )
        believed = Belief(
            tracking_id=consent.tracking_id,
            recorded_at=START,
            after=None,
            entries=1,
            status=Status.AUTHORIZED,
            in_doubt=False,
            expiration_date_time=None,
        )
        transaction.beliefs.add([believed])
        transaction.append([draft_about(consent, private={"user_ref": "u"}, private_salt=b"s" * 32)], START)

    def about_providers(transaction: Transaction) -> None:
        transaction.providers.lock_ledger(consent.provider, START)
        transaction.providers.lock_health(consent.provider)
        transaction.providers.count_moves({(consent.provider, Told.POLL, START): Lags.of([1.5])})
        transaction.providers.await_events({1: START})

    await store.transact(script)
    await store.transact(about_providers)
    await store.extend_tree(10)
    await store.checkpoints.propose(1, bytes(32), after=None)
    await store.checkpoints.keep_note(1, "a note", START, before=None, vkeys=["a key"])
    await store.admit(an_item())
    await store.add_subscription(subscription)
    await store.save_progress(Progress(subscription=subscription, park=(parked(1),), given_up=(parked(2),)))
    window = Window(scanned=1, open=(OpenEntry(sequence=1, entry_id="e", tracking_id="t", handed_at=START),), turn=1)
    await store.save_pull(Pulled(subscription_id=subscription.id, window=window))
    asked = Work(
        subscription_id=subscription.id,
        sequence=1,
        work="data_deleted",
        entry_id="e",
        tracking_id=consent.tracking_id,
        provider=consent.provider,
        due_at=START,
    )
    assert await store.save_completion_watch(subscription, None, 1, [asked])
    again = Replay(
        id=subscription.id,
        subscription_id=subscription.id,
        selection=Selection(wanted=Wanted.MISSING, last=1),
        total=1,
        created_at=START,
    )
    await store.replays.add(again)
    failed = NotTaken(sequence=1, tracking_id="t", attempts=3, last_error="x", answer="y", failed_at=START)
    await store.replays.save(ReplayProgress(replay=again, not_taken=(failed,)))
    await store.accesses.add(
        Access(id=IDS.ordered(), at=START, who="a", what="consent.list", interaction_id="i", shown=1, shown_ids=("t",))
    )
    await retained.keep_some(store, consent)
    asked = ExportJob(id=subscription.id, request=ExportRequest(until=START), asked_by="a", created_at=START)
    assert await store.exports.add(asked)
    await store.hold_leases("somebody", [subscription_lease(subscription.id)], 60)
    await store.add_api_key(
        ApiKey(id="a", name="n", secret_sha256="0" * 64, scopes=frozenset({"read"}), created_at=START)
    )
    assert await store.sealing.step(100) is not None
    await store.close()


def counts(path: Path) -> dict[str, int]:
    """How many rows each of our tables has."""
    connection = sqlite3.connect(path)
    found = {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in sorted(metadata.tables)}
    connection.close()
    return found
