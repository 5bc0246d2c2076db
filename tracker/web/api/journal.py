"""The change feed, by pulling."""

from typing import Any

from aiohttp import web

from tracker.domain.subscription import EntryFilter
from tracker.journal.entry import Entry, base64url
from tracker.web.api.operation import KEY, Operation, answer, query_of
from tracker.web.api.schemas import JournalOut, JournalQuery
from tracker.web.services import Services


async def read(request: web.Request, services: Services) -> web.Response:
    """Read a page of the journal."""
    query = query_of(request, JournalQuery)
    types = tuple(part.strip() for part in (query.types or "").split(",") if part.strip())
    page = await services.feed.read(query.after, query.limit, EntryFilter(types=types))
    may_see_private = bool(request[KEY].scopes & {"audit", "admin"})
    items = tuple(_shown(entry, private=may_see_private) for entry in page.entries)
    return answer(JournalOut(items=items, next_cursor=str(page.scanned)))


def _shown(entry: Entry, *, private: bool) -> dict[str, Any]:
    shown = dict(entry.leaf)
    if private:
        shown["private"] = entry.private
        shown["private_salt"] = None if entry.private_salt is None else base64url(entry.private_salt)
    return shown


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/journal",
        scope="read",
        summary="Read the change feed",
        description=(
            "Entries in sequence, as CloudEvents. Pass `next_cursor` as `after` to go on; beyond the end the page is empty. "
            "Personal values come along for keys with the scope `audit`."
        ),
        handle=read,
        query=JournalQuery,
        answers={200: JournalOut},
    ),
)
