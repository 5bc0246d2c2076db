"""Payments under consents: one row each, with the latest word on it."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, select

from tracker.adapters.store import rows
from tracker.adapters.store.at_hand import at_hand, with_their_keys
from tracker.adapters.store.differences import upsert
from tracker.adapters.store.sealed import PAYMENT, make_keys
from tracker.adapters.store.tables import payment
from tracker.domain.payment import Payment
from tracker.ports import Name, PaymentKey

_KEY = ("provider", "payment_id")


def write(connection: Connection, found: Iterable[Payment]) -> None:
    """Insert or update, in the order of keys; what is there already under another consent stays as it is."""
    written = [rows.payment_values(one) for one in sorted(found, key=lambda one: one.key)]
    if not written:
        return
    keys = at_hand()
    make_keys(keys, written)
    for values in written:
        PAYMENT.hide(keys, values)
    new = upsert(connection, payment)
    changed = {name: new.excluded[name] for name in written[0] if name not in {*_KEY, "consent_id"}}
    is_same = payment.c.consent_id == new.excluded.consent_id
    connection.execute(new.on_conflict_do_update(index_elements=_KEY, set_=changed, where=is_same), written)


def listed(connection: Connection, name: Name, limit: int, after: str) -> Sequence[Payment]:
    """Payments under a consent, in order of their ids."""
    provider, consent_id = name
    theirs = and_(payment.c.provider == provider, payment.c.consent_id == consent_id, payment.c.payment_id > after)
    query = select(payment).where(theirs).order_by(payment.c.payment_id).limit(limit)
    return [rows.to_payment(row) for row in with_their_keys(connection.execute(query))]


def get(connection: Connection, key: PaymentKey) -> Payment | None:
    """One payment."""
    provider, payment_id = key
    query = select(payment).where(payment.c.provider == provider, payment.c.payment_id == payment_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else rows.to_payment(row)
