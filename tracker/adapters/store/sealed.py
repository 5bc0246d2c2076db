"""What of each row says something about a person, and stands sealed: which columns, under whose key, bound to what.

The values of a row's columns are sealed together, as one JSON object in its column `sealed`, and the columns themselves are
empty. A signed token is sealed where it stood. An entry's salt and private value are sealed together where the salt stood.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.exc import StatementError

from tracker.adapters.store.at_hand import KeyName, KeysAtHand, at_hand
from tracker.adapters.store.columns import Values, json_text
from tracker.adapters.store.key_tables import NO_CONSENT, USER_REFS
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft
from tracker.journal.private import SALT_BYTES


@dataclass(frozen=True, slots=True)
class Sealed:
    """What of a table's rows is sealed.

    Attributes:
        table: Which table.
        key: The columns that tell its rows apart.
        columns: What is sealed, and what stands there instead.
    """

    table: str
    key: tuple[str, ...]
    columns: Mapping[str, Any]

    def opened(self, row: Row[Any]) -> Mapping[str, Any]:
        """What a row says in these columns; nothing where the key is no more.

        Raises:
            ValueError: What is sealed was changed, or belongs elsewhere.
        """
        said = row._mapping  # noqa: SLF001 - the documented way to a row's mapping
        sealed = said["sealed"]
        if sealed is None:
            return {name: said[name] for name in self.columns}
        text = at_hand().opened(self._name_of(said), bytes(sealed), self._place(said))
        nothing = dict.fromkeys(self.columns)
        return nothing if text is None else nothing | json.loads(text)

    def hide(self, keys: KeysAtHand, values: Values) -> None:
        """Seal what of a row is to be sealed, in place; its key was made."""
        hidden = {name: values[name] for name in self.columns if values[name] is not None}
        values |= self.columns
        values["sealed"] = keys.sealed(self._name_of(values), _bytes(hidden), self._place(values)) if hidden else None

    @staticmethod
    def _name_of(values: Any) -> KeyName:
        return values["provider"], values["consent_id"] or NO_CONSENT

    def _place(self, values: Any) -> str:
        return "\n".join([self.table, *(values[name] for name in self.key), "sealed"])


CONSENT: Final = Sealed(
    "consent", ("tracking_id",), {"user_ref": None, "terms": None, "journey": None, "authorizers": None}
)
REPORT: Final = Sealed("report", ("digest",), {"terms": {}})
OTHER_EVENT: Final = Sealed("other_event", ("digest",), {"data": None})
PAYMENT: Final = Sealed(
    "payment", ("provider", "payment_id"), {"transaction_id": None, "amount": None, "currency": None}
)


def make_keys(keys: KeysAtHand, *some: Iterable[Mapping[str, Any]]) -> None:
    """See to it that there are keys for rows of consents, reports, events and payments, before these are sealed."""
    names: dict[KeyName, str | None] = {}
    for found in some:
        for values in found:
            name = (values["provider"], values["consent_id"] or NO_CONSENT)
            names[name] = values.get("tracking_id") or names.get(name)
            if values.get("user_ref") is not None:
                names.setdefault(USER_REFS, None)
    if names:
        keys.make(names)


def hide_as_before(keys: KeysAtHand, values: Values, kept: TrackedConsent) -> None:
    """Leave a consent's sealed values as they were read, if none of them is another now."""
    before, sealed, user_ref_hash = keys.seen.get(kept.tracking_id, (None, None, None))
    if before is None or kept.terms is not before.terms or kept.user_ref != before.user_ref:
        return
    if kept.journey == before.journey and kept.authorizers == before.authorizers:
        values |= CONSENT.columns
        values |= {"sealed": sealed, "user_ref_hash": user_ref_hash}


def hide_consent(keys: KeysAtHand, values: Values) -> None:
    """Seal what of a consent's row is to be sealed, in place, and hash its user's reference."""
    user_ref = values["user_ref"]
    values["user_ref_hash"] = None if user_ref is None else keys.user_ref_hash(user_ref)
    CONSENT.hide(keys, values)


def hide_token(keys: KeysAtHand, values: Values) -> None:
    """Seal a signed token in its row, in place, under the key of the consent that it is about."""
    name = (values["provider"], values["consent_id"])
    values["jws"] = keys.sealed(name, values["jws"], token_place(values["jws_sha256"]))


def token_place(jws_sha256: str) -> str:
    """What a sealed token is bound to."""
    return f"evidence\n{jws_sha256}\njws"


def name_of_entry(leaf_data: Mapping[str, Any]) -> KeyName:
    """Under whose key the private value of an entry stands, by the data of its leaf."""
    return leaf_data["provider"] or "", leaf_data["consent_id"] or leaf_data["tracking_id"] or NO_CONSENT


def hide_private(keys: KeysAtHand, name: KeyName, entry_id: str, private: Mapping[str, Any], salt: bytes) -> bytes:
    """Seal an entry's private value and its salt; the key was made."""
    return keys.sealed(name, salt + _bytes(dict(private)), _private_place(entry_id))


def hidden_private(drafts: Iterable[Draft]) -> dict[str, bytes]:
    """The private values and salts of drafts, sealed, by the ids of what will be entries."""
    named = [
        ((one.provider or "", one.consent_id or one.tracking_id or NO_CONSENT), one, one.private, one.private_salt)
        for one in drafts
    ]
    with_one = [(name, one, value, salt) for name, one, value, salt in named if value is not None and salt is not None]
    if not with_one:
        return {}
    keys = at_hand()
    keys.make({name: one.tracking_id for name, one, *_ in with_one})
    return {one.id: hide_private(keys, name, one.id, value, salt) for name, one, value, salt in with_one}


def private_of(leaf: Mapping[str, Any], sealed: bytes) -> tuple[Any, bytes | None]:
    """An entry's private value and its salt; nothing where the key is no more.

    Raises:
        ValueError: They were changed, or belong elsewhere.
    """
    opened = at_hand().opened(name_of_entry(leaf["data"]), sealed, _private_place(leaf["id"]))
    return (None, None) if opened is None else (json.loads(opened[SALT_BYTES:]), opened[:SALT_BYTES])


def _bytes(value: Any) -> bytes:
    try:
        return json_text(value).encode()
    except (TypeError, ValueError, RecursionError) as error:  # as SQLAlchemy tells of a value that cannot be bound
        raise StatementError(type(error).__name__, None, None, error, hide_parameters=True) from error


def _private_place(entry_id: str) -> str:
    return f"entry\n{entry_id}\nprivate_salt"
