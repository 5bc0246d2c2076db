"""Writing down who looks at what: around handlers, after they know what they show and before anybody sees it.

What is written down is the caller's key, the address, the operation, the consent that it names or the consents that it shows, the
rest of the query, and the status. A search by user is written down as that, without the user.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from tracker.domain.consent import is_consent_id, is_provider_id
from tracker.domain.errors import TrackerError
from tracker.ports import ApiKey
from tracker.usecases.access import Look
from tracker.web.problems import STATUSES, code_of
from tracker.web.services import SERVICES

INTERACTION_ID: Final = "x-fapi-interaction-id"
_GOOD_ID = re.compile(r"[!-~]{1,128}")
_PERSONAL: Final = frozenset({"user_ref", "why"})
_NOT_ASKED: Final = frozenset({"cursor", "provider", "consent_id"})
_NOTHING_WAS_LOOKED_AT: Final = frozenset({"invalid_request", "cursor_invalid", "malformed_json"})
_OUR_OWN_FAULTS: Final = frozenset({"internal_error", "journal_forked", "not_ready"})
_TRACKING_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(slots=True)
class Shown:
    """What a handler shows; it says so before it answers.

    Attributes:
        tracking_id: The one consent that it is about.
        shown: How many, where it is not one.
        shown_ids: And which.
        asked: What else is to be known of the question.
        is_nothing: Nothing of any consent is shown: there is nothing to write down.
    """

    tracking_id: str | None = None
    shown: int | None = None
    shown_ids: tuple[str, ...] = ()
    asked: dict[str, Any] = field(default_factory=dict)
    is_nothing: bool = False


SHOWN = web.RequestKey("shown", Shown)


def shows(request: web.Request, tracking_id: str | None) -> None:
    """One consent is shown."""
    request[SHOWN] = Shown(tracking_id=tracking_id)


def shows_several(request: web.Request, tracking_ids: Iterable[str], **asked: Any) -> None:
    """Several consents are shown, or none."""
    ids = tuple(tracking_ids)
    request[SHOWN] = Shown(shown=len(ids), shown_ids=ids, asked=asked)


def shows_entries(request: web.Request, count: int, tracking_ids: Iterable[str], **asked: Any) -> None:
    """Entries are shown; of these consents with their personal values."""
    request[SHOWN] = Shown(shown=count, shown_ids=tuple(dict.fromkeys(tracking_ids)), asked=asked)


def shows_export(request: web.Request, **asked: Any) -> None:
    """An export is asked for, told of or given; what it holds is what was asked for. A user is left out."""
    given = {name: value for name, value in asked.items() if value is not None}
    request[SHOWN] = Shown(asked={name: True if name in _PERSONAL else str(value) for name, value in given.items()})


def shows_nothing(request: web.Request) -> None:
    """Nothing of any consent is shown."""
    request[SHOWN] = Shown(is_nothing=True)


async def looked(
    request: web.Request, key: ApiKey, what: str, handle: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Have a request answered, and write the look down before the answer goes out; so too if the answer is a no.

    Raises:
        StorageError: It could not be written down, and must be.
    """
    try:
        response = await handle()
    except TrackerError as error:
        status = refusal_of(error)
        if status is not None:
            await write_down(request, key, what, status)
        raise
    await write_down(request, key, what, response.status)
    return response


def refusal_of(error: TrackerError) -> int | None:
    """HTTP's status of a no that says something of a consent; None of one that does not."""
    code = code_of(error)
    return None if code in _OUR_OWN_FAULTS | _NOTHING_WAS_LOOKED_AT else STATUSES[code]


async def write_down(request: web.Request, key: ApiKey, what: str, status: int = 200) -> None:
    """Write a look down.

    Raises:
        StorageError: It could not be written down, and must be.
    """
    shown = request.get(SHOWN) or Shown()
    if shown.is_nothing:
        return
    services, named = request.app[SERVICES], {**request.query, **request.match_info}
    provider, consent_id = named.get("provider"), named.get("consent_id")
    sender = services.peers.sender(request)
    await services.accesses.record(
        Look(
            who=key.id,
            what=what,
            interaction_id=_interaction_id(request),
            tracking_id=shown.tracking_id or _tracking_id(request),
            provider=provider if provider is not None and is_provider_id(provider) else None,
            consent_id=consent_id if is_consent_id(consent_id) else None,
            asked=_asked(request.query) | shown.asked,
            shown=shown.shown,
            shown_ids=shown.shown_ids,
            peer=None if sender is None else str(sender),
            status=status,
        )
    )


def _asked(query: Mapping[str, str]) -> dict[str, Any]:
    return {name: True if name in _PERSONAL else text for name, text in query.items() if name not in _NOT_ASKED}


def _tracking_id(request: web.Request) -> str | None:
    """Our key, where the path names it: what is not there, or not any more, was asked for all the same."""
    given = request.match_info.get("tracking_id", "")
    return given if _TRACKING_ID.fullmatch(given) else None


def _interaction_id(request: web.Request) -> str | None:
    given = request.headers.get(INTERACTION_ID, "")
    return given if _GOOD_ID.fullmatch(given) else None
