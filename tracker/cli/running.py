"""How commands get at the tracker: its configuration, its database, one deed."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from tracker.domain.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.settings import Settings

T = TypeVar("T")


def load() -> "Settings":
    """Read the configuration."""
    from tracker.profiles import PROFILES  # noqa: PLC0415 - the help should come at once
    from tracker.settings import load_settings  # noqa: PLC0415

    return load_settings(known_profiles=PROFILES)


def do(deed: "Callable[[Tracker], Coroutine[Any, Any, T]]", *, may_begin: bool = False) -> T:
    """Do one thing with the tracker, on the database of the configuration.

    Args:
        deed: What to do.
        may_begin: Whether it makes sense on a database that is not there yet. A question does not: in the wrong folder it
            would be answered from a new and empty one.

    Raises:
        ConfigurationError: The configuration or the database cannot be used.
    """
    from tracker.app import database_place, with_tracker  # noqa: PLC0415

    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="tracker: %(message)s")
    settings = load()
    place = database_place(settings)
    if not may_begin and not place.is_there():
        raise ConfigurationError(
            f"There is no database {place.told}: correct [database] url or the working directory, or begin with `tracker serve`."
        )
    return asyncio.run(with_tracker(settings, deed))


def split_name(text: str) -> tuple[str, str]:
    """Split P/ID at the first slash."""
    provider, slash, consent_id = text.partition("/")
    if not slash or not provider or not consent_id:
        raise InvalidRequestError(f"Name a consent as PROVIDER/CONSENT_ID, not {text!r}.")
    return provider, consent_id
