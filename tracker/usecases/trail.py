"""One id from the door to the notification: what became of an event or a question, line by line in the log.

The interaction id is the holder's own for an event, and ours for a question. The entries of the journal cannot carry it:
their form is fixed. So the log says which entry came of which interaction, and for some time we remember it, so that the
notification's line can name the interaction too. After a restart the entry's id leads from one line to the other.
"""

import logging
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import Delivery, Meters
from tracker.usecases.heard import HeardReport, Opened, Refused
from tracker.usecases.traces import Traces

_log = logging.getLogger(__name__)

REMEMBERED = 10_000
"""So many entries' interactions are kept in memory."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a batch.

    Attributes:
        entries: What the journal tells of it.
        outcomes: For each event of the batch, in order, one word of what it meant.
        is_asking_due: Whether a holder is to be asked at once because of it.
        overdue: Consents whose expiry the holder should have confirmed by now.
    """

    entries: list[Entry]
    outcomes: list[str]
    is_asking_due: bool = False
    overdue: Sequence[TrackedConsent] = ()


class Trail:
    """Follows events and questions. Belongs to the event loop."""

    def __init__(self, meters: Meters | None = None, traces: Traces | None = None) -> None:
        self._meters = meters
        self._traces = traces
        self._interactions: OrderedDict[str, str] = OrderedDict()

    def of(self, entry_id: str) -> str | None:
        """Which interaction an entry came of, if that is still remembered."""
        return self._interactions.get(entry_id)

    def recorded(self, batch: Sequence[Opened], recorded: Recorded, seconds: float) -> None:
        """Say what became of a batch that is on record now. Never raises: nobody may take that for a batch that failed."""
        try:
            self._say(batch, recorded, seconds)
        except Exception:  # noqa: BLE001 - see above
            _log.exception("What became of %d events could not be told", len(batch))
        if self._traces is not None:
            self._traces.recorded(batch, recorded.outcomes, recorded.entries, seconds)

    def _say(self, batch: Sequence[Opened], recorded: Recorded, seconds: float) -> None:
        refused: Counter[tuple[str, str]] = Counter()
        by_token: dict[str | None, str] = {}
        for opened, outcome in zip(batch, recorded.outcomes, strict=True):
            self._say_outcome(opened, outcome)
            if isinstance(opened.outcome, Refused):
                refused[opened.outcome.quarantined.step, opened.outcome.quarantined.reason] += 1
            elif isinstance(opened.outcome, HeardReport):
                by_token.setdefault(opened.outcome.stored.jwe_sha256, opened.interaction_id)
        by_token.pop(None, None)
        for entry in recorded.entries:
            for evidence in entry.data.get("evidence", ()):
                if (interaction_id := by_token.get(evidence.get("jwe_sha256"))) is not None:
                    self._link(entry, interaction_id)
        if self._meters is not None:
            self._meters.batch_recorded(
                Counter(recorded.outcomes), refused, entries=len(recorded.entries), seconds=seconds
            )

    def answered(self, interaction_id: str, entries: Sequence[Entry]) -> None:
        """Say what the journal tells of a holder's answer to a question."""
        for entry in entries:
            self._link(entry, interaction_id)
        if self._traces is not None:
            self._traces.answered(interaction_id, entries)

    def appended(self, entries: Sequence[Entry]) -> None:
        """Note what the journal tells of a registration or of the clock; that came of no interaction."""
        if self._traces is not None:
            self._traces.appended(entries)

    def told(self, subscription_id: str, entry_id: str, delivery: Delivery) -> None:
        """Say that a subscriber was told of an entry, or was not."""
        if not _log.isEnabledFor(logging.INFO):
            return
        interaction_id = self.of(entry_id)
        known = {"entry_id": entry_id, "subscription": subscription_id, "interaction_id": interaction_id}
        if delivery.delivered:
            message = "Subscription %s was told of entry %s (interaction %s)"
            _log.info(message, subscription_id, entry_id, interaction_id or "not remembered", extra=known)
        else:
            message = "Subscription %s could not be told of entry %s (interaction %s): %s"
            why = delivery.error
            _log.info(message, subscription_id, entry_id, interaction_id or "not remembered", why, extra=known)

    def _say_outcome(self, opened: Opened, outcome: str) -> None:
        extra = {"interaction_id": opened.interaction_id, "outcome": outcome}
        if isinstance(opened.outcome, Refused):
            aside = opened.outcome.quarantined
            extra |= {"step": aside.step, "reason": aside.reason}
            _log.info("Event %s is in quarantine: %s, %s", opened.interaction_id, aside.step, aside.reason, extra=extra)
        else:
            _log.info("Event %s is on record: %s", opened.interaction_id, outcome, extra=extra)

    def _link(self, entry: Entry, interaction_id: str) -> None:
        self._interactions[entry.id] = interaction_id
        if len(self._interactions) > REMEMBERED:
            self._interactions.popitem(last=False)
        _log.info(
            "Entry %d (%s), %s, came of interaction %s",
            entry.sequence,
            entry.id,
            entry.type,
            interaction_id,
            extra={
                "interaction_id": interaction_id,
                "sequence": entry.sequence,
                "entry_id": entry.id,
                "type": entry.type,
                "provider": entry.provider,
                "tracking_id": entry.tracking_id,
            },
        )
