"""Opening everything again, for an older version that knows no sealed values. All in the caller's transaction, or nothing."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, Row, Table, select, tuple_

from tracker.adapters.secret_keys import NO_KEYS, SecretKeys
from tracker.adapters.store.at_hand import keyed, with_their_keys
from tracker.adapters.store.columns import Values
from tracker.adapters.store.evidence import to_jws
from tracker.adapters.store.safe import LockedKeyError, Safe
from tracker.adapters.store.sealed import CONSENT, OTHER_EVENT, PAYMENT, REPORT, Sealed, private_of
from tracker.adapters.store.sealing import write_rows
from tracker.adapters.store.tables import consent, entry, evidence, other_event, payment, report
from tracker.domain.errors import ConfigurationError, InconsistentRowError

_AT_ONCE: Final = 1000


def unseal_all(connection: Connection, ring: SecretKeys | None) -> None:
    """Put every value back where it stood before it was sealed. What stands under a destroyed key stays away.

    Args:
        connection: In a transaction.
        ring: The keys over the keys of consents; None: there are none.

    Raises:
        ConfigurationError: Some keys cannot be opened with these.
    """
    try:
        keyed(Safe(ring or NO_KEYS), _unseal_all)(connection)
    except (LockedKeyError, InconsistentRowError, ValueError) as error:
        raise ConfigurationError(
            "The older schema has no place for sealed values, and not all of them can be opened, so nothing was changed. "
            f"{error} Put the keys back into at_rest_keys, then repeat."
        ) from error


def _unseal_all(connection: Connection) -> None:
    for table, what in ((consent, CONSENT), (report, REPORT), (other_event, OTHER_EVENT), (payment, PAYMENT)):
        _unseal(connection, table, what)
    key, columns = evidence.c.jws_sha256, (evidence.c.provider, evidence.c.jws, evidence.c.consent_id)
    for tokens in _batches(connection, (key,), (key, *columns), evidence.c.consent_id):
        changed = [{"its_jws_sha256": row.jws_sha256, "jws": to_jws(row) or b""} for row in tokens]
        write_rows(connection, evidence, ("jws_sha256",), changed)
    kept = (entry.c.sequence, entry.c.tracking_id, entry.c.leaf, entry.c.private, entry.c.private_salt)
    for entries in _batches(connection, (entry.c.sequence,), kept, entry.c.private_salt):
        sealed = [row for row in entries if row.private is None]
        write_rows(connection, entry, ("sequence",), [_entry_values(row) for row in sealed])


def _unseal(connection: Connection, table: Table, what: Sealed) -> None:
    names = dict.fromkeys((*what.key, "provider", "consent_id", *what.columns, "sealed"))
    for found in _batches(connection, [table.c[n] for n in what.key], [table.c[n] for n in names], table.c.sealed):
        changed = []
        for row in found:
            opened = what.opened(row)
            its = {f"its_{name}": getattr(row, name) for name in what.key}
            stood = {name: instead if opened[name] is None else opened[name] for name, instead in what.columns.items()}
            changed.append(its | stood)
        write_rows(connection, table, what.key, changed)


def _entry_values(row: Row[Any]) -> Values:
    private, salt = private_of(json.loads(row.leaf), bytes(row.private_salt))
    return {"its_sequence": row.sequence, "private": private, "private_salt": salt}


def _batches(
    connection: Connection, key: Sequence[Column[Any]], columns: Sequence[Column[Any]], there: Column[Any]
) -> Iterator[list[Row[Any]]]:
    """Rows in the order of their keys, some at once, with the keys that open them."""
    query = select(*columns).where(there.is_not(None)).order_by(*key).limit(_AT_ONCE)
    found = connection.execute(query).all()
    while found:
        yield with_their_keys(found)
        last = tuple_(*(getattr(found[-1], one.name) for one in key))
        found = connection.execute(query.where(tuple_(*key) > last)).all()
