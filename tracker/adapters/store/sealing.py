"""Sealing what stands in the database as it should not any more: in batches, each a transaction, from where the last one ended.

Two things are gone through. Keys of consents stand under a key of the ring that is not the first, or under none: an index finds
them. And rows that were written before there were keys: table by table in the order of keys, once; how far, stands in `sealing`.
Any number of processes may do it at once: one has the table in hand, and the others find that there is nothing to do.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)

from tracker.adapters.store.at_hand import KeysAtHand, at_hand
from tracker.adapters.store.columns import Values
from tracker.adapters.store.differences import upsert, written_over
from tracker.adapters.store.key_tables import NO_CONSENT, consent_key, sealing
from tracker.adapters.store.safe import Safe
from tracker.adapters.store.sealed import (
    CONSENT,
    OTHER_EVENT,
    PAYMENT,
    REPORT,
    Sealed,
    hide_consent,
    hide_private,
    hide_token,
    make_keys,
    name_of_entry,
)
from tracker.adapters.store.tables import consent, entry, evidence, other_event, payment, report
from tracker.ports import AtRest, SealingStep

_SEPARATOR: Final = "\n"
_KEYS: Final = "consent_key"


@dataclass(frozen=True, slots=True)
class _Part:
    """A table to go through.

    Attributes:
        table: Which.
        key: Its key, in whose order it is read.
        columns: What is read of it besides.
        is_plain: Says of a row in the database whether anything in it is to be sealed.
        seal: Seals what is to be sealed of some rows; gives how many it was.
    """

    table: Table
    key: tuple[str, ...]
    columns: tuple[ColumnElement[Any], ...]
    is_plain: ColumnElement[bool]
    seal: Callable[[Connection, Sequence[Row[Any]]], int]

    def after(self, position: str) -> list[ColumnElement[bool]]:
        """The rows behind a position."""
        if not position:
            return []
        values = position.split(_SEPARATOR)
        columns = [self.table.c[name] for name in self.key]
        if len(columns) == 1:
            return [columns[0] > (int(values[0]) if columns[0] is entry.c.sequence else values[0])]
        return [tuple_(*columns) > tuple_(*values)]

    def position(self, row: Row[Any]) -> str:
        """Where a row stands."""
        return _SEPARATOR.join(str(row._mapping[name]) for name in self.key)  # noqa: SLF001 - documented


def seal_some(connection: Connection, safe: Safe, limit: int) -> SealingStep | None:
    """Seal up to so many rows; None: there is nothing left to seal, or another process is at it."""
    with written_over(connection):
        return _seal_keys(connection, safe, limit) or _go_on(connection, limit)


def begin_anew(connection: Connection) -> None:
    """Have all rows gone through once more."""
    connection.execute(delete(sealing))


def is_done(connection: Connection, safe: Safe) -> bool:
    """Whether there is nothing left to seal."""
    finished = set(connection.execute(select(sealing.c.name).where(sealing.c.is_finished == 1)).scalars())
    others = select(consent_key.c.id).where(consent_key.c.sealed_with.in_(["", *safe.ring.kids[1:]])).limit(1)
    are_keys_done = not safe.ring.kids or connection.execute(others).first() is None
    return are_keys_done and finished >= {part.table.name for part in PARTS}


def at_rest(connection: Connection, safe: Safe) -> AtRest:
    """How everything stands that is to be sealed."""
    by_key = select(consent_key.c.sealed_with, func.count()).group_by(consent_key.c.sealed_with)
    keys: dict[str, int] = {row[0]: row[1] for row in connection.execute(by_key)}
    ring = safe.ring.kids
    finished = set(connection.execute(select(sealing.c.name).where(sealing.c.is_finished == 1)).scalars())
    plain = {
        part.table.name: connection.execute(
            select(func.count()).select_from(part.table).where(part.is_plain)
        ).scalar_one()
        for part in PARTS
        if part.table.name not in finished
    }
    return AtRest(
        keys=sum(keys.values()),
        bare_keys=keys.get("", 0),
        old_keys=sum(count for kid, count in keys.items() if kid in ring[1:]),
        locked_keys={kid: count for kid, count in keys.items() if kid and kid not in ring},
        plain_rows={name: count for name, count in plain.items() if count},
    )


def missing_ring_keys(connection: Connection, kids: Collection[str]) -> list[str]:
    """The ids of keys of the ring that are needed and are not among these; found without reading all keys."""
    needed: list[str] = []
    kid: str | None = connection.execute(select(func.min(consent_key.c.sealed_with))).scalar()
    while kid is not None:
        if kid and kid not in kids:
            needed.append(kid)
        beyond = select(func.min(consent_key.c.sealed_with)).where(consent_key.c.sealed_with > kid)
        kid = connection.execute(beyond).scalar()
    return needed


def _seal_keys(connection: Connection, safe: Safe, limit: int) -> SealingStep | None:
    """Seal keys anew that are not under the first key of the ring; those that no key opens stay as they are."""
    kids = safe.ring.kids
    if not kids:
        return None
    others = ["", *kids[1:]]
    query = select(consent_key).where(consent_key.c.sealed_with.in_(others)).order_by(consent_key.c.id).limit(limit)
    found = connection.execute(query.with_for_update(skip_locked=True)).all()
    if not found:
        return None
    changed: list[Values] = []
    for row in found:
        sealed_with, key = safe.again((row.provider, row.consent_id), row.sealed_with, bytes(row.key))
        changed.append({"its_id": row.id, "sealed_with": sealed_with, "key": key})
    write_rows(connection, consent_key, ("id",), changed)
    return SealingStep(table=_KEYS, sealed=len(found), is_last=False)


def _go_on(connection: Connection, limit: int) -> SealingStep | None:
    """Go on with the first table that was not gone through to its end."""
    finished = set(connection.execute(select(sealing.c.name).where(sealing.c.is_finished == 1)).scalars())
    for part in PARTS:
        if part.table.name not in finished:
            return _go_through(connection, part, limit)
    return None


def _go_through(connection: Connection, part: _Part, limit: int) -> SealingStep | None:
    name = part.table.name
    new = upsert(connection, sealing).values(name=name, position="", done=0, is_finished=0)
    connection.execute(new.on_conflict_do_nothing())
    at = select(sealing).where(sealing.c.name == name, sealing.c.is_finished == 0)
    held = connection.execute(at.with_for_update(skip_locked=True)).one_or_none()
    if held is None:
        return None
    key = [part.table.c[one] for one in part.key]
    query = select(*key, *part.columns).where(*part.after(held.position)).order_by(*key).limit(limit)
    found = connection.execute(query.with_for_update(of=part.table)).all()
    count = part.seal(connection, found)
    come = {"position": part.position(found[-1])} if found else {}
    is_last = len(found) < limit
    step = update(sealing).where(sealing.c.name == name)
    connection.execute(step.values(done=sealing.c.done + count, is_finished=int(is_last), **come))
    return SealingStep(table=name, sealed=count, is_last=is_last)


# ---------------------------------------------------------------------------------------------- what is done to rows


def _seal_rows(
    table: Table, what: Sealed, hide: Callable[[KeysAtHand, Values], None], also: tuple[str, ...] = ()
) -> Callable[[Connection, Sequence[Row[Any]]], int]:
    written = (*what.columns, "sealed", *also)

    def seal(connection: Connection, found: Sequence[Row[Any]]) -> int:
        all_of_them = [dict(row._mapping) for row in found]  # noqa: SLF001 - the documented way to a row's mapping
        plain = [
            values for values in all_of_them if values["sealed"] is None and any(values[name] for name in what.columns)
        ]
        keys = at_hand()
        make_keys(keys, plain)
        for values in plain:
            hide(keys, values)
        changed = [
            {f"its_{name}": values[name] for name in what.key} | {name: values[name] for name in written}
            for values in plain
        ]
        write_rows(connection, table, what.key, changed)
        tokens = {one["jws_sha256"]: (one["provider"], one["consent_id"]) for one in all_of_them if "jws_sha256" in one}
        return len(plain) + (0 if table is payment else _seal_tokens(connection, tokens))

    return seal


def _seal_tokens(connection: Connection, named: dict[str, tuple[str, str | None]]) -> int:
    mine = (evidence.c.jws_sha256.in_(sorted(filter(None, named))), evidence.c.consent_id.is_(None))
    columns = (evidence.c.jws_sha256, evidence.c.provider, evidence.c.jws)
    query = select(*columns).where(*mine).order_by(evidence.c.jws_sha256).with_for_update()
    found = [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - documented
    return _write_tokens(
        connection, [values | {"consent_id": named[values["jws_sha256"]][1] or NO_CONSENT} for values in found]
    )


def _seal_other_tokens(connection: Connection, found: Sequence[Row[Any]]) -> int:
    """Tokens that no report and no other event rests on."""
    plain = [row for row in found if row.consent_id is None]
    return _write_tokens(connection, [dict(row._mapping) | {"consent_id": NO_CONSENT} for row in plain])  # noqa: SLF001


def _write_tokens(connection: Connection, tokens: list[Values]) -> int:
    keys = at_hand()
    make_keys(keys, tokens)
    for values in tokens:
        values["jws"] = bytes(values["jws"])
        hide_token(keys, values)
    changed = [
        {"its_jws_sha256": one["jws_sha256"], "jws": one["jws"], "consent_id": one["consent_id"]} for one in tokens
    ]
    write_rows(connection, evidence, ("jws_sha256",), changed)
    return len(tokens)


def _seal_entries(connection: Connection, found: Sequence[Row[Any]]) -> int:
    plain = [(row, name_of_entry(json.loads(row.told)["data"])) for row in found if row.private is not None]
    keys = at_hand()
    if plain:
        keys.make({name: row.tracking_id for row, name in plain})
    changed = [
        {
            "its_sequence": row.sequence,
            "private": None,
            "private_salt": hide_private(keys, name, row.id, row.private, bytes(row.private_salt)),
        }
        for row, name in plain
    ]
    write_rows(connection, entry, ("sequence",), changed)
    return len(plain)


def write_rows(connection: Connection, table: Table, key: Sequence[str], changed: Sequence[Values]) -> None:
    """Change rows that are found by their keys: the values that begin with `its_`."""
    if not changed:
        return
    mine = and_(*(table.c[name] == bindparam(f"its_{name}") for name in key))
    names = [name for name in changed[0] if not name.startswith("its_")]
    connection.execute(update(table).where(mine).values({name: bindparam(name) for name in names}), changed)


def _part_of(table: Table, what: Sealed, *besides: str, hide: Any = None, also: tuple[str, ...] = ()) -> _Part:
    names = dict.fromkeys(("provider", "consent_id", *what.columns, "sealed", *besides))
    said = [table.c[name].is_not(None) for name, instead in what.columns.items() if instead is None]
    return _Part(
        table=table,
        key=what.key,
        columns=tuple(table.c[name] for name in names if name not in what.key),
        is_plain=and_(table.c.sealed.is_(None), or_(*said)) if said else table.c.sealed.is_(None),
        seal=_seal_rows(table, what, hide or what.hide, also),
    )


PARTS: Final = (
    _part_of(consent, CONSENT, hide=hide_consent, also=("user_ref_hash",)),
    _part_of(report, REPORT, "tracking_id", "jws_sha256"),
    _part_of(other_event, OTHER_EVENT, "jws_sha256"),
    _part_of(payment, PAYMENT),
    _Part(
        table=evidence,
        key=("jws_sha256",),
        columns=(evidence.c.provider, evidence.c.jws, evidence.c.consent_id),
        is_plain=evidence.c.consent_id.is_(None),
        seal=_seal_other_tokens,
    ),
    _Part(
        table=entry,
        key=("sequence",),
        columns=(
            entry.c.id,
            entry.c.tracking_id,
            entry.c.private,
            entry.c.private_salt,
            case((entry.c.private.is_not(None), entry.c.leaf)).label("told"),
        ),
        is_plain=entry.c.private.is_not(None),
        seal=_seal_entries,
    ),
)
"""In this order: consents tell which keys are whose, and reports which tokens are about whom."""
