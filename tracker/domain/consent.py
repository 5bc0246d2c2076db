"""The words of a consent's life: statuses, channels, identifiers."""

import re
from enum import StrEnum
from typing import Final, NewType

from tracker.domain.errors import InvalidRequestError

TrackingId = NewType("TrackingId", str)
"""Our own key of a consent: a UUIDv7 in its canonical text form."""

ConsentId = NewType("ConsentId", str)
"""What the holder and we call the consent towards each other."""

ProviderId = NewType("ProviderId", str)


class Status(StrEnum):
    """A consent's status; the value is the word on the wire.

    Spec: UAE Open Finance v2.1, "Consent States"; other profiles map onto these.
    """

    NOT_STAGED = "NotStaged"
    """Ours alone: registered, and the holder has said nothing yet."""
    UNKNOWN = "Unknown"
    """Ours alone: the holder used a word that the profile does not have."""
    AWAITING_AUTHORIZATION = "AwaitingAuthorization"
    AUTHORIZED = "Authorized"
    SUSPENDED = "Suspended"
    REJECTED = "Rejected"
    CONSUMED = "Consumed"
    EXPIRED = "Expired"
    REVOKED = "Revoked"

    @property
    def is_terminal(self) -> bool:
        """Whether this ends a consent."""
        return self in TERMINAL

    @property
    def is_open(self) -> bool:
        """Whether a consent in this status can still move."""
        return self in OPEN

    @property
    def rank(self) -> int:
        """Which of two statuses of one instant is the later: the higher."""
        return _RANK[self]


OPEN: Final = frozenset({Status.AWAITING_AUTHORIZATION, Status.AUTHORIZED, Status.SUSPENDED})
TERMINAL: Final = frozenset({Status.REJECTED, Status.CONSUMED, Status.EXPIRED, Status.REVOKED})
_RANK: Final = {status: rank for rank, status in enumerate(Status)}


class Channel(StrEnum):
    """How a report reached us."""

    WEBHOOK = "webhook"
    POLL = "poll"
    TOKEN = "token"  # noqa: S105 - a channel's name
    CALLBACK = "callback"
    OPERATOR = "operator"
    CLOCK = "clock"

    @property
    def is_holders_word(self) -> bool:
        """Whether what comes this way was signed or served by the holder."""
        return self in {Channel.WEBHOOK, Channel.POLL}


_CONSENT_ID = re.compile(r"[\x21-\x7e]{1,128}")
_PROVIDER_ID = re.compile(r"[a-z0-9-]{1,64}")


def is_consent_id(value: object) -> bool:
    """Whether a value can be a consent's id: 1 to 128 visible ASCII characters, and no path step."""
    return isinstance(value, str) and _CONSENT_ID.fullmatch(value) is not None and value not in {".", ".."}


def require_consent_id(value: str) -> ConsentId:
    """Take a text for a consent's id.

    Raises:
        InvalidRequestError: It cannot be one.
    """
    if not is_consent_id(value):
        raise InvalidRequestError("A consent id is 1 to 128 characters from ! to ~, and neither '.' nor '..'.")
    return ConsentId(value)


def is_provider_id(value: str) -> bool:
    """Whether a text can name a provider."""
    return _PROVIDER_ID.fullmatch(value) is not None
