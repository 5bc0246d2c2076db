"""`tracker consents import`: begin to track the consents of a file, a little at a time."""

import asyncio
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.import_results import ImportResults
from tracker.cli.looking import looked_at_several
from tracker.domain.consent import TrackingId
from tracker.usecases.register import MOST_IN_ONE_TRANSACTION
from tracker.web.api.shapes.imports import ImportRowIn, RowResultOut

if TYPE_CHECKING:
    from tracker.app import Tracker

_REST = 1.0
"""After each transaction we leave the file alone for this multiple of the time that it took: a service that runs beside us
and waits to write does not stand in line, it comes by now and then and looks whether there is room."""


async def import_rows(
    tracker: "Tracker",
    source: Path,
    results: ImportResults,
    *,
    is_rehearsal: bool,
    tell: Callable[[int], object],
) -> None:
    """Register the rows of a file that have no result yet, and write what came of each.

    Args:
        tracker: Where to.
        source: The file.
        results: Where to write it.
        is_rehearsal: Whether to keep nothing.
        tell: Is told how much of the file was read, in bytes.

    Raises:
        InvalidRequestError: The file cannot be read, or what stands in the place of the results is something else.
        StorageError: The database is away; the next run continues here.
    """
    clock = tracker.world.clock
    rows = results.rows_left(source)
    last = results.last_tracked
    if last is not None and await tracker.store.get_consent(TrackingId(last)) is None:
        rows = results.begin_again(source)  # the results are of another database, or an older copy was put back
    while part := list(islice(rows, MOST_IN_ONE_TRANSACTION)):
        sound = [row.said.registration() for row in part if isinstance(row.said, ImportRowIn)]
        began = clock.monotonic()
        done = iter(await tracker.services.registrar.register_many(sound, is_rehearsal=is_rehearsal))
        took = clock.monotonic() - began
        said = [(row, RowResultOut.of(next(done)) if isinstance(row.said, ImportRowIn) else row.said) for row in part]
        keys = [result.tracking_id for _, result in said if result.tracking_id is not None]
        await looked_at_several(tracker, "consent.register_batch", keys)
        results.add(said)
        tell(part[-1].read_bytes)
        await asyncio.sleep(took * _REST)
