"""A file of lines that grows by blocks: each is packed if need be, written, and noted as written, beside whoever makes the next.

Where a block ends depends on the lines alone. So a file that was cut off, and goes on behind the last block that was noted,
ends with the same bytes.
"""

import zlib
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import accumulate
from typing import Any, Final

from tracker.journal import deflate
from tracker.journal.folder import ExportError, ExportFolder, settle, sync

BLOCK_BYTES: Final = 1_048_576
"""A block ends with the line that makes it so long."""

_SAVE_EVERY: Final = 8
_MOST_WAITING: Final = 3


class Blocks:
    """One such file. Whatever was put in and is not noted yet is lost with the process.

    Attributes:
        size: How many bytes of the block that is not full yet there are.
    """

    def __init__(self, folder: ExportFolder, name: str, *, is_packed: bool) -> None:
        """Begin the file, or go on with it.

        Args:
            folder: Where it is; its state has `file`, what is known of this one.
            name: What it is called when it is whole.
            is_packed: Whether it is a gzip file.

        Raises:
            ExportError: It cannot be written.
        """
        self.name = name
        self.size = 0
        self._folder = folder
        self._is_packed = is_packed
        self._state: dict[str, int] = {"bytes": 0, "unpacked": 0, "crc": 0} | folder.state.get("file", {})
        self._file = folder.open(name, self._state["bytes"])
        self._lines: list[bytes] = []
        self._written = 0
        self._reached: Mapping[str, Any] | None = None  # the writer's state behind the last block that was written
        self._waiting: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="export")
        if is_packed and not self._state["bytes"]:
            self._state["bytes"] = self._file.write(deflate.HEADER)

    def put(self, lines: Sequence[bytes]) -> int:
        """Take lines up to the one that makes the block full, or all of them; how many."""
        ends = list(accumulate(map(len, lines), initial=self.size))
        taken = min(len(lines), bisect_left(ends, BLOCK_BYTES, lo=1))
        self._lines += lines[:taken]
        self.size = ends[taken]
        return taken

    @property
    def is_full(self) -> bool:
        """Whether the block is to be cut before anything is put in."""
        return self.size >= BLOCK_BYTES

    def cut(self, state: Mapping[str, Any]) -> None:
        """End a block.

        Args:
            state: What its writer needs to go on behind it.

        Raises:
            ExportError: A block before could not be written.
        """
        while len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft().result()
        block, self._lines, self.size = b"".join(self._lines), [], 0
        self._waiting.append(self._thread.submit(self._write, block, state))

    def _write(self, block: bytes, state: Mapping[str, Any]) -> None:
        data = deflate.packed(block) if self._is_packed else block
        with self._folder.told():
            self._state["bytes"] += self._file.write(data)
            self._state["unpacked"] += len(block)
            self._state["crc"] = zlib.crc32(block, self._state["crc"])
            self._written += 1
            self._reached = state
            if self._written % _SAVE_EVERY == 0:
                self._save(state)

    def _save(self, state: Mapping[str, Any]) -> None:
        sync(self._file)
        self._folder.save({**state, "file": self._state})

    def finish(self) -> None:
        """Write what waits, and end the file; there is no block that is not cut.

        Raises:
            ExportError: It cannot be written.
        """
        while self._waiting:
            self._waiting.popleft().result()
        self._thread.shutdown()
        with self._folder.told():
            if self._is_packed:
                self._file.write(deflate.trailer(self._state["crc"], self._state["unpacked"]))
            settle(self._file)

    def close(self) -> None:
        """Let go of the file, whole or not; what was cut of it and can be written is, and noted."""
        if self._file.closed:
            return
        self._thread.shutdown()
        has_failed = any(one.exception() for one in self._waiting)
        with suppress(OSError, ExportError):  # a full disk cannot take what is still buffered, and need not
            if self._reached is not None and not has_failed:
                self._save(self._reached)
        with suppress(OSError):
            self._file.close()
