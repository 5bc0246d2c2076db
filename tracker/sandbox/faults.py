"""What the hub can be told to do wrong, to events and to answers."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from tracker.sandbox.errors import UnusableInputError

Endpoint = Literal["discovery", "jwks", "token", "consent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFault:
    """What goes wrong with one event. Several things can.

    Attributes:
        drop: never send it.
        delay_seconds: send it that much later; later events do not wait for it.
        hold: keep it until the next event about the same subject has gone out, or until it is released.
        copies: how often it is sent; every copy is signed and encrypted anew, so no two have the same bytes.
        wrong_key: sign with a key that nobody publishes, under the key id of the current one.
        unknown_signing_kid: sign with the right key, under a key id that nobody publishes.
        unknown_encryption_kid: encrypt to the right key, under a key id that the client never registered.
        lapsed: `exp` lies in the past.
        not_yet_valid: `nbf` lies an hour ahead.
        wrong_audience: `aud` names another client.
        omit_data: leave `Data` out, as the standard allows for events about consents.
        claims: put over the claims last; None removes one.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    drop: bool = False
    delay_seconds: float = 0.0
    hold: bool = False
    copies: int = 1
    wrong_key: bool = False
    unknown_signing_kid: bool = False
    unknown_encryption_kid: bool = False
    lapsed: bool = False
    not_yet_valid: bool = False
    wrong_audience: bool = False
    omit_data: bool = False
    claims: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.copies < 1 or self.delay_seconds < 0:
            raise UnusableInputError("copies starts at 1 and delay_seconds at 0; to send nothing, say drop")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFault:
    """What goes wrong with answers.

    Attributes:
        endpoint: which answers; all of them when None.
        consent_id: only answers about this consent.
        method: only answers to this method, such as `PATCH`.
        act_first: do what was asked, and only then let the answer go wrong.
        status: answer with this instead; a body only where the standard has one.
        retry_after: value of the Retry-After header; seconds or an HTTP-date.
        garbage: answer 200 with a body that is nothing.
        wrong_key: sign the answer with a key that nobody publishes; consents only.
        delay_seconds: answer that much later.
        disconnect: close the connection instead of answering; some clients ask again by themselves.
        times: how many answers are hit before the fault is over; None lasts until mended.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    endpoint: Endpoint | None = None
    consent_id: str | None = None
    method: str | None = None
    act_first: bool = False
    status: int | None = None
    retry_after: int | str | None = None
    garbage: bool = False
    wrong_key: bool = False
    delay_seconds: float = 0.0
    disconnect: bool = False
    times: int | None = None

    def __post_init__(self) -> None:
        if self.delay_seconds < 0 or (self.times is not None and self.times < 1):
            raise UnusableInputError("times starts at 1 and delay_seconds at 0")

    def hits(self, endpoint: str, consent_id: str | None, method: str) -> bool:
        """Whether an answer of this endpoint, about this consent, to this method, is meant."""
        is_place = self.endpoint in (None, endpoint) and self.consent_id in (None, consent_id)
        return is_place and self.method in (None, method)


class Faults:
    """What is planned to go wrong."""

    def __init__(self) -> None:
        self._events: deque[tuple[str | None, EventFault]] = deque()
        self._answers: list[tuple[ApiFault, int | None]] = []

    def plan_event(self, fault: EventFault, subject: str | None = None) -> None:
        """Let the next event (about this subject, or any) go wrong; plans are used up in their order."""
        self._events.append((subject, fault))

    def take_event(self, subject: str) -> EventFault:
        """Use up the first plan for an event about this subject; without a plan nothing is wrong."""
        for plan in self._events:
            if plan[0] in (None, subject):
                self._events.remove(plan)
                return plan[1]
        return EventFault()

    def break_api(self, fault: ApiFault) -> None:
        """Let answers go wrong from now on; of several faults the latest that fits is used."""
        self._answers.append((fault, fault.times))

    def take_answer(self, endpoint: str, consent_id: str | None, method: str = "GET") -> ApiFault | None:
        """Use one hit of the latest fault that fits this answer."""
        for index in reversed(range(len(self._answers))):
            fault, left = self._answers[index]
            if fault.hits(endpoint, consent_id, method):
                if left is not None and left <= 1:
                    del self._answers[index]
                elif left is not None:
                    self._answers[index] = (fault, left - 1)
                return fault
        return None

    def clear(self) -> None:
        """Plan nothing any more."""
        self._events.clear()
        self._answers.clear()
