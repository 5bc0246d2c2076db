"""How what is secret stands in the database, and encrypting what does not stand as it should."""

import asyncio
import logging
from collections.abc import Mapping

from tracker.adapters.store.vault import Sealing as Standing
from tracker.app.composition import Tracker
from tracker.app.findings import Finding
from tracker.domain.errors import ConfigurationError
from tracker.settings import Settings
from tracker.usecases.sealing import Sealing
from tracker.usecases.wake import Bell
from tracker.worker import Loop

_log = logging.getLogger(__name__)

_SEAL = "run `tracker keys seal`"
_MAKE = "make a key with `tracker keys make secrets` and name it in [security] at_rest_keys"
_LOOK_SECONDS = 30.0
_APART_SECONDS = 0.1  # others write between two batches
_OTHERS_SECONDS = 0.2


def warn_of_no_ring(settings: Settings) -> None:
    """Say at the start that there is none."""
    if settings.at_rest_keys is None:
        _log.warning(
            "The secrets of subscriptions and the keys of consents are not encrypted in the database: there is no at_rest_keys"
        )


def sealing_loop(tracker: Tracker) -> Loop:
    """What encrypts in the background whatever does not stand as it should."""
    run = Sealing(tracker.store.sealing).run_once
    return Loop(name="sealing", run=run, bell=Bell(), wait_seconds=_LOOK_SECONDS, apart_seconds=_APART_SECONDS)


async def secrets_finding(tracker: Tracker) -> Finding:
    """Say whether the secrets of subscriptions are encrypted, and whether all of them can be read."""
    standing = await tracker.store.secrets_standing()
    locked, old = standing[Standing.LOCKED], standing[Standing.OLD]
    if locked:
        text = f"those of {locked} subscription(s) cannot be read, and these are not told; put the key back into at_rest_keys"
        return Finding("secrets", text, ok=False)
    if tracker.settings.at_rest_keys is None:
        return Finding(
            "secrets", f"those of subscriptions are not encrypted in the database; {_MAKE}", ok=True, warns=True
        )
    if old:
        text = f"those of {old} subscription(s) are not encrypted with the first key; {_SEAL}"
        return Finding("secrets", text, ok=True, warns=True)
    return Finding("secrets", "those of subscriptions are encrypted", ok=True)


async def at_rest_finding(tracker: Tracker) -> Finding:
    """Say what about people stands unencrypted in the database, and how much."""
    found = await tracker.store.sealing.standing()
    if found.locked_keys:
        text = f"the keys of {_counted(found.locked_keys)} cannot be opened; put the named keys back into at_rest_keys"
        return Finding("at rest", text, ok=False, stops=True)
    if found.plain_rows:
        rows = ", ".join(f"{count} of {table}" for table, count in found.plain_rows.items())
        text = f"rows of an older version are not encrypted yet: {rows}; the service does it while it runs, or {_SEAL}"
        return Finding("at rest", text, ok=True, warns=True)
    if tracker.settings.at_rest_keys is None:
        text = f"values are encrypted under {found.keys} key(s) of consents, which stand in the database as they are; {_MAKE}"
        return Finding("at rest", text, ok=True, warns=True)
    if late := found.bare_keys + found.old_keys:
        text = f"{late} key(s) of consents are not encrypted with the first key; the service does it while it runs, or {_SEAL}"
        return Finding("at rest", text, ok=True, warns=True)
    return Finding("at rest", f"values are encrypted under {found.keys} key(s) of consents, and these too", ok=True)


async def seal_secrets(tracker: Tracker) -> list[str]:
    """Encrypt all that does not stand as it should, and say what was done. It may run beside the service.

    Raises:
        ConfigurationError: There is no key, or something cannot be read.
    """
    if tracker.settings.at_rest_keys is None:
        raise ConfigurationError(
            "There is no key to encrypt with; make one with `tracker keys make secrets` and name it in [security] at_rest_keys."
        )
    stood = await tracker.store.seal_again()
    if locked := stood[Standing.LOCKED]:
        raise ConfigurationError(
            f"The secrets of {locked} subscription(s) cannot be read; put the key back with which they were encrypted, or give "
            "them others with `tracker subscriptions rotate-secret`."
        )
    said = [f"{stood[Standing.OLD]} encrypted now, {stood[Standing.CURRENT]} before."]
    if count := await _seal_values(tracker):
        said.append(f"Of consents, {count} keys and rows were encrypted too.")
    return said


async def _seal_values(tracker: Tracker) -> int:
    """Go through all rows once more: an older version may have written some since."""
    book, count = tracker.store.sealing, 0
    await book.begin_anew()
    sealing = Sealing(book)
    while not await book.is_done():
        if not await sealing.run_once():  # a running service is at it
            await asyncio.sleep(_OTHERS_SECONDS)
        count = sealing.sealed
    return count


def _counted(keys: Mapping[str, int]) -> str:
    return ", ".join(f"{count} consent(s) under {kid!r}" for kid, count in keys.items())
