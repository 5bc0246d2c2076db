"""What is about one consent, in tables that do not say so by its key: found by its name, and by what its entries rest on."""

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select

from tracker.adapters.store.key_tables import NO_CONSENT
from tracker.adapters.store.tables import entry, evidence, other_event, payment, report
from tracker.domain.tracked import TrackedConsent


def named(table: Table, kept: TrackedConsent) -> ColumnElement[bool]:
    """Rows that name it."""
    return and_(table.c.provider == kept.provider, table.c.consent_id == kept.consent_id)


def of_its_tokens(connection: Connection, kept: TrackedConsent) -> ColumnElement[bool]:
    """Rows of `evidence` that are about it.

    A token speaks of one consent, in every profile. One that stands under the key of another consent is not its own, whatever
    names it; one of an older version does not say yet whose it is.
    """
    its_own = or_(
        evidence.c.consent_id.is_(None),
        evidence.c.consent_id == kept.consent_id,
        evidence.c.consent_id == NO_CONSENT,
    )
    return and_(evidence.c.jws_sha256.in_(_tokens(connection, kept)), evidence.c.provider == kept.provider, its_own)


def _tokens(connection: Connection, kept: TrackedConsent) -> list[str]:
    """The tokens that its records rest on, and its entries: a payment's record names only the last one."""
    resting = (
        (report, report.c.tracking_id == kept.tracking_id),
        (report, and_(report.c.tracking_id.is_(None), named(report, kept))),
        (payment, named(payment, kept)),
        (other_event, named(other_event, kept)),
    )
    found: set[str | None] = set()
    for table, which in resting:
        found |= set(connection.execute(select(table.c.jws_sha256).where(which)).scalars())
    for leaf in connection.execute(select(entry.c.leaf).where(entry.c.tracking_id == kept.tracking_id)).scalars():
        said: Any = json.loads(bytes(leaf))
        found |= {proof["jws_sha256"] for proof in said["data"]["evidence"]}
    return sorted(token for token in found if token is not None)
