"""Files of consents that were made elsewhere: one JSON object a line, or CSV. Read row by row, however long they are.

What is wrong with a row stays with that row; only what makes the whole file unreadable is an error.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from tracker.domain.errors import InvalidRequestError
from tracker.domain.strict_json import NotStrictJsonError
from tracker.domain.strict_json import loads as strict_loads
from tracker.web.api.shapes.imports import ImportRowIn, RowResult, RowResultOut

LARGEST_ROW_BYTES = 1024 * 1024
_COLUMNS = tuple(ImportRowIn.model_fields)
_REQUIRED = tuple(name for name, field in ImportRowIn.model_fields.items() if field.is_required())
_BOM = b"\xef\xbb\xbf"
_UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_BETWEEN_PERMISSIONS = re.compile(r"[\s;]+")
_NOT_UTF_8 = re.compile(r"[\ud800-\udfff]")


_Read = Generator[tuple[bytes, ImportRowIn | RowResultOut], None, None]


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        number: The first row is 1; blank lines and the header are none.
        digest: Of what stands in it, to know it again.
        said: What it says; or, if it makes no sense, what came of it.
        read_bytes: How much of the file was read for it and the rows before.
    """

    number: int
    digest: str
    said: ImportRowIn | RowResultOut
    read_bytes: int


def read_rows(path: Path) -> Generator[Row, None, None]:
    """Read a file's rows.

    Raises:
        InvalidRequestError: It is no such file: its name has another ending, or its header says something else.
        OSError: It cannot be read.
    """
    readers = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv_records}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidRequestError(f"{path} is neither .jsonl nor .csv; name it as what it is.")
    if path.exists() and not path.is_file():  # a pipe can be read once, and may never say anything
        raise InvalidRequestError(f"{path} is no ordinary file; save it as one, which can be read again.")
    # From the inside out: what is read through text lets go of the file before that is closed.
    with path.open("rb") as file, closing(reader(file, path)) as found:
        if file.read(2) in _UTF_16_BOMS:
            raise InvalidRequestError(f"{path} is in UTF-16; save it in UTF-8.")
        file.seek(0)
        for number, (raw, said) in enumerate(found, start=1):
            yield Row(number, hashlib.sha256(raw).hexdigest()[:16], said, file.tell())


def _invalid(detail: str, code: str = "malformed_json") -> RowResultOut:
    return RowResultOut(result=RowResult.INVALID, code=code, detail=detail)


# ------------------------------------------------------------------------------------------------ JSON


def _json_lines(file: BinaryIO, _: Path) -> _Read:
    is_first = True
    while line := file.readline(LARGEST_ROW_BYTES + 1):
        if is_first:
            line, is_first = line.removeprefix(_BOM), False
        if len(line) > LARGEST_ROW_BYTES:
            while (rest := file.readline(LARGEST_ROW_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield line, _invalid(f"The row is larger than {LARGEST_ROW_BYTES} bytes.")
        elif line.strip():
            yield line.strip(), _from_json(line)


def _from_json(line: bytes) -> ImportRowIn | RowResultOut:
    try:
        strict_loads(line)
        return ImportRowIn.model_validate_json(line)
    except NotStrictJsonError as error:
        return _invalid(str(error))
    except ValidationError as error:
        return RowResultOut.faulty(error)


# ------------------------------------------------------------------------------------------------ CSV


def _csv_records(file: BinaryIO, path: Path) -> _Read:
    """Spec: RFC 4180; UTF-8, with or without a byte order mark."""
    # Never closed here: it would close the file, which is not ours.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    records = csv.reader(text, strict=True)
    try:
        try:
            first = next(records, [])
        except csv.Error as error:
            raise InvalidRequestError(f"The first line of {path} is not CSV as in RFC 4180: {error}.") from error
        header = _header(first, path)
        while True:
            try:
                cells = next(records)
            except StopIteration:
                return
            except csv.Error as error:
                yield (
                    str(records.line_num).encode(),
                    _invalid(f"This is not CSV as in RFC 4180: {error}.", "malformed_csv"),
                )
                continue
            if cells:
                yield json.dumps(cells).encode(), _from_cells(header, cells)
    finally:
        text.detach()


def _header(names: Sequence[str], path: Path) -> Sequence[str]:
    known = ", ".join(_COLUMNS)
    if len(names) == 1 and re.search(r"[;\t]", names[0]):
        raise InvalidRequestError(f"The columns of {path} are not separated by commas; save it with commas.")
    for name in names:
        if name not in _COLUMNS:
            raise InvalidRequestError(f"{path} has a column {name!r}; the first line names the columns, among {known}.")
        if names.count(name) > 1:
            raise InvalidRequestError(f"{path} has the column {name!r} twice; leave one out.")
    for name in _REQUIRED:
        if name not in names:
            raise InvalidRequestError(
                f"{path} has no column {name!r}; its first line names the columns, among {known}."
            )
    return names


def _from_cells(header: Sequence[str], cells: Sequence[str]) -> ImportRowIn | RowResultOut:
    if len(cells) != len(header):
        return _invalid(f"The row has {len(cells)} cells and the header {len(header)}.", "malformed_csv")
    if any(_NOT_UTF_8.search(cell) for cell in cells):
        return _invalid("The row is not UTF-8.", "malformed_csv")
    given: dict[str, Any] = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    if "permissions" in given:
        given["permissions"] = [one for one in _BETWEEN_PERMISSIONS.split(given["permissions"]) if one]
    try:
        if "terms" in given:
            given["terms"] = strict_loads(given["terms"].encode())
        return ImportRowIn.model_validate(given)
    except NotStrictJsonError as error:
        return _invalid(f"/terms: {error}")
    except ValidationError as error:
        return RowResultOut.faulty(error)
