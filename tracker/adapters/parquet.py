"""Entries as Parquet, by pyarrow, which is an extra. Implements `ports.EntrySink`.

Parquet ends with what is known of all that stands before, and so cannot be gone on with in the middle of a file. Therefore an
export is several files, each of so many rows at most: one that was cut off is begun again, those before it stay.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from tracker.domain.errors import ExtraNotInstalledError
from tracker.journal.columns import COLUMNS, Content, cells
from tracker.journal.export import Row
from tracker.journal.folder import ExportFolder, partial
from tracker.journal.selection import Part

ROWS_IN_A_GROUP: Final = 16_384
"""So many rows are held in memory."""
GROUPS_IN_A_FILE: Final = 16

_PACKED_BY: Final = "zstd"


class ParquetWriter:
    """Writes entries to `entries-00001.parquet` and on; begun again, it goes on with the file that was cut off."""

    def __init__(self, folder: ExportFolder, part: Part) -> None:
        """Begin, or go on.

        Args:
            folder: Where to.
            part: What is written.

        Raises:
            ExtraNotInstalledError: There is no pyarrow.
        """
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError as error:
            raise ExtraNotInstalledError("Parquet needs pyarrow: install consent-tracker[parquet].") from error
        self._arrow, self._parquet = pa, parquet
        self._folder = folder
        self._schema = pa.schema([(name, _kind(pa, content)) for name, content in COLUMNS.items()])
        state = folder.state
        self.position: int = state.get("position", part.first - 1)
        self.count: int = state.get("count", 0)
        self.names: list[str] = list(state.get("names", ()))
        self._rows: list[list[Any]] = []
        self._groups = 0
        self._file: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(
        self, rows: Sequence[Row], proofs: Mapping[int, Sequence[bytes]] | None = None, *, up_to: int | None = None
    ) -> None:
        """Add the next entries.

        Raises:
            ExportError: They cannot be written.
        """
        del proofs  # a table is in no tree
        for row in rows:
            self._rows.append(cells(row))
            self.position = row[0]
            self.count += 1
            if len(self._rows) == ROWS_IN_A_GROUP:
                self._write_group()
        if up_to is not None:
            self.position = max(self.position, up_to)

    def finish(self) -> list[str]:
        """Write what is left; the names of the files.

        Raises:
            ExportError: They cannot be written.
        """
        if self._rows or not (self.names or self._file):
            self._write_group()
        if self._file is not None:
            self._end_file()
        return self.names

    def _write_group(self) -> None:
        columns = zip(*self._rows, strict=True) if self._rows else ([] for _ in COLUMNS)
        arrays = [
            self._arrow.array(_typed(column, content), field.type)
            for column, content, field in zip(columns, COLUMNS.values(), self._schema, strict=True)
        ]
        self._rows = []
        with self._folder.told():
            self._opened().write_table(self._arrow.table(arrays, schema=self._schema), ROWS_IN_A_GROUP)
        self._groups += 1
        if self._groups == GROUPS_IN_A_FILE:
            self._end_file()

    def _opened(self) -> Any:
        if self._file is None:
            name = f"entries-{len(self.names) + 1:05d}.parquet"
            self._folder.open(name, 0).close()  # ours alone to read, and empty
            path = partial(self._folder.path / name)
            self._file = self._parquet.ParquetWriter(path, self._schema, compression=_PACKED_BY)
            self.names.append(name)
            self._groups = 0
        return self._file

    def _end_file(self) -> None:
        if self._file is None:
            return
        with self._folder.told():
            self._file.close()
            self._folder.sync(self.names[-1])
        self._file = None
        self._folder.save({"position": self.position, "count": self.count, "names": self.names})


def _kind(arrow: Any, content: Content) -> Any:
    kinds = {
        Content.NUMBER: arrow.int64(),
        Content.FLAG: arrow.bool_(),
        Content.TIME: arrow.timestamp("us", tz="UTC"),
    }
    return kinds.get(content, arrow.string())


def _typed(column: Iterable[Any], content: Content) -> list[Any]:
    if content is not Content.TIME:
        return list(column)
    return [None if text is None else datetime.fromisoformat(text) for text in column]
