"""A journal written to a folder that an auditor can keep, read with common tools and check without us.

    entries.jsonl.gz   one line for each entry, in sequence:
                       {"entry": leaf, "leaf_hash": hex, "private": … or null, "private_salt": base64url or null}
    manifest.json      what the folder holds, with size and root of the tree, and a signed checkpoint if there is one

Each line is in canonical form (RFC 8785), and the leaf in it is byte for byte what was hashed. The manifest appears
last, so a folder without one is an export that was cut off.
"""

import gzip
import io
import os
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from tracker.domain.errors import TrackerError
from tracker.journal.canonical import canonical
from tracker.journal.checkpoint import Checkpoint, parse_checkpoint, parse_note
from tracker.journal.entry import Entry
from tracker.journal.gap import fill, gap_of
from tracker.journal.manifest import ENTRIES_NAME, MANIFEST_NAME, Manifest
from tracker.journal.private import base64url
from tracker.journal.tree import Frontier

MAX_LINE_BYTES: Final = 4 * 1_048_576
"""The largest line that is written or read. An entry has about 1 KB; what holders send is limited far below this."""

_COMPRESSION: Final = 6
_BUFFER_BYTES: Final = 131_072


class ExportError(TrackerError):
    """The export cannot be written."""

    code = "export_failed"


def export_line(entry: Entry) -> bytes:
    """Write one entry as an export holds it, with its line feed.

    Raises:
        NotCanonicalError: Its private value has no canonical form.
    """
    private = b"null" if entry.private is None else canonical(dict(entry.private))
    salt = b"null" if entry.private_salt is None else b'"' + base64url(entry.private_salt).encode() + b'"'
    return b'{"entry":%b,"leaf_hash":"%b","private":%b,"private_salt":%b}\n' % (
        entry.leaf_bytes,
        entry.leaf_hash.hex().encode(),
        private,
        salt,
    )


class ExportWriter:
    """Writes one export, entry by entry, in constant memory. The same entries always give the same bytes.

    It is a context manager and leaves no file behind when it is left without `finish`. It blocks on the disk and on
    compression: an asynchronous caller hands it batches in a thread.
    """

    def __init__(self, folder: Path, *, journal_id: str) -> None:
        """Begin an export; the folder is made if it is not there.

        Args:
            folder: Where to; must not hold anything.
            journal_id: UUID of the journal.

        Raises:
            ExportError: There is something in the folder, or it cannot be written.
        """
        self._folder = folder
        self._journal_id = journal_id
        self._source = f"urn:uuid:{journal_id}"
        self._frontier = Frontier()
        self._lost = 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if any(folder.iterdir()):
                raise ExportError(f"{folder} is not empty: name a new folder, an export never adds to one.")
            self._file = _create(_partial(folder / ENTRIES_NAME))
        except OSError as error:
            raise ExportError(f"{folder} cannot be written: {error.strerror}.") from error
        # No name and no time in the gzip header: they would differ from export to export.
        packed = gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=self._file, mtime=0)
        self._lines = io.BufferedWriter(packed, _BUFFER_BYTES)
        self._is_finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_finished:
            self._discard()

    @property
    def size(self) -> int:
        """The sequence of the last entry that was added; 0 if there is none."""
        return self._frontier.size

    def checkpoint(self, origin: str) -> Checkpoint:
        """Say what is to be signed once all entries are added."""
        return Checkpoint(origin, self._frontier.size, self._frontier.root())

    def add(self, entry: Entry) -> None:
        """Add the next entry.

        Raises:
            ExportError: It is not the next one, is of another journal, is too large, or the disk is full.
            NotCanonicalError: Its private value has no canonical form.
        """
        gap = gap_of(entry.leaf)
        if (entry.sequence if gap is None else gap.first) != self.size + 1:
            raise ExportError(f"Entry {self.size + 1} is missing: entry {entry.sequence} came in its place.")
        if entry.source != self._source:
            raise ExportError(f"Entry {entry.sequence} is of another journal.")
        line = export_line(entry)
        if len(line) > MAX_LINE_BYTES:
            raise ExportError(f"Entry {entry.sequence} is larger than {MAX_LINE_BYTES} bytes.")
        try:
            self._lines.write(line)
        except OSError as error:
            raise ExportError(f"{self._folder} cannot be written: {error.strerror}.") from error
        if gap is not None:
            self._lost += gap.count
            fill(self._frontier, gap.count)
        self._frontier.append(entry.leaf_hash)

    def finish(self, checkpoint: str | None) -> Manifest:
        """Write what is left and the manifest, and give both files their names.

        Args:
            checkpoint: A signed note over exactly these entries; None if nobody signs.

        Returns:
            The manifest, as written.

        Raises:
            ExportError: The checkpoint is of other entries, or the disk is full.
            NoteError: The checkpoint is none.
        """
        if checkpoint is not None:
            self._require_own(checkpoint)
        try:
            self._lines.close()
            manifest = self._publish(checkpoint)
        except OSError as error:
            raise ExportError(f"{self._folder} cannot be written: {error.strerror}.") from error
        self._is_finished = True
        return manifest

    def _require_own(self, checkpoint: str) -> None:
        signed = parse_checkpoint(parse_note(checkpoint).text)
        if signed != self.checkpoint(signed.origin):
            raise ExportError("The checkpoint is not of these entries.")

    def _publish(self, checkpoint: str | None) -> Manifest:
        entries, cover = self._folder / ENTRIES_NAME, self._folder / MANIFEST_NAME
        _settle(self._file)
        with _partial(entries).open("rb") as written:
            digest = file_digest(written, "sha256").hexdigest()
        manifest = Manifest(
            journal_id=self._journal_id,
            count=self.size - self._lost,
            lost=self._lost,
            file_bytes=_partial(entries).stat().st_size,
            file_sha256=digest,
            root_hash=self._frontier.root().hex(),
            checkpoint=checkpoint,
        )
        with _create(_partial(cover)) as file:
            file.write(manifest.to_bytes())
            _settle(file)
        _partial(entries).rename(entries)
        _partial(cover).rename(cover)
        return manifest

    def _discard(self) -> None:
        for file in (self._lines, self._file):
            with suppress(OSError):  # a full disk cannot take what is still buffered, and need not
                file.close()
        for name in (ENTRIES_NAME, MANIFEST_NAME):
            _partial(self._folder / name).unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    """Name a file that is being written."""
    return path.with_name(f"{path.name}.partial")


def _create(path: Path) -> BinaryIO:
    """Make a file that was not there and that only we may read: it holds private values."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _settle(file: BinaryIO) -> None:
    """Have the disk keep what was written, then close."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
