"""What is looked up and taken all the time, whatever the size of a batch: each statement is built once, and has one text."""

from functools import cache
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, case, delete, select, union_all, update

from tracker.adapters.store.columns import Instant
from tracker.adapters.store.differences import unindexed
from tracker.adapters.store.key_tables import consent_key
from tracker.adapters.store.many import among, each
from tracker.adapters.store.tables import (
    api_key,
    consent,
    identity,
    inbox,
    journal,
    other_event,
    payment,
    report,
)
from tracker.domain.consent import OPEN, Channel

_CONSENT_ID: Final = "consent_id"
_HOLDERS: Final = tuple(channel.value for channel in Channel if channel.is_holders_word)

TAKE_HEAD: Final = (
    update(journal)
    .values(
        next_sequence=journal.c.next_sequence + bindparam("count"),
        recorded_at=case(
            (journal.c.recorded_at > bindparam("now", type_=Instant()), journal.c.recorded_at),
            else_=bindparam("now", type_=Instant()),
        ),
    )
    .returning(journal.c.next_sequence, journal.c.recorded_at, journal.c.journal_id)
)
"""Move the journal's head on by `count`; its time is `now`, or stays if our clock was ahead of that."""


_ITS_KEY: Final = and_(consent_key.c.provider == consent.c.provider, consent_key.c.consent_id == consent.c.consent_id)
_WITH_ITS_KEY: Final = select(consent, consent_key.c.sealed_with, consent_key.c.key)

CONSENT_BY_NAME: Final = (
    _WITH_ITS_KEY.join(identity, identity.c.tracking_id == consent.c.tracking_id)
    .outerjoin(consent_key, _ITS_KEY)
    .where(
        identity.c.provider == bindparam("provider"),
        identity.c.kind == _CONSENT_ID,
        identity.c.value == bindparam("name"),
    )
)
CONSENT_BY_KEY: Final = (
    _WITH_ITS_KEY.select_from(consent).outerjoin(consent_key, _ITS_KEY).where(consent.c.tracking_id == bindparam("key"))
)
API_KEY: Final = select(api_key).where(api_key.c.id == bindparam("key"))


@cache
def consents_by_name(dialect: str) -> Select[Any]:
    """Hold the consents of one `provider` that are called `ids`, in the order of their keys."""
    return (
        select(consent)
        .join(identity, identity.c.tracking_id == consent.c.tracking_id)
        .where(
            identity.c.provider == bindparam("provider"),
            identity.c.kind == _CONSENT_ID,
            among(dialect, identity.c.value, "ids"),
        )
        .order_by(consent.c.tracking_id)
        .with_for_update(of=consent)
    )


@cache
def consents_by_key(dialect: str) -> Select[Any]:
    """Hold the consents with the keys `ids`, in their order."""
    return (
        select(consent)
        .where(among(dialect, consent.c.tracking_id, "ids"))
        .order_by(consent.c.tracking_id)
        .with_for_update(of=consent)
    )


@cache
def chain(dialect: str) -> Select[Any]:
    """Hold the consents of one `provider` that name `root` for the first of their chain and have not ended, it, and `ids`."""
    renewals: Select[Any] = select(consent.c.tracking_id).where(
        consent.c.base_consent_id == bindparam("root"),
        unindexed(dialect, consent.c.provider) == bindparam("provider"),
        unindexed(dialect, consent.c.status).in_(sorted(OPEN)),
    )
    first: Select[Any] = select(identity.c.tracking_id).where(
        identity.c.provider == bindparam("provider"),
        identity.c.kind == _CONSENT_ID,
        identity.c.value == bindparam("root"),
    )
    theirs = union_all(renewals, first, each(dialect, "ids"))
    return (
        select(consent)
        .where(consent.c.tracking_id.in_(theirs))
        .order_by(consent.c.tracking_id)
        .with_for_update(of=consent)
    )


@cache
def roots(dialect: str) -> Select[Any]:
    """Which of `ids` are named by others of one `provider` as the root of their chain."""
    named: Select[Any] = select(consent.c.base_consent_id).distinct()
    return named.where(
        among(dialect, consent.c.base_consent_id, "ids"),
        unindexed(dialect, consent.c.provider) == bindparam("provider"),
    )


@cache
def known_digests(dialect: str) -> Any:
    """Which of `digests` are on record, as reports or as other events."""
    return union_all(
        *(select(table.c.digest).where(among(dialect, table.c.digest, "digests")) for table in (report, other_event))
    )


@cache
def known_claims(dialect: str) -> Select[Any]:
    """The holders' claims on record about the consents `ids`."""
    told: Select[Any] = select(report.c.tracking_id, report.c.status, report.c.status_date_time)
    return told.distinct().where(among(dialect, report.c.tracking_id, "ids"), report.c.channel.in_(_HOLDERS))


@cache
def waiting_reports(dialect: str) -> Select[Any]:
    """Reports about consents of one `provider` that are called `ids` and were not registered, in the order of receipt."""
    return (
        select(report)
        .where(
            report.c.tracking_id.is_(None),
            report.c.provider == bindparam("provider"),
            among(dialect, report.c.consent_id, "ids"),
        )
        .order_by(report.c.received_at, report.c.digest)
    )


@cache
def inbox_items(dialect: str) -> Select[Any]:
    """Hold the items `ids` of the inbox, in their order."""
    return select(inbox.c.id).where(among(dialect, inbox.c.id, "ids")).order_by(inbox.c.id).with_for_update()


@cache
def inbox_bodies(dialect: str) -> Select[Any]:
    """The bodies of the items `ids` of the inbox."""
    return select(inbox.c.id, inbox.c.body).where(among(dialect, inbox.c.id, "ids"))


@cache
def drop_inbox(dialect: str) -> Any:
    """Take the items `ids` out of the inbox."""
    return delete(inbox).where(among(dialect, inbox.c.id, "ids"))


@cache
def payments_by_key(dialect: str) -> Select[Any]:
    """Hold the payments `ids` of one `provider`, in the order of their keys."""
    return (
        select(payment)
        .where(payment.c.provider == bindparam("provider"), among(dialect, payment.c.payment_id, "ids"))
        .order_by(payment.c.payment_id)
        .with_for_update(of=payment)
    )


@cache
def payments_under(dialect: str) -> Select[Any]:
    """Payments under the consents of one `provider` that are called `ids`."""
    return (
        select(payment)
        .where(payment.c.provider == bindparam("provider"), among(dialect, payment.c.consent_id, "ids"))
        .order_by(payment.c.payment_id)
    )
