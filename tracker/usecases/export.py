"""Write the whole journal out, so that auditors can verify it without us."""

from collections.abc import Callable
from pathlib import Path

from tracker.journal.export import ExportError, ExportWriter
from tracker.journal.manifest import Manifest
from tracker.ports import Store
from tracker.usecases.checkpoints import Checkpointing

_PAGE = 1000


class Exporting:
    """Exports the journal in constant memory, page by page: no snapshot is held open meanwhile."""

    def __init__(self, store: Store, checkpoints: Checkpointing) -> None:
        self._store = store
        self._checkpoints = checkpoints

    async def export(self, folder: Path, progress: Callable[[int, int], None] = lambda _done, _all: None) -> Manifest:
        """Write all entries that there are now into a new folder, with a checkpoint if there is a key to sign one.

        Args:
            folder: Where to; made if it is not there, refused if it holds anything.
            progress: Told how many entries of how many are written.

        Raises:
            ExportError: It cannot be written, or the entries are not those of the checkpoint.
            JournalForkedError: The journal does not begin with what was signed of it before.
            StorageError: It cannot be read.
        """
        checkpoint = await self._checkpoints.at_head()
        head = await self._store.head() if checkpoint is None else checkpoint.size
        with ExportWriter(folder, journal_id=await self._store.journal_id()) as writer:
            while writer.size < head:
                page = await self._store.entries_after(writer.size, min(_PAGE, head - writer.size), head)
                for entry in page:
                    writer.add(entry)
                progress(writer.size, head)
                if not page:
                    raise ExportError(f"Entry {writer.size + 1} is missing: try `tracker journal verify --database`.")
            return writer.finish(None if checkpoint is None else checkpoint.note)
