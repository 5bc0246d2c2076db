"""Seal what stands in the database as it should not any more, a batch at a time, until there is nothing left.

What was written before values were encrypted is gone through once after the upgrade. After that there is something to do when
another key has come first in the ring.
"""

import logging

from tracker.ports import SealingBook

_log = logging.getLogger(__name__)

_AT_ONCE = 500
"""So many rows share a transaction: others wait for it for some hundredths of a second."""


class Sealing:
    """Goes on with it whenever it is run; where it stands is in the database.

    Attributes:
        sealed: How many rows it has sealed.
    """

    def __init__(self, book: SealingBook) -> None:
        """Take what knows the rows."""
        self._book = book
        self._untold: dict[str, int] = {}
        self.sealed = 0

    async def run_once(self) -> int:
        """Seal a batch. Gives 0 when there is nothing to do, or another process is at it."""
        step = await self._book.step(_AT_ONCE)
        if step is None:
            self._tell()
            return 0
        self.sealed += step.sealed
        self._untold[step.table] = self._untold.get(step.table, 0) + step.sealed
        if step.is_last:
            self._tell()
        return 1

    def _tell(self) -> None:
        for table, count in self._untold.items():
            if count:
                _log.info("%d rows of %s were encrypted that were not, or not with the first key", count, table)
        self._untold.clear()
