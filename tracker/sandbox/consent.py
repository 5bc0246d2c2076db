"""One consent as the hub keeps it, and the moves it may make.

Spec: UAE Open Finance v2.1, "Consent States"; the digest's §2.2 has the table with its triggers.
Conflict: the published diagram has neither AwaitingAuthorization → Revoked nor → Expired; the OpenAPI and the guides for
holders allow both, and so does the hub.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tracker.sandbox.errors import IllegalMoveError, UnusableInputError
from tracker.sandbox.kinds import RESOURCES, Kind


class Status(StrEnum):
    """Statuses of a consent, as they are written on the wire."""

    AWAITING_AUTHORIZATION = "AwaitingAuthorization"
    AUTHORIZED = "Authorized"
    SUSPENDED = "Suspended"
    REJECTED = "Rejected"
    CONSUMED = "Consumed"
    EXPIRED = "Expired"
    REVOKED = "Revoked"


MOVES: dict[str, frozenset[Status]] = {
    Status.AWAITING_AUTHORIZATION: frozenset({Status.AUTHORIZED, Status.REJECTED, Status.REVOKED, Status.EXPIRED}),
    Status.AUTHORIZED: frozenset({Status.SUSPENDED, Status.CONSUMED, Status.EXPIRED, Status.REVOKED}),
    Status.SUSPENDED: frozenset({Status.AUTHORIZED, Status.EXPIRED, Status.REVOKED}),
}
"""Statuses that may directly follow each status; from those that are not named here nothing follows."""

REVOKERS = frozenset({"LFI", "TPP", "LFI.InitiatedByUser", "TPP.InitiatedByUser"})
"""Spec: `AERevokedByCodes`."""


@dataclass(frozen=True, slots=True)
class ExpiryPolicy:
    """How the hub behaves when a time limit passes.

    Attributes:
        late_seconds: how long it goes on telling the old status after the limit; 0 is punctual, None never flips
            by itself (hubs did that until mid-2026).
        send_event: whether the flip is told by an event.
    """

    late_seconds: float | None = 0.0
    send_event: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """One status that a consent had, from the instant in its StatusUpdateDateTime."""

    status: str
    status_update_date_time: datetime


@dataclass(slots=True)
class Consent:
    """A consent as the hub keeps it; all instants are cut to what the wire carries.

    Attributes:
        kind: which of the three.
        consent_id: 1–128 characters, unique in the hub.
        client_id: who staged it; nobody else sees it.
        creation_date_time: when it was staged.
        expiration_date_time: when it ends by itself.
        data: members of `Data` beside ids, status and times.
        base_consent_id: root of its chain of renewals.
        authorization_expiration_date_time: payments only; when the wait for authorization ends.
        webhook_url: where its events go; where its client is registered for when None.
        webhook_active: whether events are wanted for it.
        meta: the resource's `Meta`, such as `MultipleAuthorizers`.
        expiry: what happens when a time limit passes; the hub's own policy when None.
        history: every status it had, oldest first; the last one is the present one.
        revoked_by: told when revoked and known.
    """

    kind: Kind
    consent_id: str
    client_id: str
    creation_date_time: datetime
    expiration_date_time: datetime
    data: dict[str, Any]
    webhook_url: str | None = None
    base_consent_id: str | None = None
    authorization_expiration_date_time: datetime | None = None
    webhook_active: bool = True
    meta: dict[str, Any] | None = None
    expiry: ExpiryPolicy | None = None
    history: list[Change] = field(default_factory=list)
    revoked_by: str | None = None

    @property
    def status(self) -> str:
        """The present status; a forced move may have made it any text."""
        return self.history[-1].status

    @property
    def status_update_date_time(self) -> datetime:
        """When the present status began."""
        return self.history[-1].status_update_date_time

    @property
    def is_terminal(self) -> bool:
        """Whether no legal move is left."""
        return self.status not in MOVES

    def next_flip(self, policy: ExpiryPolicy) -> Change | None:
        """Tell which move comes by itself, and when.

        Spec: after AuthorizationExpirationDateTime an awaiting payment consent becomes Rejected (Consent Manager).
        """
        policy = self.expiry or policy
        if self.is_terminal or policy.late_seconds is None:
            return None
        limit, status = self.expiration_date_time, Status.EXPIRED
        window = self.authorization_expiration_date_time
        if self.status == Status.AWAITING_AUTHORIZATION and window is not None and window < limit:
            limit, status = window, Status.REJECTED
        return Change(status, limit + timedelta(seconds=policy.late_seconds))

    def move(self, status: str, at: datetime, *, revoked_by: str | None = None, force: bool = False) -> None:
        """Take on another status.

        Args:
            status: the status to move to.
            at: its StatusUpdateDateTime.
            revoked_by: who revoked; only with Revoked.
            force: play a faulty hub, no questions asked.

        Raises:
            IllegalMoveError: the state machine has no such move.
            UnusableInputError: `revoked_by` is no code of the standard or does not belong to this status.
        """
        if not force:
            self._check_move(status, at)
            _check_revoker(status, revoked_by)
        self.history.append(Change(status, at))
        self.revoked_by = revoked_by

    def _check_move(self, status: str, at: datetime) -> None:
        moves = MOVES.get(self.status, frozenset[Status]())
        if not RESOURCES[self.kind].has_consumed:
            moves -= {Status.CONSUMED}
        if status not in moves:
            allowed = ", ".join(sorted(moves)) or "nothing, it is terminal"
            raise IllegalMoveError(f"{self.kind} consent {self.consent_id} is {self.status}; it can become: {allowed}")
        if at < self.status_update_date_time:
            raise IllegalMoveError(f"{self.consent_id} has been {self.status} since {self.status_update_date_time}")
        over = at >= self.expiration_date_time
        if status == Status.EXPIRED and not over and self.status != Status.AWAITING_AUTHORIZATION:
            raise IllegalMoveError(f"{self.consent_id} expires at {self.expiration_date_time}, not before")
        if status in MOVES and over:
            raise IllegalMoveError(f"{self.consent_id} expired at {self.expiration_date_time}")


def _check_revoker(status: str, revoked_by: str | None) -> None:
    if revoked_by is None:
        return
    if status != Status.REVOKED:
        raise UnusableInputError("only a revoked consent has a revoker")
    if revoked_by not in REVOKERS:
        raise UnusableInputError(f"{revoked_by!r} is none of {', '.join(sorted(REVOKERS))}")
