"""The results of an import: one line a row, written as the rows are done. They are also how far it has come."""

import fcntl
import json
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tracker.cli.registration_files import Row, read_rows
from tracker.domain.errors import InvalidRequestError
from tracker.web.api.shapes.imports import ImportRowIn, RowResult, RowResultOut

_BEGINS = b'{"row": '
_SHOWN = 5


class ImportResults:
    """The results file of one run.

    Attributes:
        counts: How many rows came to what, those of an earlier run too.
        continued: How many rows an earlier run had done.
        last_tracked: The last tracking id that an earlier run got for a row.
        refusals: The first rows that were refused in this run, for people.
    """

    def __init__(self, path: Path, *, is_rehearsal: bool) -> None:
        self._path = path
        self._is_rehearsal = is_rehearsal
        self._file: IO[str] | None = None
        self._lock: int | None = None
        self.counts: Counter[str] = Counter()
        self.continued = 0
        self.last_tracked: str | None = None
        self.refusals: list[str] = []

    def rows_left(self, source: Path) -> Iterator[Row]:
        """Read the rows that have no result yet.

        An earlier run that was interrupted is continued. If it had come to its end, or the file is not the one that it read,
        it all begins again: to register again does no harm.

        Raises:
            InvalidRequestError: The file is none, or what stands in the place of the results is something else.
        """
        rows = read_rows(source)
        following = next(rows, None)  # a file that is none is refused before any results are made
        self._have_it_alone()
        kept = 0
        with self._path.open("rb") as earlier:
            for line in earlier:
                said = self._read(line)
                if said is None:
                    break  # torn: the run died while it wrote
                if following is None or not self._is_of(said, following):
                    return self.begin_again(source)
                kept += len(line)
                self.counts[said["result"]] += 1
                self.continued += 1
                if not self._is_rehearsal:
                    self.last_tracked = said.get("tracking_id", self.last_tracked)
                following = next(rows, None)
        if following is None:
            return self.begin_again(source)
        self._open(kept)
        return chain([following], rows)

    def begin_again(self, source: Path) -> Iterator[Row]:
        """Read all rows, and forget what an earlier run wrote."""
        self.counts.clear()
        self.continued, self.last_tracked = 0, None
        self._open(0)
        return read_rows(source)

    def add(self, done: Sequence[tuple[Row, RowResultOut]]) -> None:
        """Write what came of some rows, after it is so."""
        lines: list[str] = []
        for row, result in done:
            told: dict[str, Any] = {"row": row.number, "digest": row.digest}
            if isinstance(row.said, ImportRowIn):
                told |= {"provider": row.said.provider, "consent_id": row.said.consent_id}
            if self._is_rehearsal:
                told["dry_run"] = True
            lines.append(json.dumps(told | result.model_dump(mode="json", exclude_defaults=True)) + "\n")
            self.counts[result.result.value] += 1
            if result.result.is_refusal and len(self.refusals) < _SHOWN:
                self.refusals.append(f"row {row.number}: {result.code}: {result.detail or 'see the log'}")
        if self._file is None:
            raise ValueError("There is no file yet.")
        self._file.writelines(lines)
        self._file.flush()

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return sum(count for result, count in self.counts.items() if RowResult(result).is_refusal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, and let others have it."""
        self._close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ------------------------------------------------------------------------------------------ inside

    def _have_it_alone(self) -> None:
        """Two that write the same results would tear each other's lines; the lock ends with us, however we end."""
        if self._lock is not None:
            return
        self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not stat.S_ISREG(os.fstat(self._lock).st_mode):
            raise InvalidRequestError(f"{self._path} is no ordinary file; name another place with --results.")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidRequestError(
                f"Another import is writing {self._path}; wait for its end, or name another place with --results."
            ) from error

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, kept: int) -> None:
        self._close()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)  # it names customers' consents
        os.ftruncate(descriptor, kept)
        os.lseek(descriptor, kept, os.SEEK_SET)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")

    def _is_of(self, said: dict[str, Any], row: Row) -> bool:
        return bool(said["digest"] == row.digest and said.get("dry_run", False) is self._is_rehearsal)

    def _read(self, line: bytes) -> dict[str, Any] | None:
        if not line.endswith(b"\n") and line[: len(_BEGINS)] == _BEGINS[: len(line)]:
            return None
        try:
            said = json.loads(line)
            if said["result"] in set(RowResult) and isinstance(said["digest"], str):
                return dict(said)
        except (ValueError, TypeError, KeyError):
            pass
        raise InvalidRequestError(f"{self._path} is not what an import wrote; name another place with --results.")
