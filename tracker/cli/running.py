"""How commands get at the tracker: its configuration, its database, one deed."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from tracker.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.settings import Settings

T = TypeVar("T")


def load() -> "Settings":
    """Read the configuration."""
    from tracker.profiles import PROFILES  # noqa: PLC0415 - the help should come at once
    from tracker.settings import load_settings  # noqa: PLC0415

    return load_settings(known_profiles=PROFILES)


def do(deed: "Callable[[Tracker], Coroutine[Any, Any, T]]", settings: "Settings | None" = None) -> T:
    """Do one thing with the tracker, on the database of the configuration."""
    from tracker.app import with_tracker  # noqa: PLC0415

    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="tracker: %(message)s")
    return asyncio.run(with_tracker(settings or load(), deed))


def split_name(text: str) -> tuple[str, str]:
    """Split P/ID at the first slash."""
    provider, slash, consent_id = text.partition("/")
    if not slash or not provider or not consent_id:
        raise InvalidRequestError(f"Name a consent as PROVIDER/CONSENT_ID, not {text!r}.")
    return provider, consent_id
