"""One trace from the door to the notification: which spans there are, and what each tells.

A span is told of when its stage is over, so that while it goes on it costs nothing but reading the clock.
"""

import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Literal, ParamSpec

from tracker.journal.entry import Entry
from tracker.ports import Clock, Delivery, Entropy, InboxItem, Place, Span, Spans
from tracker.usecases.heard import HeardReport, Opened, Refused
from tracker.usecases.opening import NeedsKey, Outcome
from tracker.usecases.places import place_in, place_of_arrival, place_of_entry, place_of_opened, place_of_question

_log = logging.getLogger(__name__)

REMEMBERED = 10_000
"""Of so many entries it is kept in memory which question they came of: nothing that stays says so."""

_SERVER_ERROR = 500
_SPAN_ID_BYTES = 8

Facts = Mapping[str, str | int]
_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class Moment:
    """When something began, by both clocks."""

    at: datetime
    tick: float


@dataclass(slots=True)
class Arrival:
    """A request at the door while it is being answered.

    Attributes:
        began: When its head had come.
        item: The event that was to be kept; None for what was refused before.
    """

    began: Moment
    item: InboxItem | None = None


ARRIVAL: ContextVar[Arrival | None] = ContextVar("arrival", default=None)
"""The request that is being answered. Who keeps its event says there which one that is."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification on its way.

    Attributes:
        place: Where its span stands.
        parent: That of its entry; None if nobody knows any more where that stands.
        began: When it was sent.
        traceparent: What the subscriber is told of it.
    """

    place: Place
    parent: Place | None
    began: Moment
    traceparent: str


def _quietly(deed: Callable[_P, None]) -> Callable[_P, None]:
    """Let nothing fail because it could not be told."""

    @wraps(deed)
    def done(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            deed(*args, **kwargs)
        except Exception:  # noqa: BLE001 - see above
            _log.exception("A span could not be told")

    return done


class Traces:
    """Tells of each stage. What tells of events may be called from any thread, the rest belongs to the event loop."""

    def __init__(self, spans: Spans, clock: Clock, entropy: Entropy) -> None:
        self._spans = spans
        self._clock = clock
        self._entropy = entropy
        self._questions: OrderedDict[str, int] = OrderedDict()  # their traces, by the ids of the entries that they made

    def begin(self) -> Moment:
        """Note that something begins."""
        return Moment(self._clock.now(), self._clock.monotonic())

    # ------------------------------------------------------------------------------------------ events

    @_quietly
    def arrived(self, arrival: Arrival, *, route: str, status: int | None, link: str | None) -> None:
        """Tell of a request at the door. One that brought nothing that could be kept has no trace: anybody can send those.

        Args:
            arrival: The request.
            route: The pattern that its path matched.
            status: The answer; None if it was broken off.
            link: The sender's `traceparent`, if there was one.
        """
        if arrival.item is None:
            return
        facts: dict[str, str | int] = {"http.request.method": "POST", "http.route": route}
        if status is not None:
            facts["http.response.status_code"] = status
        self._tell(
            "receive event",
            place_of_arrival(arrival.item.id, arrival.item.body),
            None,
            arrival.began,
            {**facts, **_facts_of(arrival.item)},
            kind="server",
            has_failed=status is None or status >= _SERVER_ERROR,
            link=link,
        )

    @_quietly
    def stored(self, item: InboxItem, began: Moment, *, has_failed: bool) -> None:
        """Tell that an event is in the inbox, or could not be kept."""
        first = place_of_arrival(item.id, item.body)
        self._tell("store event", self._below(first), first, began, _facts_of(item), has_failed=has_failed)

    @_quietly
    def opened(self, item: InboxItem, outcome: Outcome, began: Moment) -> None:
        """Tell what was found in an event."""
        first = place_of_arrival(item.id, item.body)
        self._tell("open event", self._below(first), first, began, {**_facts_of(item), **_found(outcome)})

    @_quietly
    def recorded(
        self, batch: Sequence[Opened], outcomes: Sequence[str], entries: Sequence[Entry], seconds: float
    ) -> None:
        """Tell that a batch was judged and is on record since just now, and which entry came of which event."""
        began = self._ago(seconds)
        places: dict[int, Place] = {}
        for opened, outcome in zip(batch, outcomes, strict=True):
            first = place_of_opened(opened)
            place = self._below(first)
            places.setdefault(first.trace_id, place)  # of two that are the same the first makes the entries
            facts: Facts = {
                "tracker.event_id": opened.inbox_id,
                "tracker.outcome": outcome,
                "tracker.batch_events": len(batch),
            }
            self._tell("record event", place, first, began, facts)
        for entry in entries:
            place = place_of_entry(entry.id, entry.data)
            self._tell_entry(entry, place, places.get(place.trace_id))

    # ------------------------------------------------------------------------------------------ questions and entries

    @_quietly
    def asked(self, interaction_id: str, provider: str, outcome: str, began: Moment) -> None:
        """Tell that a holder was asked about a consent; the outcome is `answered` or says why not."""
        facts = {"tracker.interaction_id": interaction_id, "tracker.provider": provider, "tracker.outcome": outcome}
        place = place_of_question(interaction_id)
        self._tell("ask holder", place, None, began, facts, kind="client", has_failed=outcome != "answered")

    @_quietly
    def answered(self, interaction_id: str, entries: Sequence[Entry]) -> None:
        """Tell which entries came of a question."""
        question = place_of_question(interaction_id)
        for entry in entries:
            self._questions[entry.id] = question.trace_id
            if len(self._questions) > REMEMBERED:
                self._questions.popitem(last=False)
            self._tell_entry(entry, place_in(question.trace_id, entry.id), question)

    @_quietly
    def appended(self, entries: Sequence[Entry]) -> None:
        """Tell of entries that a registration or the clock made. What rests on an event that waited is in that one's trace."""
        for entry in entries:
            self._tell_entry(entry, place_of_entry(entry.id, entry.data), None)

    # ------------------------------------------------------------------------------------------ notifications

    def telling(self, entry_id: str, body: bytes) -> Notice | None:
        """Note that a subscriber is about to be told of an entry; None if that cannot be placed."""
        try:
            data = json.loads(body)["data"]
            asked = self._questions.get(entry_id)
            entry = place_of_entry(entry_id, data) if asked is None else place_in(asked, entry_id)
            is_lost = asked is None and data["channel"] == "poll"  # a question that was asked before the restart
            place = self._below(entry)
            traceparent = place.traceparent(is_kept=self._spans.keeps(place.trace_id))
            return Notice(place, None if is_lost else entry, self.begin(), traceparent)
        except Exception:  # noqa: BLE001 - the subscriber is told all the same
            _log.exception("A notification could not be placed in a trace")
            return None

    @_quietly
    def told(self, notice: Notice, subscription_id: str, entry_id: str, delivery: Delivery | None) -> None:
        """Tell what came of a notification; None: it was broken off."""
        facts: dict[str, str | int] = {
            "http.request.method": "POST",
            "tracker.subscription": subscription_id,
            "tracker.entry_id": entry_id,
        }
        if delivery is None:
            facts["error.type"] = "broken_off"
        elif delivery.status is None:
            facts["error.type"] = "unreachable"
        else:
            facts["http.response.status_code"] = delivery.status
            if not delivery.delivered:
                facts["error.type"] = str(delivery.status)
        has_failed = "error.type" in facts
        self._tell(
            "notify subscriber", notice.place, notice.parent, notice.began, facts, kind="client", has_failed=has_failed
        )

    # ------------------------------------------------------------------------------------------ inside

    def _below(self, parent: Place) -> Place:
        span_id = int.from_bytes(self._entropy.token(_SPAN_ID_BYTES)) or 1
        return Place(parent.trace_id, span_id)

    def _ago(self, seconds: float) -> Moment:
        now = self.begin()
        return Moment(now.at - timedelta(seconds=seconds), now.tick - seconds)

    def _tell_entry(self, entry: Entry, place: Place, parent: Place | None) -> None:
        """Tell of an entry: from the instant that it was written to now, when it is on record."""
        seconds = max(0.0, (self._clock.now() - entry.recorded_at).total_seconds())
        facts: Facts = {
            "tracker.entry_id": entry.id,
            "tracker.entry_type": entry.type,
            "tracker.sequence": entry.sequence,
            "tracker.subject": entry.subject,
        }
        if entry.provider is not None:
            facts = {**facts, "tracker.provider": entry.provider}
        if entry.tracking_id is not None:
            facts = {**facts, "tracker.tracking_id": entry.tracking_id}
        self._tell("append entry", place, parent, self._ago(seconds), facts)

    def _tell(
        self,
        name: str,
        place: Place,
        parent: Place | None,
        began: Moment,
        facts: Facts,
        *,
        kind: Literal["server", "internal", "client"] = "internal",
        has_failed: bool = False,
        link: str | None = None,
    ) -> None:
        if self._spans.keeps(place.trace_id):
            self._spans.take(
                Span(
                    name=name,
                    place=place,
                    parent=parent,
                    began_at=began.at,
                    seconds=max(0.0, self._clock.monotonic() - began.tick),
                    kind=kind,
                    facts=facts,
                    has_failed=has_failed,
                    link=link,
                )
            )


def _facts_of(item: InboxItem) -> Facts:
    # Not the interaction id: the sender chose it, and may have put anything into it. The log leads from one to the other.
    return {"tracker.event_id": item.id, "tracker.attempts": item.attempts, "tracker.retries": item.retries}


def _found(outcome: Outcome) -> Facts:
    match outcome:
        case HeardReport():
            return {"tracker.outcome": "report", "tracker.provider": outcome.stored.provider}
        case NeedsKey():
            return {"tracker.outcome": "key_missing", "tracker.provider": outcome.provider.id}
        case Refused(quarantined=aside):
            return {"tracker.outcome": "refused", "tracker.step": aside.step, "tracker.reason": aside.reason}
        case _:
            return {"tracker.outcome": "other", "tracker.provider": outcome.event.provider}
