"""The keys that a piece of work on the database has at hand: read by the same connection as the values that they open.

Rows become what the domain knows far from where connections are, so the keys of a piece of work stand in a context variable
while it runs: `keyed` puts them there, `at_hand` finds them. They are forgotten with the work.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, bindparam, delete, select, update

from tracker.adapters.store.differences import written_over
from tracker.adapters.store.key_tables import NO_CONSENT, USER_REFS, consent_key
from tracker.adapters.store.many import among, insert_rows, texts
from tracker.adapters.store.safe import ConsentKey, Safe
from tracker.adapters.store.tables import consent
from tracker.domain.errors import StorageError
from tracker.domain.tracked import TrackedConsent

T = TypeVar("T")
KeyName = tuple[str, str]
"""Whose key it is: provider and consent id, registered or not; see `key_tables` for what else there is."""

_COLUMNS = (
    consent_key.c.provider,
    consent_key.c.consent_id,
    consent_key.c.tracking_id,
    consent_key.c.sealed_with,
    consent_key.c.key,
)


@cache  # made for each batch of events anew it would cost as much as asking
def _by_name(dialect: str) -> Select[Any]:
    its_provider = consent_key.c.provider == bindparam("provider")
    return select(*_COLUMNS).where(its_provider, among(dialect, consent_key.c.consent_id, "ids"))


@cache
def _by_tracking_id(dialect: str) -> Select[Any]:
    return select(*_COLUMNS).where(among(dialect, consent_key.c.tracking_id, "ids"))


class KeysAtHand:
    """The keys of one piece of work.

    Attributes:
        seen: Of consents that were read: what they said, how that stands sealed, and the hash of their user's reference.
    """

    def __init__(self, connection: Connection, safe: Safe) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._safe = safe
        self._keys: dict[KeyName, ConsentKey | None] = {}
        self._tracking: dict[KeyName, str | None] = {}
        self.seen: dict[str, tuple[TrackedConsent, bytes | None, bytes | None]] = {}

    # ------------------------------------------------------------------------------------------ reading

    def of(self, name: KeyName) -> ConsentKey | None:
        """The key of a name; None if there is none, or none any more."""
        if name not in self._keys:
            self.fetch([name])
        return self._keys[name]

    def know(self, name: KeyName, sealed_with: str | None, stored: bytes | None) -> None:
        """Take the key of a name that came with what it opens; None: there is none."""
        is_there = sealed_with is not None and stored is not None
        self._keys[name] = self._safe.opened(name, sealed_with or "", bytes(stored or b"")) if is_there else None

    def opened(self, name: KeyName, sealed: bytes, place: str) -> bytes | None:
        """A sealed value; None if its key is no more.

        Raises:
            ValueError: It was changed, or belongs elsewhere.
        """
        key = self.of(name)
        return None if key is None else key.open(sealed, place)

    def fetch(self, names: Iterable[KeyName]) -> None:
        """Read the keys of several names at once."""
        ids: dict[str, set[str]] = defaultdict(set)
        for name in names:
            if name not in self._keys:
                ids[name[0]].add(name[1])
                self._keys[name] = None
        for provider, theirs in ids.items():
            self._read(_by_name(self._dialect), theirs, provider=provider)

    def fetch_tracked(self, tracking_ids: Collection[str]) -> None:
        """Read the keys of several consents at once."""
        if tracking_ids:
            self._read(_by_tracking_id(self._dialect), tracking_ids)

    def _read(self, query: Any, ids: Collection[str], **named: str) -> None:
        for row in self._connection.execute(query, {"ids": texts(self._dialect, set(ids)), **named}):
            name = (row.provider, row.consent_id)
            self._keys[name] = self._safe.opened(name, row.sealed_with, bytes(row.key))
            self._tracking[name] = row.tracking_id

    # ------------------------------------------------------------------------------------------ writing

    def make(self, names: Mapping[KeyName, str | None]) -> None:
        """See to it that there are keys for these names, and that they know the consents whose keys they are.

        Whoever makes a key holds its name, or is run again if another made it at the same time.
        """
        self.fetch(names)
        new: list[dict[str, Any]] = []
        for name, tracking_id in sorted(names.items(), key=lambda one: one[0]):
            if self._keys[name] is None:
                sealed_with, stored = self._safe.new(name)
                self._keys[name] = self._safe.opened(name, sealed_with, stored)
                self._tracking[name] = tracking_id
                new.append(
                    {
                        "provider": name[0],
                        "consent_id": name[1],
                        "tracking_id": tracking_id,
                        "sealed_with": sealed_with,
                        "key": stored,
                    }
                )
            elif tracking_id is not None and self._tracking[name] is None:
                mine = (consent_key.c.provider == name[0], consent_key.c.consent_id == name[1])
                with written_over(self._connection):
                    self._connection.execute(update(consent_key).where(*mine).values(tracking_id=tracking_id))
                self._tracking[name] = tracking_id
        insert_rows(self._connection, consent_key, new)

    def sealed(self, name: KeyName, value: bytes, place: str) -> bytes:
        """Seal a value under the key of a name; `make` has made it.

        Raises:
            LookupError: There is no such key.
        """
        key = self._keys[name]
        if key is None:
            raise LookupError(name)
        return key.seal(value, place)

    def user_ref_hash(self, user_ref: str) -> bytes | None:
        """By what a consent is found by its user's reference; None if none was ever hashed."""
        key = self.of(USER_REFS)
        return None if key is None else key.hash(user_ref)

    def destroy(self, tracking_id: str) -> bool:
        """Destroy the key of a consent that is held, and the hash of its user's reference; say whether there was one."""
        query = select(consent.c.provider, consent.c.consent_id).where(consent.c.tracking_id == tracking_id)
        named = self._connection.execute(query).one_or_none()
        is_its = consent_key.c.tracking_id == tracking_id
        if named is not None:
            by_name = (consent_key.c.provider == named.provider) & (consent_key.c.consent_id == named.consent_id)
            is_its |= by_name & consent_key.c.tracking_id.is_(None)
        with written_over(self._connection):
            gone = self._connection.execute(delete(consent_key).where(is_its)).rowcount
        mine = consent.c.tracking_id == tracking_id
        self._connection.execute(update(consent).where(mine).values(user_ref_hash=None))
        self._keys.clear()
        self._tracking.clear()
        self.seen.pop(tracking_id, None)
        return gone > 0


_AT_HAND: ContextVar[KeysAtHand] = ContextVar("keys at hand")


def at_hand() -> KeysAtHand:
    """The keys of the work that runs.

    Raises:
        StorageError: None runs.
    """
    try:
        return _AT_HAND.get()
    except LookupError as error:
        raise StorageError("A value that is sealed was read where no keys are at hand.") from error


def keyed(safe: Safe, work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Let a piece of work have keys at hand."""

    def with_keys(connection: Connection) -> T:
        before = _AT_HAND.set(KeysAtHand(connection, safe))
        try:
            return work(connection)
        finally:
            _AT_HAND.reset(before)

    return with_keys


def with_their_keys(found: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Rows of consents, reports, events, payments, tokens or entries, when their keys have been read, all at once."""
    kept = list(found)
    names: set[KeyName] = set()
    tracked: set[str] = set()
    for row in kept:
        is_sealed = (
            row.private is None and row.private_salt is not None
            if hasattr(row, "private_salt")
            else _may_be_sealed(row)
        )
        if not is_sealed:
            continue
        if (tracking_id := getattr(row, "tracking_id", None)) is not None:
            tracked.add(tracking_id)
        elif hasattr(row, "provider"):
            names.add((row.provider, row.consent_id or NO_CONSENT))
    if names:
        at_hand().fetch(names)
    if tracked:
        at_hand().fetch_tracked(tracked)
    return kept


def _may_be_sealed(row: Row[Any]) -> bool:
    return getattr(row, "sealed", row.consent_id) is not None
