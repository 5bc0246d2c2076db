"""Finding what the journal asks a subscriber to do, by the terms that it has at the time.

Whoever changes the terms looks on by the old ones first, so that nothing is lost between two of them; and what was found is
only written where the terms are still those that it was found by.
"""

from typing import Any

from tracker.domain.completion import FAMILY, CompletionTerms, Work
from tracker.domain.subscription import EntryFilter, Subscription
from tracker.journal.entry import Entry
from tracker.ports import Store

_PAGE = 256


async def find_due(store: Store, subscription: Subscription, *, pages: int | None = None) -> None:
    """Read on for a subscription, and write down what it asks for.

    Args:
        store: The database.
        subscription: As it was just read.
        pages: At most so many; None: all that there are.
    """
    terms, left = subscription.completion, pages
    while terms is not None and left != 0:
        before = await store.completion_watch(subscription.id)
        page = await store.entries_after(max(before or 0, terms.after), _PAGE)
        if not page:
            return
        due = [work for entry in page for work in _asked_of(subscription, terms, entry)]
        is_written = await store.save_completion_watch(subscription, before, page[-1].sequence, due)
        if is_written and len(page) < _PAGE:
            return
        if not is_written and await store.completion_watch(subscription.id) == before:
            return  # it has other terms by now, or was deleted
        left = None if left is None else left - 1


def _asked_of(subscription: Subscription, terms: CompletionTerms, entry: Entry) -> list[Work]:
    """What an entry asks a subscriber for."""
    facts: dict[str, Any] = {"entry_type": entry.type, "provider": entry.provider, "kind": entry.kind}
    asks = EntryFilter(types=terms.types, to=terms.to)
    is_heard = all(wanted.passes(**facts, to=entry.to_status) for wanted in (subscription.entry_filter, asks))
    if not is_heard or entry.type.startswith(FAMILY):
        return []
    if entry.tracking_id is None or entry.provider is None:  # it is about no consent
        return []
    return [
        Work(
            subscription_id=subscription.id,
            sequence=entry.sequence,
            work=word,
            entry_id=entry.id,
            tracking_id=entry.tracking_id,
            provider=entry.provider,
            due_at=entry.recorded_at + terms.within,
        )
        for word in terms.work
    ]
