"""Leases: who does what only one may do at a time, by the database's clock, with a number that fences the others off."""

from collections.abc import Collection

from sqlalchemy import Connection, case, delete, or_, select, update

from tracker.adapters.store.differences import database_now, upsert
from tracker.adapters.store.tables import lease
from tracker.domain.errors import LeaseLostError
from tracker.ports import PROCESS_PREFIX, Held

_KEPT_SECONDS = 86_400.0


def hold(connection: Connection, holder: str, names: Collection[str], seconds: float) -> dict[str, Held]:
    """Take or renew what nobody else holds; give what is held now."""
    if not names:
        return {}
    if seconds > 0:
        _shorten(connection, seconds)
    new = upsert(connection, lease)
    is_mine = lease.c.holder == new.excluded.holder
    statement = new.on_conflict_do_update(
        index_elements=["name"],
        set_={
            "holder": new.excluded.holder,
            "epoch": case((is_mine, lease.c.epoch), else_=lease.c.epoch + 1),
            "leased_until": new.excluded.leased_until,
        },
        where=or_(is_mine, lease.c.leased_until <= database_now(connection)),
    ).returning(lease.c.name, lease.c.epoch)
    until = database_now(connection, seconds)
    # In one order, so that two who take the same ones do not wait for each other crosswise.
    wanted = [{"name": name, "holder": holder, "epoch": 1, "leased_until": until} for name in sorted(names)]
    return {row.name: Held(row.name, row.epoch) for row in connection.execute(statement.values(wanted))}


def _shorten(connection: Connection, seconds: float) -> None:
    """End in time what no lease can last for: the database's clock was stepped back, and its holder may have died before."""
    is_too_long = lease.c.leased_until > database_now(connection, 2 * seconds)
    connection.execute(update(lease).where(is_too_long).values(leased_until=database_now(connection, seconds)))


def let_go(connection: Connection, holder: str, names: Collection[str]) -> None:
    """Let others have them at once. The rows stay: their epochs go on."""
    mine = lease.c.name.in_(sorted(names)), lease.c.holder == holder
    connection.execute(update(lease).where(*mine).values(leased_until=database_now(connection)))


def held(connection: Connection) -> set[str]:
    """The names of all leases that are held now."""
    is_held = lease.c.leased_until > database_now(connection)
    return set(connection.execute(select(lease.c.name).where(is_held)).scalars())


def forget_the_dead(connection: Connection) -> None:
    """Forget processes that are long gone. What they had held keeps its row, and its epoch."""
    is_process, long_ago = lease.c.name.startswith(PROCESS_PREFIX), database_now(connection, -_KEPT_SECONDS)
    connection.execute(delete(lease).where(is_process, lease.c.leased_until < long_ago))


def require(connection: Connection, held: Held) -> None:
    """Stop who has lost a lease, and keep it from changing hands until the end of the transaction.

    Raises:
        LeaseLostError: Somebody else has held it since.
    """
    mine = lease.c.name == held.name, lease.c.epoch == held.epoch
    if connection.execute(select(lease.c.name).where(*mine).with_for_update(read=True)).first() is None:
        raise LeaseLostError
