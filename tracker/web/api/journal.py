"""The change feed, by pulling."""

from aiohttp import web

from tracker.domain.subscription import EntryFilter
from tracker.web.api.operation import KEY, Operation, answer, query_of
from tracker.web.api.shapes.journal import JournalOut, JournalQuery, entry_json
from tracker.web.auth import PRIVATE_SCOPES
from tracker.web.services import Services


async def read(request: web.Request, services: Services) -> web.Response:
    """Read a page of the journal."""
    query = query_of(request, JournalQuery)
    types = () if query.types is None else tuple(query.types.split(","))
    page = await services.feed.read(query.after, query.limit, EntryFilter(types=types))
    with_private = bool(request[KEY].scopes & PRIVATE_SCOPES)
    items = tuple(entry_json(entry, with_private=with_private) for entry in page.entries)
    return answer(JournalOut(items=items, next_cursor=str(page.scanned)))


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/journal",
        scope="read",
        summary="Read the change feed",
        description=(
            "Entries in sequence, as CloudEvents. Pass `next_cursor` as `after` to go on, also after an empty page: it is the "
            "last sequence that was looked at, wanted or not. Beyond the end the page is empty. Personal values come along "
            "for keys with the scope `audit`."
        ),
        handle=read,
        query=JournalQuery,
        answers={200: JournalOut},
    ),
)
