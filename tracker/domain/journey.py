"""The way to an authorization, as our own application sees it: pushed, sent to the holder's pages, come back.

None of it is the holder's word: it never makes a consent usable. It says whom nobody came back for, and it makes us ask.

A consent is *overdue* when nobody has finished authorizing it for so long after the last that was heard of the way. It is
*abandoned* when its holder, asked after that, still waits: nothing forces a holder to close it before it expires.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tracker.domain.consent import Status
from tracker.domain.decision import Decision

WAITING: Final = frozenset({Status.NOT_STAGED, Status.AWAITING_AUTHORIZATION})
"""The statuses in which somebody may still be on the way."""


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class Journey:
    """What our own application saw of the way to an authorization, and what our clock made of it. All times are ours.

    Attributes:
        pushed_at: When it told that it had pushed the authorization request.
        push_accepted: Whether the holder took that.
        request_expires_at: When what the holder gave for it ends.
        returned_at: When it told that the customer came back from the holder's pages.
        code_received: Whether with a code; False: with an error.
        error: The error's code, of the push or of the return; None where there was none, or none that is a code.
        error_description: What describes it, if that is a code too.
        token_at: When it told of a token that was given for this consent.
        overdue_at: When the journal told that nobody had finished.
        given_up_at: When the clock asked by itself that the holder revoke it, since nobody had.
    """

    pushed_at: datetime | None = None
    push_accepted: bool | None = None
    request_expires_at: datetime | None = None
    returned_at: datetime | None = None
    code_received: bool | None = None
    error: str | None = None
    error_description: str | None = None
    token_at: datetime | None = None
    overdue_at: datetime | None = None
    given_up_at: datetime | None = None

    def is_push_refused(self, status: Status) -> bool:
        """Whether there is nothing that anybody could authorize: its request was refused, and the holder has none such."""
        return status is Status.NOT_STAGED and self.push_accepted is False

    @property
    def last_heard_at(self) -> datetime | None:
        """When our application told of the way last."""
        return max((at for at in (self.pushed_at, self.returned_at, self.token_at) if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What one of several authorizers did.

    Attributes:
        authorizer_id: What the holder calls him; personal.
        authorizer_type: As what he decides, in the holder's words.
        status: What he decided, in the holder's words.
        date_time: When, by the holder's clock.
    """

    authorizer_id: str | None
    authorizer_type: str | None
    status: str
    date_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorizers:
    """How far several authorizers have come, by the holder.

    Attributes:
        total_required: How many must approve; None if the holder did not say.
        authorizations: What each did.
        approved: How many of them approved.
        is_waiting: Whether somebody's decision is still wanted.
    """

    total_required: int | None
    authorizations: tuple[Authorization, ...]
    approved: int
    is_waiting: bool


def overdue_from(
    journey: Journey, status: Status, registered_at: datetime, authorizable_until: datetime | None, patience: timedelta
) -> datetime | None:
    """When it is to be told that nobody has finished authorizing; None: not at all, or told already.

    Args:
        journey: What our application saw.
        status: The holder's word.
        registered_at: When tracking began.
        authorizable_until: The end of the time that others have who must authorize it too; None if nobody else must.
        patience: So long after what was heard last somebody is still expected.
    """
    if status not in WAITING or journey.overdue_at is not None:
        return None
    if journey.is_push_refused(status):
        return None
    due = max(registered_at, journey.last_heard_at or registered_at) + patience
    return due if authorizable_until is None else max(due, authorizable_until)


def is_abandoned(journey: Journey, decision: Decision, vouched_at: datetime | None) -> bool:
    """Whether nobody came back and the holder, asked after that was told, still waits.

    Args:
        journey: What our application saw.
        decision: What is so.
        vouched_at: The latest instant for which the holder vouched for it.
    """
    if journey.overdue_at is None or decision.status is not Status.AWAITING_AUTHORIZATION:
        return False
    return vouched_at is not None and vouched_at >= journey.overdue_at


def given_up_from(journey: Journey, authorizable_until: datetime | None, patience: timedelta) -> datetime | None:
    """When a consent that is abandoned is to be revoked; None: that was asked for already.

    Args:
        journey: What our application saw. It may have come back after that was told that nobody had.
        authorizable_until: The end of the time that others have who must authorize it too; None if nobody else must.
        patience: So long after the last that was told or heard.
    """
    if journey.given_up_at is not None or journey.overdue_at is None:
        return None
    due = max(journey.overdue_at, journey.last_heard_at or journey.overdue_at) + patience
    return due if authorizable_until is None else max(due, authorizable_until)
