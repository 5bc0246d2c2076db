"""Does a holder's token say what the entry says that rests on it? Read as the ecosystem's own profile reads it; pure.

An entry tells what follows from all that the holder had said by then, so that it may rest on what an earlier token says:
such as when a poll takes back what an event had said, or a doubt ends. What is asked of each:

`consent.status_changed`, `.status_confirmed`     the status moved to, and since when
`consent.drift_found`                             the status that was missed, as `reason` has it, and since when
`.status_learned_late`, `.irregular`, `.terms_changed`     the time alone: `to` is what was so in spite of it
`payment.status_changed`                          what the payment came to, as `reason` has it, and since when

Where an entry says who revoked, that must be stated with it, and terms in its private value must be those of its own token.
What the tracker inferred (`inferred`), what has no time of the holder's, and a move that an entry tells whose type tells none, is
the tracker's own word, whatever token stands beside it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard

from tracker.journal.canonical import canonical
from tracker.journal.entry import Entry
from tracker.journal.instant import parse_rfc3339
from tracker.profiles.profile import Profile, Snapshot, UnreadableMessageError

LEEWAY_SECONDS: Final = 60
_MISSED: Final = "_missed"
_DRIFT: Final = "consent.drift_found"
_PAYMENT: Final = "payment.status_changed"
_MOVES: Final = frozenset({"consent.status_changed", "consent.status_confirmed"})
_DATED: Final = frozenset({"consent.status_learned_late", "consent.irregular", "consent.terms_changed"})


@dataclass(frozen=True, slots=True)
class Statement:
    """A status and since when: of a consent, or what a payment came to.

    Attributes:
        status: In canonical words, lower case; None where any will do.
        since: The holder's time.
        is_payment: Whether it is a payment's.
        revoked_by: Who revoked, in the holder's words; None where that is not said, or need not be.
    """

    status: str | None
    since: datetime
    is_payment: bool = False
    revoked_by: str | None = None

    def is_met_by(self, other: "Statement") -> bool:
        """Whether another states this."""
        alike = (self.since, self.is_payment) == (other.since, other.is_payment)
        return alike and self.status in {None, other.status} and self.revoked_by in {None, other.revoked_by}

    @property
    def told(self) -> str:
        """In words."""
        what = "payment " if self.is_payment else ""
        by = "" if self.revoked_by is None else f" by {self.revoked_by[:100]!a}"
        return f"{what}{self.status or 'a status'} since {self.since:%Y-%m-%dT%H:%M:%S.%fZ}{by}"


@dataclass(frozen=True, slots=True)
class Said:
    """What a token says.

    Attributes:
        consent_id: Of which consent.
        statement: What it states; None: nothing of a status.
        terms: The consent as it has it; None: it has none.
    """

    consent_id: str | None
    statement: Statement | None
    terms: Mapping[str, Any] | None = None

    def has_terms_of(self, entry: Entry) -> bool:
        """Whether the terms in an entry's private value, if any are shown, are those that the token has."""
        shown = None if entry.private is None else entry.private.get("terms")
        if shown is None:
            return True
        return self.terms is not None and canonical(dict(self.terms)) == canonical(shown)


class UnreadableTokenError(UnreadableMessageError):
    """The token's claims are none of its ecosystem's messages."""

    code = "token_unreadable"


def said_by(claims: Mapping[str, Any], profile: Profile, kind: str, channel: str) -> Said:
    """Read what a token says.

    Args:
        claims: Of the token.
        profile: The ecosystem.
        kind: Of the consent.
        channel: `poll` for an answer, else it is an event.

    Raises:
        UnreadableTokenError: It cannot be read.
    """
    try:
        if channel == "poll":
            found = profile.read_consent(kind, profile.open_answer(claims))
            return _said(found, found.consent_id)
        event = profile.read_event(claims)
    except UnreadableMessageError as error:
        raise UnreadableTokenError(error.reason) from error
    except ValueError as error:
        raise UnreadableTokenError("kind_unknown") from error
    if event.ids_disagree:
        raise UnreadableTokenError("ids_disagree")
    if event.payment is not None:
        paid = Statement(event.payment.outcome.value, event.payment.status_date_time, is_payment=True)
        return Said(event.consent_id, paid)
    if event.snapshot is None:
        return Said(event.consent_id, None)
    return _said(event.snapshot, event.consent_id)


def _said(found: Snapshot, consent_id: str | None) -> Said:
    states = Statement(found.status.value.lower(), found.status_date_time, revoked_by=found.revoked_by)
    return Said(consent_id, states, found.terms)


def told_by(entry: Entry) -> Statement | None:
    """What an entry tells as the holder's word; None if it is the tracker's own inference, or dates nothing."""
    data = entry.data
    if data["status_date_time"] is None:
        return None
    since, by = parse_rfc3339(data["status_date_time"]), data["revoked_by"]
    if entry.type == _PAYMENT:
        return Statement(data["reason"], since, is_payment=True)
    if entry.type == _DRIFT:
        return Statement((data["reason"] or "").removesuffix(_MISSED), since, revoked_by=by)
    if entry.type in _MOVES and not data["inferred"]:
        return Statement(data["to"].lower() if data["to"] else None, since, revoked_by=by)
    return Statement(None, since, revoked_by=by) if entry.type in _DATED else None


def moves_by_itself(entry: Entry, before: str | None) -> bool:
    """Whether an entry of a type that tells no move shows another status than was told before it.

    Args:
        entry: Which.
        before: The status that the entries of the consent before it told last; None: none did.
    """
    return entry.type not in _MOVES and entry.to_status not in {None, before}


def claims_fault(
    claims: Mapping[str, Any], *, issuer: str, client_ids: Collection[str], channel: str, at: datetime
) -> str | None:
    """Say what keeps a token's claims from having been valid for us when we had it; None if nothing does."""
    if claims.get("iss") != issuer:
        return "it has another issuer"
    audience = claims.get("aud", [])
    audiences = [one for one in (audience if isinstance(audience, list) else [audience]) if isinstance(one, str)]
    is_needed = "aud" in claims or channel != "poll"
    if is_needed and not any(one in client_ids for one in audiences):
        return "it is meant for another client"
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not _is_date(expires) or not _is_date(begins):
        return "it does not say how long it is valid"
    if at.timestamp() > expires + LEEWAY_SECONDS:
        return "it had lapsed when it was received"
    if at.timestamp() < begins - LEEWAY_SECONDS:
        return "it was not valid yet when it was received"
    return None


def _is_date(value: Any) -> TypeGuard[float]:
    """A NumericDate: any JSON number, and nothing else. Spec: RFC 7519 §2."""
    return isinstance(value, int | float) and not isinstance(value, bool)
