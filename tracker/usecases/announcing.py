"""What the journal tells of a subscriber who cannot be reached, so that others hear of it.

`subscription.failing` at 50, 70 and 90 % of the way to disablement, `subscription.disabled`, and `subscription.recovered` when
something is taken after any of these. `from` and `to` are states, so that who applies `to` in sequence knows how each stands.
They are written with the progress that they tell of, and by its right: each once, whoever dies when.

A subscription is not told of itself: what it would take says that it works, and what it refuses would be news of that refusal.
"""

from datetime import datetime
from typing import Final

from tracker.domain.announced import DISABLED
from tracker.domain.consent import Channel
from tracker.domain.subscription import Subscription
from tracker.journal.entry import Draft, Entry
from tracker.ports import Ids

FAILING: Final = "subscription.failing"
DISABLED_NOW: Final = "subscription.disabled"
RECOVERED: Final = "subscription.recovered"
GONE: Final = "gone"
"""Why it was disabled: it said so."""


def announcement(before: Subscription, after: Subscription, now: datetime, ids: Ids) -> Draft | None:
    """What is to be told of a change; None: nothing.

    Args:
        before: As it is written.
        after: As it will be written with this.
        now: When that is.
        ids: For the entry's id.
    """
    told = after.announced
    if told == before.announced:
        return None
    if told.percent == 0:
        entry_type, reason = RECOVERED, None
    elif told.percent == DISABLED:
        since, days = after.failing_since, after.manner.attempts.disable_after
        was_given_up = since is not None and now - since >= days
        entry_type, reason = DISABLED_NOW, f"failing_{DISABLED}" if was_given_up else GONE
    else:
        entry_type, reason = FAILING, f"failing_{told.percent}"
    return Draft(
        id=ids.ordered(),
        type=entry_type,
        subscription_id=after.id,
        from_status=before.announced.state,
        to_status=told.state,
        status_date_time=told.failing_since,
        channel=Channel.CLOCK.value,
        reason=reason,
    )


def is_about(entry: Entry, subscription: Subscription) -> bool:
    """Whether an entry tells of this subscription."""
    return entry.subject == f"subscription/{subscription.id}"
