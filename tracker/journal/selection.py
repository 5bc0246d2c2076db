"""What of the journal an export holds: all of it, a stretch of it, or the entries about some consents.

A stretch is contiguous, and its place in the tree is shown by what lies beside it. Anything else is a filter, and each of its
entries brings a proof of its own.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tracker.journal.canonical import canonical
from tracker.journal.instant import parse_rfc3339, rfc3339
from tracker.journal.leaf import Form, form_fault, is_text, is_time, is_uuid

MOST_CONSENTS: Final = 10_000
"""So many consents may be chosen by one reference to a user; the manifest names each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was asked for; None wherever nothing was.

    Attributes:
        since: Recorded at this time or later.
        until: Recorded before it.
        provider: Of this data holder.
        kind: Of this kind of consent.
        consent_id: Of the consent that the provider calls so.
        user_ref: Of the consents that had this reference when the export began. Personal.
        tracking_ids: The consents that the two above mean; sorted.
    """

    since: datetime | None = None
    until: datetime | None = None
    provider: str | None = None
    kind: str | None = None
    consent_id: str | None = None
    user_ref: str | None = None
    tracking_ids: tuple[str, ...] | None = None

    @property
    def is_filter(self) -> bool:
        """Whether entries are left out between others."""
        return (self.provider, self.kind, self.tracking_ids) != (None, None, None)

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def needles(self) -> tuple[bytes, ...]:
        """Byte strings that are all in the canonical form of a leaf that passes, and in no other as far as members go.

        A quotation mark inside of a text is escaped: so a name with its quotation marks, a colon and a value is a member.
        `tracking_ids` is not among them.
        """
        wanted = {"provider": self.provider, "kind": self.kind}
        return tuple(
            b'"%b":%b' % (name.encode(), canonical(value)) for name, value in wanted.items() if value is not None
        )

    def fault(self, leaf: Mapping[str, Any]) -> str | None:
        """Say why an entry is not among those that were asked for; None when it is."""
        data = leaf["data"]
        if self.provider is not None and data["provider"] != self.provider:
            return "it is of another provider than was asked for"
        if self.kind is not None and data["kind"] != self.kind:
            return "it is of another kind than was asked for"
        if self.tracking_ids is not None and data["tracking_id"] not in self.tracking_ids:
            return "it is about another consent than was asked for"
        if self.since is not None and leaf["time"] < rfc3339(self.since):
            return "it was recorded before the time asked for"
        if self.until is not None and leaf["time"] >= rfc3339(self.until):
            return "it was recorded after the time asked for"
        return None

    def members(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "from": None if self.since is None else rfc3339(self.since),
            "to": None if self.until is None else rfc3339(self.until),
            "provider": self.provider,
            "kind": self.kind,
            "consent_id": self.consent_id,
            "user_ref": self.user_ref,
            "tracking_ids": None if self.tracking_ids is None else list(self.tracking_ids),
        }

    @property
    def told(self) -> str:
        """For people, in one line."""
        named = {name: value for name, value in self.members().items() if value is not None and name != "tracking_ids"}
        return ", ".join(f"{name} {value}" for name, value in named.items()) or "all that was not moved out"


def selection_of(members: Mapping[str, Any]) -> Selection:
    """Read what `members` wrote, once `selection_fault` has found nothing."""
    ids = members["tracking_ids"]
    return Selection(
        since=None if members["from"] is None else parse_rfc3339(members["from"]),
        until=None if members["to"] is None else parse_rfc3339(members["to"]),
        provider=members["provider"],
        kind=members["kind"],
        consent_id=members["consent_id"],
        user_ref=members["user_ref"],
        tracking_ids=None if ids is None else tuple(ids),
    )


def _or_null(form: Form) -> Form:
    return lambda value: value is None or form(value)


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MOST_CONSENTS and all(map(is_uuid, value)) and _rises(value)


def _rises(values: Iterable[str]) -> bool:
    before = ""
    for value in values:
        if value <= before:
            return False
        before = value
    return True


_SELECTION: Final[dict[str, Form]] = {
    "from": _or_null(is_time),
    "to": _or_null(is_time),
    "provider": _or_null(is_text),
    "kind": _or_null(is_text),
    "consent_id": _or_null(is_text),
    "user_ref": _or_null(is_text),
    "tracking_ids": _or_null(_are_ids),
}


def selection_fault(value: Any) -> str | None:
    """Say what keeps a JSON value from being a selection; None when it is one."""
    fault = form_fault(value, _SELECTION, "selection")
    if fault is not None:
        return fault
    is_named = value["consent_id"] is not None or value["user_ref"] is not None
    if is_named != (value["tracking_ids"] is not None):
        return "selection names consents and does not say which, or the other way round"
    if value["consent_id"] is not None and value["provider"] is None:
        return "selection names a consent of no provider"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What an export is of: fixed when it begins, however much is recorded while it is written.

    Attributes:
        journal_id: UUID of the journal.
        selection: What was asked for.
        first: The sequence of the first entry that may be in it; one more than `last` where there is none.
        last: The sequence of the last that may be.
        tree_size: How many entries the journal had: so many leaves has the tree that it is tied to.
    """

    journal_id: str
    selection: Selection
    first: int
    last: int
    tree_size: int

    @property
    def source(self) -> str:
        """The journal as a URN."""
        return f"urn:uuid:{self.journal_id}"

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole journal as it was; where the first entries were moved out of the database, none is."""
        return self.selection.is_everything and self.first == 1

    def members(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "journal_id": self.journal_id,
            "selection": self.selection.members(),
            "first": self.first,
            "last": self.last,
            "tree_size": self.tree_size,
        }


def part_of(members: Mapping[str, Any]) -> Part:
    """Read what `members` wrote."""
    return Part(**{**members, "selection": selection_of(members["selection"])})


def whole(journal_id: str, size: int) -> Part:
    """The whole of a journal with so many entries."""
    return Part(journal_id=journal_id, selection=Selection(), first=1, last=size, tree_size=size)


def as_text(members: Mapping[str, Any]) -> str:
    """Write small JSON for a file that only we read."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
