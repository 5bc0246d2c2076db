"""A made-up ecosystem in which libraries hold reading cards. Nothing in it is spelt, timed or shaped as in any real one.

Statuses are everyday words, times are whole seconds since 1970, an event is `news` around a card and bears no envelope of
metadata, the answer to a question is the bare card. Its holders answer an event with 204, may change when a card ends, and
need one minute until their shelves agree with their messengers. What runs with `LIBRARY_CARDS` knows no real ecosystem.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from tracker.domain.consent import Status, is_consent_id
from tracker.domain.moves import Rules
from tracker.profiles.around import Granted, Labels, Shelf, Shown
from tracker.profiles.profile import (
    Event,
    Family,
    Kind,
    Profile,
    Push,
    Refusal,
    RefusalMeaning,
    RevokeCall,
    Snapshot,
    UnreadableMessageError,
)

KIND: Final = "library-card"
WORDS: Final = MappingProxyType(
    {
        "asked for": Status.AWAITING_AUTHORIZATION,
        "granted": Status.AUTHORIZED,
        "held": Status.SUSPENDED,
        "refused": Status.REJECTED,
        "lapsed": Status.EXPIRED,
        "handed back": Status.REVOKED,
    }
)
_MOVES: Final = {
    Status.NOT_STAGED: frozenset(WORDS.values()),
    Status.AWAITING_AUTHORIZATION: frozenset({Status.AUTHORIZED, Status.REJECTED}),
    Status.AUTHORIZED: frozenset({Status.SUSPENDED, Status.EXPIRED, Status.REVOKED}),
    Status.SUSPENDED: frozenset({Status.AUTHORIZED, Status.EXPIRED, Status.REVOKED}),
}
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999


def a_card(
    number: str, state: str = "granted", since: int = 1_772_450_000, until: int | None = 1_800_000_000, **more: Any
) -> dict[str, Any]:
    """The answer to a question about one card; also what news is about."""
    ends = {} if until is None else {"until": until}
    return {"number": number, "state": state, "since": since, "may": ["borrow", "reserve"], **ends, **more}


def news(number: str, card: Mapping[str, Any] | None = None, *, what: str = "card changed", on: int) -> dict[str, Any]:
    """What goes beside `iss`, `aud` and `exp` into an event's claims."""
    return {"news": {"what": what, "on": on, "number": number} | ({} if card is None else {"card": dict(card)})}


@dataclass(frozen=True, eq=False, kw_only=True)
class LibraryCards:
    """The rules of the libraries."""

    name: str = "library-cards"
    default_api_version: str = "edition-3"
    kinds: Mapping[str, Kind] = field(
        default_factory=lambda: {
            KIND: Kind(
                name=KIND,
                rules=Rules(moves=_MOVES, terms_may_change=True, settling=timedelta(minutes=1)),
                path="/shelves/{api_version}/cards",
                scope="cards:look",
                accept="application/json",
                must_be_signed=False,
                status_members=frozenset({"state", "since"}),
                revokers=frozenset({"the reader"}),
            )
        }
    )
    push: Push = field(
        default_factory=lambda: Push(
            jwe_algs=frozenset({"RSA-OAEP-256"}),
            jwe_encs=frozenset({"A128CBC-HS256"}),
            jws_algs=frozenset({"PS256", "ES256"}),
            max_body_bytes=16 * 1024,
            accepted_status=204,
        )
    )

    def read_event(self, claims: Mapping[str, Any]) -> Event:
        told = _mapping(claims.get("news"), "news_missing")
        what, card = told.get("what"), told.get("card")
        if not isinstance(what, str):
            raise UnreadableMessageError("what_missing")
        number, on = _number(told), _second(told, "on")
        data = None if card is None else _mapping(card, "card_invalid")
        is_card = what == "card changed"
        return Event(
            family=Family.CONSENT if is_card else Family.PAYMENT,  # the other thing that libraries tell of is fines
            event_type=what,
            event_date_time=on,
            consent_id=number,
            data=data,
            snapshot=_snapshot(data) if is_card and data is not None else None,
            ids_disagree=data is not None and data.get("number") != number,
        )

    def consent_id_of(self, claims: Mapping[str, Any]) -> str | None:
        told = claims.get("news")
        number = told.get("number") if isinstance(told, Mapping) else None
        return number if isinstance(number, str) and is_consent_id(number) else None

    def read_consent(self, kind: str, body: Mapping[str, Any]) -> Snapshot:
        if kind not in self.kinds:
            raise ValueError(kind)
        return _snapshot(_mapping(body, "card_invalid"))

    def open_answer(self, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        return _mapping(claims.get("card"), "card_missing")

    def revoke_call(self, kind: str, revoked_by: str) -> RevokeCall:
        if kind not in self.kinds or revoked_by not in self.kinds[kind].revokers:
            raise ValueError(kind)
        return RevokeCall(
            method="PUT", media_type="text/plain", content={"hand": "back", "who": revoked_by}, must_be_signed=False
        )

    def may_be_paused(self, kind: str, terms: Mapping[str, Any] | None) -> bool:
        return kind in self.kinds and "for ever" not in (terms or {})

    def read_refusal(self, document: object) -> Refusal:
        if document == "closed today":
            return Refusal(code="closed", meaning=RefusalMeaning.PASSING)
        return Refusal(code=None, meaning=RefusalMeaning.NOT_STAGED)

    def end_after_error(self, error: str, error_description: str | None) -> Status | None:
        return Status.REJECTED if error == "no" else None

    def end_after_refusal(self, status: int, code: str | None) -> Status | None:
        return Status.REVOKED if code == "taken away" else None

    def read_granted(self, details: object) -> Granted:
        (card,) = details if isinstance(details, list | tuple) and len(details) == 1 else (None,)
        snapshot = _snapshot(_mapping(card, "card_missing"))
        return Granted(
            consent_id=snapshot.consent_id,
            status=snapshot.status,
            status_date_time=snapshot.status_date_time,
            terms=snapshot.terms,
        )

    def labels(self, shown: Shown) -> Labels | None:
        shelf = Shelf.HISTORY if shown.status.is_terminal else Shelf.CURRENT
        return Labels(shelf=shelf, status="on hold" if shown.paused else shown.status.value.lower(), type="Card")


def _snapshot(card: Mapping[str, Any]) -> Snapshot:
    state, may = card.get("state"), card.get("may")
    if not isinstance(state, str):
        raise UnreadableMessageError("state_missing")
    return Snapshot(
        consent_id=_number(card),
        status=WORDS.get(state, Status.UNKNOWN),
        raw_status=state,
        status_date_time=_second(card, "since"),
        expiration_date_time=None if card.get("until") is None else _second(card, "until"),
        permissions=tuple(str(deed) for deed in may) if isinstance(may, list) else None,
        terms=card,
    )


def _mapping(value: object, reason: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnreadableMessageError(reason)
    return value


def _number(holder: Mapping[str, Any]) -> str:
    number = holder.get("number")
    if not isinstance(number, str) or not is_consent_id(number):
        raise UnreadableMessageError("number_invalid")
    return number


def _second(holder: Mapping[str, Any], name: str) -> datetime:
    second = holder.get(name)
    if not isinstance(second, int) or isinstance(second, bool) or not 0 <= second <= _LAST_SECOND:
        raise UnreadableMessageError(f"{name}_invalid")
    return datetime.fromtimestamp(second, UTC)


LIBRARY_CARDS: Final[Profile] = LibraryCards()
