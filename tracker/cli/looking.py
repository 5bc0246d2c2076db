"""Looks from the command line: found by name, and written down before anything is printed."""

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.usecases.consult import ConsentView


@asynccontextmanager
async def looking_for(tracker: "Tracker", what: str, provider: str, consent_id: str) -> AsyncIterator[None]:
    """Have a look at one consent; if the answer is a no, write down that it was asked for.

    Raises:
        StorageError: It could not be written down, and must be.
    """
    from tracker.domain.consent import is_consent_id, is_provider_id  # noqa: PLC0415
    from tracker.domain.errors import TrackerError  # noqa: PLC0415
    from tracker.usecases.access import Look  # noqa: PLC0415
    from tracker.web.looks import refusal_of  # noqa: PLC0415

    try:
        yield
    except TrackerError as error:
        status = refusal_of(error)
        if status is not None:
            await tracker.services.accesses.record(
                Look(
                    who=whoever(),
                    what=what,
                    provider=provider if is_provider_id(provider) else None,
                    consent_id=consent_id if is_consent_id(consent_id) else None,
                    status=status,
                )
            )
        raise


async def find(tracker: "Tracker", provider: str, consent_id: str, what: str) -> "ConsentView":
    """One consent, for a look.

    Raises:
        ConsentDisposedError: Nothing is left of it but its entries.
        ConsentNotFoundError: It is not tracked.
        StorageError: That could not be written down, and must be.
    """
    from tracker.domain.errors import ConsentDisposedError, ConsentNotFoundError  # noqa: PLC0415

    try:
        async with looking_for(tracker, what, provider, consent_id):
            return await tracker.services.consulting.get(provider, consent_id)
    except ConsentDisposedError:
        raise
    except ConsentNotFoundError as error:
        name = f"{provider}/{consent_id}"
        raise ConsentNotFoundError(f"{name} is not tracked; `tracker consents list` shows what is.") from error


async def looked(
    tracker: "Tracker", what: str, seen: "ConsentView", asked: Mapping[str, Any] | None = None
) -> "ConsentView":
    """Write down that one consent is shown; give it back.

    Raises:
        StorageError: It could not be written down, and must be: nothing may be shown.
    """
    consent = seen.consent
    await looked_at(tracker, what, consent.tracking_id, (consent.provider, consent.consent_id), asked)
    return seen


async def looked_at(
    tracker: "Tracker", what: str, tracking_id: str, name: tuple[str, str], asked: Mapping[str, Any] | None = None
) -> None:
    """Write down that one consent is shown, which may have been disposed of.

    Raises:
        StorageError: It could not be written down, and must be: nothing may be shown.
    """
    from tracker.usecases.access import Look  # noqa: PLC0415

    provider, consent_id = name
    await tracker.services.accesses.record(
        Look(
            who=whoever(),
            what=what,
            tracking_id=tracking_id,
            provider=provider,
            consent_id=consent_id,
            asked=_given(asked),
        )
    )


async def looked_at_several(
    tracker: "Tracker", what: str, tracking_ids: Iterable[str], asked: Mapping[str, Any] | None = None
) -> None:
    """Write down that several consents are shown; a user that was searched for is left out.

    Raises:
        StorageError: It could not be written down, and must be: nothing may be shown.
    """
    from tracker.usecases.access import Look  # noqa: PLC0415

    ids = tuple(tracking_ids)
    await tracker.services.accesses.record(
        Look(who=whoever(), what=what, asked=_given(asked), shown=len(ids), shown_ids=ids)
    )


async def exported(tracker: "Tracker", what: str, asked: Mapping[str, Any]) -> None:
    """Write down that an export begins; it holds what the question says.

    Raises:
        StorageError: It could not be written down, and must be: nothing may be exported.
    """
    from tracker.usecases.access import Look  # noqa: PLC0415

    await tracker.services.accesses.record(Look(who=whoever(), what=what, asked=_given(asked)))


def whoever() -> str:
    """Who looks: the user of the machine, as the system knows him and not as he calls himself."""
    from tracker.usecases.access import CLI  # noqa: PLC0415

    try:
        import pwd  # noqa: PLC0415 - not there on every system

        name = pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # a container's user often has no name
        name = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return CLI + name[:100]


def _given(asked: Mapping[str, Any] | None) -> dict[str, Any]:
    given = {} if asked is None else {name: value for name, value in asked.items() if value is not None}
    return {name: True if name == "user_ref" else str(value) for name, value in given.items()}
