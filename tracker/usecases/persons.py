"""All consents of one person, whichever provider they are of."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from tracker.domain.tracked import TrackedConsent
from tracker.ports import ConsentQuery, Store

_PAGE = 200
_ANY_TIME = datetime.min.replace(tzinfo=UTC)


async def consents_of(store: Store, user_ref: str) -> AsyncIterator[TrackedConsent]:
    """A person's consents in the order in which they were registered; of providers that are not configured any more too.

    Raises:
        StorageError: The database is away, or a row cannot be read: then nobody can say what is held of this person.
    """
    after: str | None = None
    while True:
        # The time counts for questions about statuses alone; this is none.
        query = ConsentQuery(user_ref=user_ref, after=after, limit=_PAGE)
        page = await store.search(query, _ANY_TIME)
        for consent in page:
            yield consent
        if len(page) < _PAGE:
            return
        after = page[-1].tracking_id
