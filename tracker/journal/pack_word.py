"""Does a holder's token say what the entry says that rests on it? Read as the ecosystem's own profile reads it; pure.

An entry tells what follows from all that the holder had said by then, so that it may rest on what an earlier token says:
such as when a poll takes back what an event had said, or a doubt ends. What is asked of each:

`consent.status_changed`, `.status_confirmed`     the status moved to, and since when
`consent.drift_found`                             the status that was missed, as `reason` has it, and since when
`.status_learned_late`, `.irregular`, `.terms_changed`     the time alone: `to` is what was so in spite of it
`payment.status_changed`                          what the payment came to, as `reason` has it, and since when

What the tracker inferred (`inferred`) is its own word in any case.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard

from tracker.journal.entry import Entry
from tracker.journal.instant import parse_rfc3339
from tracker.profiles.profile import Profile, UnreadableMessageError

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
    """

    status: str | None
    since: datetime
    is_payment: bool = False

    def is_met_by(self, other: "Statement") -> bool:
        """Whether another states this."""
        alike = (self.since, self.is_payment) == (other.since, other.is_payment)
        return alike and self.status in {None, other.status}

    @property
    def told(self) -> str:
        """In words."""
        what = "payment " if self.is_payment else ""
        return f"{what}{self.status or 'a status'} since {self.since:%Y-%m-%dT%H:%M:%S.%fZ}"


@dataclass(frozen=True, slots=True)
class Said:
    """What a token says.

    Attributes:
        consent_id: Of which consent.
        statement: What it states; None: nothing of a status.
    """

    consent_id: str | None
    statement: Statement | None


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
            return Said(found.consent_id, Statement(found.status.value.lower(), found.status_date_time))
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
    return Said(event.consent_id, Statement(event.snapshot.status.value.lower(), event.snapshot.status_date_time))


def told_by(entry: Entry) -> Statement | None:
    """What an entry tells as the holder's word; None if it is the tracker's own inference, or dates nothing."""
    data = entry.data
    if data["status_date_time"] is None:
        return None
    since = parse_rfc3339(data["status_date_time"])
    if entry.type == _PAYMENT:
        return Statement(data["reason"], since, is_payment=True)
    if entry.type == _DRIFT:
        return Statement((data["reason"] or "").removesuffix(_MISSED), since)
    if entry.type in _MOVES and not data["inferred"]:
        return Statement(data["to"].lower() if data["to"] else None, since)
    return Statement(None, since) if entry.type in _DATED else None


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
