"""What we believed of a consent at an instant that has passed: the journal's entries replayed as they were recorded.

Nothing is judged again: rules may change, and what was answered then was answered by the rules of then. The entries tell the
effective status, whether the holder vouched for it, and whether the consent could be used. Three facts that a reader sees do not
always show in them: a doubt about a consent that nobody could have used anyway, an expiry that the holder moved, and the holder's
word behind an expiry that our clock had told. Whenever one of these changes untold, it is kept as a `Belief` of its own.
"""

from dataclasses import dataclass
from datetime import datetime

from tracker.domain.consent import Status, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.tracked import TrackedConsent


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What a reader was told of a consent from an instant on, as far as the entries do not tell it.

    Attributes:
        tracking_id: Of which consent.
        recorded_at: From when on, by our clock.
        after: The consent's last entry before the transaction that wrote this; None: it had none.
        entries: How many of its entries that transaction wrote: this stands behind them.
        status: The holder's word.
        in_doubt: Whether something stood against using it until the holder had answered.
        expiration_date_time: When it was to end by itself.
    """

    tracking_id: TrackingId
    recorded_at: datetime
    after: int | None
    entries: int
    status: Status
    in_doubt: bool
    expiration_date_time: datetime | None


def untold(
    before: tuple[TrackedConsent, Decision] | None,
    after: TrackedConsent,
    decision: Decision,
    entries: int,
    now: datetime,
) -> Belief | None:
    """What is to be kept of a consent that changed, because its entries do not tell it; None if they do.

    A consent that is new is always kept: so a reader knows that nothing was kept before it, and not that nothing was so.

    Args:
        before: The consent as it was, and what was decided of it; None: it is new.
        after: The consent as it is.
        decision: What is decided of it.
        entries: How many entries tell of the change.
        now: Our clock.
    """
    if before is not None and not _is_untold(*before, after, decision):
        return None
    return Belief(
        tracking_id=after.tracking_id,
        recorded_at=now,
        after=None if before is None else before[0].last_sequence,
        entries=entries,
        status=decision.status,
        in_doubt=decision.is_in_doubt,
        expiration_date_time=decision.expiration_date_time,
    )


def _is_untold(before: TrackedConsent, was: Decision, after: TrackedConsent, decision: Decision) -> bool:
    if was.expiration_date_time != decision.expiration_date_time:
        return True
    if was.status is not decision.status and not after.told.confirmed:
        return True
    # Of a consent that could be used but for a doubt, every entry tells whether there is one.
    is_told = after.told.status is Status.AUTHORIZED and not after.overlay.paused and not after.overlay.revoking
    doubted = was.is_in_doubt is not decision.is_in_doubt
    return doubted and not (is_told and before.told.usable is not after.told.usable)
