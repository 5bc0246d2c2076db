"""Subscriptions in the database: their terms, their progress, and what each was not told."""

from sqlalchemy import Connection, delete, insert, or_, select, update

from tracker.adapters.store import appending, completions, leases, pulls, replays, rows
from tracker.adapters.store.differences import upsert
from tracker.adapters.store.subscription_tables import dead_letter, parked, subscription
from tracker.adapters.store.tables import journal, lease
from tracker.domain.subscription import Parked, Subscription
from tracker.ports import Progress, Undelivered, subscription_lease

_TERMS = frozenset(
    {
        "url",
        "entry_filter",
        "secret",
        "description",
        "include_private",
        "paused_at",
        "retired_secrets",
        "manner",
        "version",
    }
)
_TERMS |= {"sending", "challenge", "poll_format", "poll_visibility_seconds", "key_id", "completion"}
_SECRET = frozenset({"secret", "retired_secrets", "sending"})
_PLACE = frozenset({"cursor", "last_delivered_at"})
_TOLD = frozenset({"announced"})
_HELD = frozenset({"held_at", "held_until"})
_FIXED = frozenset({"id", "created_at"})


def add(connection: Connection, new: Subscription) -> None:
    """Keep a new subscription."""
    connection.execute(insert(subscription), rows.subscription_values(new))


def listed(connection: Connection) -> list[Subscription]:
    """All subscriptions, in order of id."""
    found, _ = rows.sorted_out(
        connection.execute(select(subscription).order_by(subscription.c.id)), rows.to_subscription
    )
    return found


def get(connection: Connection, subscription_id: str) -> Subscription | None:
    """One subscription."""
    row = connection.execute(select(subscription).where(subscription.c.id == subscription_id)).one_or_none()
    return None if row is None else rows.to_subscription(row)


def undelivered(connection: Connection, subscription_id: str, after: int, limit: int) -> list[Undelivered]:
    """What a subscription was not told behind a sequence."""
    found: list[Undelivered] = []
    for table, time in ((parked, "next_attempt_at"), (dead_letter, "given_up_at")):
        query = select(table).where(table.c.subscription_id == subscription_id, table.c.sequence > after)
        for row in connection.execute(query.order_by(table.c.sequence).limit(limit)):
            found.append(  # noqa: PERF401
                Undelivered(
                    sequence=row.sequence,
                    tracking_id=row.tracking_id,
                    attempts=row.attempts,
                    last_error=row.last_error,
                    answer=row.answer,
                    **{time: getattr(row, time)},
                )
            )
    return sorted(found, key=lambda one: one.sequence)[:limit]


def parked_of(connection: Connection, subscription_id: str) -> list[Parked]:
    """What a subscription has parked, in sequence."""
    query = select(parked).where(parked.c.subscription_id == subscription_id).order_by(parked.c.sequence)
    return [rows.to_parked(row) for row in connection.execute(query)]


def remove(connection: Connection, subscription_id: str) -> bool:
    """Forget one, what it had parked or lost, and who told it."""
    connection.execute(delete(lease).where(lease.c.name == subscription_lease(subscription_id)))
    gone = connection.execute(delete(subscription).where(subscription.c.id == subscription_id)).rowcount > 0
    replays.remove_of(connection, subscription_id)
    for table in (parked, dead_letter):
        connection.execute(delete(table).where(table.c.subscription_id == subscription_id))
    pulls.forget(connection, subscription_id)
    completions.forget(connection, subscription_id)
    return gone


def change(connection: Connection, changed: Subscription, at_version: int, *, is_anew: bool) -> bool:
    """Write the terms of one, its state if it begins anew, and raise its version; the rest is left to who tells it."""
    values = _all_but(changed, _PLACE | _TOLD | _FIXED)
    if not is_anew:
        values = {name: value for name, value in values.items() if name in _TERMS}
    values["version"] = at_version + 1
    there = update(subscription).where(subscription.c.id == changed.id, subscription.c.version == at_version)
    return connection.execute(there.values(values)).rowcount > 0


def write_secrets(connection: Connection, sealed: Subscription) -> bool:
    """Write the secrets of one in another form, unless its terms have changed since they were read: these are written anew."""
    values = {name: value for name, value in rows.subscription_values(sealed).items() if name in _SECRET}
    there = update(subscription).where(subscription.c.id == sealed.id, subscription.c.version == sealed.version)
    return connection.execute(there.values(values)).rowcount > 0


def save_progress(connection: Connection, progress: Progress, batch_id: str) -> tuple[bool, str | None]:
    """Write how far a subscription has come, all in one. Whether it is there; the batch's id if the journal has grown."""
    mine = progress.subscription
    if progress.held is not None:
        leases.require(connection, progress.held)
    # Whoever has told more than the journal has knows of a time that an older database does not know of: it begins anew.
    is_in_journal = select(journal.c.next_sequence).scalar_subquery() > mine.cursor
    may_move = or_(subscription.c.cursor >= mine.cursor, is_in_journal)
    moved = update(subscription).where(subscription.c.id == mine.id, may_move)
    known = moved.where(subscription.c.version == mine.version).values(_all_but(mine, _TERMS | _FIXED | _HELD))
    is_known = connection.execute(known).rowcount > 0
    if not is_known:
        # What was found out about the endpoint of before says nothing of the one that there is now.
        place = {name: value for name, value in rows.subscription_values(mine).items() if name in _PLACE}
        if not connection.execute(moved.values(place)).rowcount:
            return False, None
    _write_parked(connection, progress)
    if not is_known or progress.telling is None:
        return True, None
    appending.append(connection, batch_id, progress.telling.drafts, progress.telling.at)
    return True, batch_id


def _all_but(one: Subscription, names: frozenset[str]) -> rows.Values:
    return {name: value for name, value in rows.subscription_values(one).items() if name not in names}


def _write_parked(connection: Connection, progress: Progress) -> None:
    mine = progress.subscription.id
    gone = [*progress.settled, *(lost.sequence for lost in progress.given_up)]
    if gone:
        connection.execute(delete(parked).where(parked.c.subscription_id == mine, parked.c.sequence.in_(gone)))
    if progress.park:
        new = upsert(connection, parked)
        connection.execute(
            new.on_conflict_do_update(
                index_elements=["subscription_id", "sequence"],
                set_={name: new.excluded[name] for name in ("attempts", "next_attempt_at", "last_error", "answer")},
            ),
            [rows.parked_values(mine, waiting) for waiting in progress.park],
        )
    if progress.given_up:
        connection.execute(
            upsert(connection, dead_letter).on_conflict_do_nothing(),
            [
                {
                    "subscription_id": mine,
                    "sequence": lost.sequence,
                    "tracking_id": lost.tracking_id,
                    "attempts": lost.attempts,
                    "last_error": lost.last_error,
                    "given_up_at": lost.next_attempt_at,
                    "answer": lost.answer,
                }
                for lost in progress.given_up
            ],
        )
