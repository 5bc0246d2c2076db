"""What we ourselves put over the holder's word: a pause, and a revocation that we asked the holder for.

A revocation is one request a consent. From its first instant the consent is not usable. It is sent until the holder has
answered, and what the holder then says when it is asked decides:

1. the consent is at an end: the request has ended too, whoever ended the consent and however;
2. it goes on, and nobody knows what came of the sending: it is sent once more;
3. it goes on although the holder accepted: its reads may lag, so it is asked again until the settling time is over;
4. it goes on because the holder refused: the request stands, and only an administrator may withdraw it.

A refusal of a repeated sending may mean that an earlier one was carried out, while the read still lags: it is waited for too.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

_READ_AGAIN: Final = (timedelta(seconds=5), timedelta(seconds=30))
_PAST_SETTLING: Final = timedelta(seconds=10)
_PUT_OFF: Final = timedelta(minutes=30)

LONGEST_PUT_OFF: Final = timedelta(hours=1)
"""Nothing is put off for so long, nor leased: what lies farther ahead was written while our clock was ahead."""

ACCEPTED: Final = "accepted"
"""What a holder answered that took a revocation."""

NOT_REVOKED: Final = "not_revoked"
"""Why a revocation failed that the holder had accepted."""


class Deed(StrEnum):
    """The types of journal entries that tell of our own deeds."""

    PAUSED = "consent.paused"
    RESUMED = "consent.resumed"
    REVOCATION_REQUESTED = "consent.revocation_requested"
    REVOCATION_FAILED = "consent.revocation_failed"
    REVOCATION_WITHDRAWN = "consent.revocation_withdrawn"


class RevocationState(StrEnum):
    """How far a revocation has come."""

    PENDING = "pending"
    """It will be sent, or was, and the holder has not said yet that the consent is at an end."""
    REFUSED = "refused"
    """The holder was asked and goes on with the consent. Nothing more is done by itself."""
    ENDED = "ended"
    """The consent is at an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What became of the one request to revoke a consent.

    Attributes:
        revoked_by: What the holder is told of who revokes.
        requested_at: When it was asked for.
        state: How far it has come.
        attempts: How often it was sent; counted before each sending.
        sent_at: When it was sent last.
        answer: What the holder answered to that: `ACCEPTED`, or the code of its refusal; None if nobody knows.
        unanswered: Of how many sendings nobody knows what came of them.
        failures: How many attempts in a row brought no answer.
        due_at: When something is to be done about it next; None: nothing.
        leased_until: Somebody is at it; after this instant he is taken for dead.
        last_error: The code of what stood in the way last.
    """

    revoked_by: str
    requested_at: datetime
    state: RevocationState = RevocationState.PENDING
    attempts: int = 0
    sent_at: datetime | None = None
    answer: str | None = None
    unanswered: int = 0
    failures: int = 0
    due_at: datetime | None = None
    leased_until: datetime | None = None
    last_error: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it stands against using the consent."""
        return self.state is not RevocationState.ENDED

    @property
    def looked_at_next(self) -> datetime | None:
        """When it is due for whoever looks: not before the lease on it is over."""
        if self.due_at is None or self.leased_until is None:
            return self.due_at
        return max(self.due_at, self.leased_until)

    def is_free(self, now: datetime) -> bool:
        """Whether it is to be carried out and nobody is at it."""
        return self.state is RevocationState.PENDING and not self.is_leased(now)

    def is_leased(self, now: datetime) -> bool:
        """Whether somebody is at it."""
        return self.leased_until is not None and timedelta() < self.leased_until - now <= LONGEST_PUT_OFF

    def may_have_arrived(self) -> bool:
        """Whether the holder may have taken a sending, or may yet, though it has not said that the consent is at an end."""
        is_refused = self.state is RevocationState.REFUSED and self.answer != ACCEPTED and not self.unanswered
        return self.sent_at is not None and not is_refused

    def pressed_again(self, now: datetime) -> "Revocation":
        """Somebody wants it once more: it is due at once, and one that was refused is tried again."""
        if self.state is RevocationState.ENDED:
            return self
        due_at = now if self.due_at is None else min(self.due_at, now)
        if self.state is RevocationState.PENDING:
            return replace(self, due_at=due_at)
        return replace(self, state=RevocationState.PENDING, answer=None, unanswered=0, due_at=due_at)

    def claimed(self, until: datetime) -> "Revocation":
        """Somebody is at it."""
        return replace(self, leased_until=until)

    def about_to_be_sent(self, now: datetime, until: datetime) -> "Revocation":
        """It is counted, and may be sent from now on."""
        return replace(
            self,
            attempts=self.attempts + 1,
            unanswered=self.unanswered + 1,
            sent_at=now,
            answer=None,
            leased_until=until,
        )

    def held_up(self, now: datetime, until: datetime, error: str, answer: str | None) -> "Revocation":
        """An attempt brought no answer, or none to the question that followed it."""
        failures = self.failures + 1
        due_at = min(until, now + _PUT_OFF)  # a provider that asked for longer is left alone by its budget
        return replace(self._answered(answer), failures=failures, due_at=due_at, leased_until=None, last_error=error)

    def read_back(self, now: datetime, settling: timedelta, answer: str | None) -> "Revocation":
        """The holder was asked after the last sending, and the consent goes on.

        Args:
            now: Our clock.
            settling: How long the holder's reads may lag.
            answer: What it answered to the sending, if that is known now.
        """
        read = replace(self._answered(answer), failures=0, leased_until=None, last_error=None)
        if self.sent_at is None or read.answer is None:
            return replace(read, due_at=now)
        is_refused = read.answer != ACCEPTED
        sent_at = min(self.sent_at, now)  # what lies ahead was sent while our clock was ahead
        settled_at = sent_at + settling + _PAST_SETTLING
        if (is_refused and not read.unanswered) or now >= settled_at:
            why = read.answer if is_refused else NOT_REVOKED
            return replace(read, state=RevocationState.REFUSED, due_at=None, last_error=why)
        steps = (sent_at + step for step in _READ_AGAIN)
        due_at = next((at for at in steps if at > now), settled_at)
        return replace(read, sent_at=sent_at, due_at=min(due_at, now + _PUT_OFF))

    def _answered(self, answer: str | None) -> "Revocation":
        return self if answer is None else replace(self, answer=answer, unanswered=self.unanswered - 1)

    def ended(self) -> "Revocation":
        """The consent is at an end."""
        return replace(self, state=RevocationState.ENDED, due_at=None, leased_until=None, last_error=None, failures=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """What we ourselves have put over the holder's word.

    Attributes:
        paused: We do not use it for now.
        revocation: We asked the holder to revoke it.
    """

    paused: bool = False
    revocation: Revocation | None = None

    @property
    def revoking(self) -> bool:
        """Whether a revocation stands against using the consent."""
        return self.revocation is not None and self.revocation.is_open

    @property
    def seen(self) -> tuple[object, ...]:
        """What a reader can see of it: all but who is at it now."""
        revocation = self.revocation
        return self.paused, None if revocation is None else replace(revocation, leased_until=None)

    def at_the_end(self) -> "Overlay":
        """What is left of it when the holder says that the consent is at an end."""
        if not self.paused and not self.revoking:
            return self
        return Overlay(revocation=None if self.revocation is None else self.revocation.ended())
