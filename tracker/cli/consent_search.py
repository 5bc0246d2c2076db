"""A search for consents as options give it: read as the API reads its query, refused in the words of the options."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tracker.domain.consent import Status, TrackingId
from tracker.domain.errors import InvalidRequestError
from tracker.ports import ConsentQuery
from tracker.web.api.cursor import key_of
from tracker.web.api.shapes.consents import ConsentsQuery
from tracker.web.problems import Problem

if TYPE_CHECKING:
    from tracker.usecases.consult import ConsentView
    from tracker.web.services import Services

_OPTIONS = {"status": "holder-status"}
_STATUSES = ("status", "effective_status")
_TIMES = ("expiring_before", "updated_since", "known_at")


def search_of(**given: str | None) -> ConsentsQuery:
    """Read a search.

    Args:
        given: What is looked for, by the API's names; None does not narrow it.

    Raises:
        InvalidRequestError: No consent can be like that, or a time is none.
    """
    for name in _STATUSES:
        status = given.get(name)
        if status is not None and status not in set(Status):
            raise InvalidRequestError(f"There is no status {status!r}; there are {', '.join(Status)}.")
    try:
        return ConsentsQuery.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise InvalidRequestError(_refusal(str(error.errors()[0]["loc"][0]), given)) from error


def _refusal(name: str, given: Mapping[str, str | None]) -> str:
    option = _OPTIONS.get(name, name.replace("_", "-"))
    if name in _TIMES:
        return (
            f"--{option} {given[name]!r} is no time with an offset; "
            "write 2026-03-02T10:15:00Z, or 2026-03-02T14:15:00+04:00."
        )
    return f"No consent can have this --{option}; correct it."


def one_status(long: str | None, short: str | None) -> str | None:
    """What `--effective-status` says, or its short name.

    Raises:
        InvalidRequestError: Both were given, and differ.
    """
    if long is not None and short is not None and long != short:
        raise InvalidRequestError("--status is short for --effective-status: give one of them.")
    return short if long is None else long


def place_in(search: ConsentsQuery) -> str | None:
    """Where its cursor goes on.

    Raises:
        InvalidRequestError: It is the cursor of another list.
    """
    try:
        return None if search.cursor is None else key_of(search.cursor, search)
    except Problem as error:
        raise InvalidRequestError("This --cursor is not of this list: repeat the options that it came with.") from error


async def search(
    services: "Services", query: ConsentQuery, known_at: datetime | None
) -> "tuple[list[ConsentView], TrackingId | None]":
    """Search, today or among what we believed.

    Args:
        services: The use cases.
        query: What for; its limit is one more than are wanted, to see whether there are more.
        known_at: What we believed at this time; None: what is so now.

    Returns:
        What was found, and behind what the list goes on; None: nowhere.
    """
    if known_at is None:
        found = list(await services.consulting.search(query))
        page = found[: query.limit - 1]
        return page, page[-1].consent.tracking_id if len(found) == query.limit else None
    wanted, page = replace(query, limit=query.limit - 1), []
    while True:
        part = await services.believing.search(wanted, known_at)
        page += part.items
        if part.last is None or len(page) == query.limit - 1:
            return page, part.last
        wanted = replace(wanted, after=part.last, limit=query.limit - 1 - len(page))
