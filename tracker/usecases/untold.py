"""What a transaction leaves to be kept beside its entries, so that a reader of the past finds what was answered then."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from tracker.domain.belief import Belief, untold
from tracker.domain.consent import TrackingId
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft
from tracker.usecases.providers import Providers


def untold_beliefs(
    providers: Providers,
    before: Mapping[TrackingId, TrackedConsent],
    after: Mapping[TrackingId, TrackedConsent],
    drafts: Sequence[Draft],
    now: datetime,
) -> list[Belief]:
    """What of these consents changes without an entry that tells it."""
    entries = Counter(draft.tracking_id for draft in drafts)
    beliefs: list[Belief] = []
    for tracking_id, consent in after.items():
        known = before.get(tracking_id)
        if consent is known:
            continue
        rules = providers.kind_of(consent).rules
        was = None if known is None else (known, known.decision(rules))
        belief = untold(was, consent, consent.decision(rules), entries[tracking_id], now)
        if belief is not None:
            beliefs.append(belief)
    return beliefs
