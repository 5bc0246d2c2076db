"""The change feed, by pulling, by waiting, and as server-sent events."""

from contextlib import suppress
from typing import Final

from aiohttp import ClientConnectionResetError, hdrs, web

from tracker.domain.errors import JournalTruncatedError, StorageError
from tracker.domain.subscription import EntryFilter
from tracker.usecases.feed import FeedPage
from tracker.web.api.operation import KEY, Operation, answer, query_of
from tracker.web.api.shapes.journal import EntryOut, JournalOut, JournalQuery, StreamQuery, entry_json, types_of
from tracker.web.auth import PRIVATE_SCOPES, require_scope
from tracker.web.connections import awaiting_peer
from tracker.web.looks import shows_entries, shows_nothing, write_down
from tracker.web.problems import NO_STORE, Problem
from tracker.web.services import Services

HEARTBEAT_SECONDS: Final = 15.0
"""A stream is never silent for longer; in between the key is looked at again."""
_SCOPE = "read"
_AT_ONCE = 64
_LAST_EVENT_ID = "Last-Event-ID"
_LAST_SEQUENCE = 2**63


async def read(request: web.Request, services: Services) -> web.Response:
    """Read a page of the journal."""
    query = query_of(request, JournalQuery)
    wanted = EntryFilter(types=types_of(query))
    if query.wait:
        with awaiting_peer(request):
            page = await services.feed.await_page(query.after, query.limit, wanted, query.wait)
    else:
        page = await services.feed.read(query.after, query.limit, wanted)
    with_private = _may_see_private(request)
    _note(request, page, with_private=with_private)
    items = tuple(entry_json(entry, with_private=with_private) for entry in page.entries)
    return answer(JournalOut(items=items, next_cursor=str(page.scanned)))


def _note(request: web.Request, page: FeedPage, *, with_private: bool) -> None:
    """Say what a page shows: without personal values so many entries up to a sequence, with them of which consents too."""
    if not page.entries:
        shows_nothing(request)
        return
    keys = (one.tracking_id for one in page.entries if with_private and one.tracking_id is not None)
    shows_entries(request, len(page.entries), keys, last=page.scanned, private=with_private)


async def stream(request: web.Request, services: Services) -> web.StreamResponse:
    """Follow the journal."""
    query = query_of(request, StreamQuery)
    after = _last_event_id(request)
    if after is None:
        after = await services.feed.head() if query.after is None else query.after
    await services.feed.require_there(after)
    shows_entries(request, 0, (), after=after, private=_may_see_private(request))
    await write_down(request, request[KEY], "journal.stream")
    headers = {**NO_STORE, "X-Accel-Buffering": "no"}  # proxies would keep entries back until they have enough of them
    response = web.StreamResponse(headers=headers)
    response.content_type, response.charset = "text/event-stream", "utf-8"
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    # What goes wrong from here on can only be told by ending it: whoever comes again goes on where this one ended.
    with awaiting_peer(request), suppress(ClientConnectionResetError, StorageError, JournalTruncatedError, Problem):
        await _follow(request, services, response, after, EntryFilter(types=types_of(query)))
    return response


async def _follow(
    request: web.Request, services: Services, response: web.StreamResponse, after: int, wanted: EntryFilter
) -> None:
    """Tell what comes, until the other side or we have had enough. Who is slow is waited for, with a page in hand."""
    await response.write(_cursor(after))  # whoever is cut off before the first entry knows where to go on too
    while not services.feed.is_closed:
        page = await services.feed.await_page(after, _AT_ONCE, wanted, HEARTBEAT_SECONDS)
        request[KEY] = await require_scope(request, _SCOPE)
        with_private = _may_see_private(request)
        told = b"".join(
            b"id: %d\ndata: %b\n\n" % (entry.sequence, entry.told(with_private=with_private)) for entry in page.entries
        )
        after = page.scanned
        if page.entries and with_private:
            _note(request, page, with_private=True)
            await write_down(request, request[KEY], "journal.stream")
        await response.write(told or _cursor(after))


def _cursor(sequence: int) -> bytes:
    """An event without data: it is not told to the page's script, but the browser goes on behind it.

    Spec: HTML Living Standard §9.2.6.
    """
    return b"id: %d\n\n" % sequence


def _last_event_id(request: web.Request) -> int | None:
    text = request.headers.get(_LAST_EVENT_ID)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _LAST_SEQUENCE):  # noqa: PLR2004
        raise Problem("cursor_invalid")
    return int(text)


def _may_see_private(request: web.Request) -> bool:
    return bool(request[KEY].scopes & PRIVATE_SCOPES)


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/journal",
        scope=_SCOPE,
        summary="Read the change feed",
        description=(
            "Entries in sequence, as CloudEvents. Pass `next_cursor` as `after` to go on, also after an empty page: it is the "
            "last sequence that was looked at, wanted or not. Beyond the end the page is empty, at once or, with `wait`, after "
            "so many seconds without an entry. Personal values come along for keys with the scope `audit`."
        ),
        handle=read,
        look="journal.feed",
        query=JournalQuery,
        answers={200: JournalOut},
        problems=("journal_truncated",),
    ),
    Operation(
        method="GET",
        path="/v1/journal/stream",
        scope=_SCOPE,
        summary="Follow the change feed",
        description=(
            "Entries in sequence, as server-sent events: `id` is the sequence, `data` the entry. Send the last `id` as "
            "`Last-Event-ID` to go on where you were, as browsers do by themselves; it counts before `after`, and without "
            "either the stream begins at the journal's end. An `id` without `data` comes at the beginning and after 15 s "
            "without an entry, and says how far was looked. It ends when the key does, when we stop, or when another "
            "connection needs its place: then come again."
        ),
        handle=stream,
        query=StreamQuery,
        answers={200: EntryOut},
        is_stream=True,
        problems=("cursor_invalid", "journal_truncated"),
    ),
)
