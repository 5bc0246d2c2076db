"""Time, ids and randomness of the real world."""

import secrets
import time
from datetime import UTC, datetime
from threading import Lock
from typing import Final

_POOL_BYTES: Final = 4096
_DOUBLE_BITS: Final = 53


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of a clock that is never set."""
        return time.monotonic()


class _Pool:
    """The machine's randomness, fetched in pieces.

    Each fetch is a call of the system that lets go of the interpreter: one for each id waits each time for other threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._bytes = b""
        self._used = 0

    def take(self, size: int) -> bytes:
        """So many unguessable bytes, given to nobody else."""
        with self._lock:
            if self._used + size > len(self._bytes):
                self._bytes, self._used = secrets.token_bytes(max(size, _POOL_BYTES)), 0
            self._used += size
            return self._bytes[self._used - size : self._used]

    def bits(self, count: int) -> int:
        """A number from 0 up to 2 to the power of `count`."""
        size = (count + 7) // 8
        return int.from_bytes(self.take(size)) >> (size * 8 - count)


class SystemIds:
    """UUIDs; the ordered ones also rise within a millisecond and while the clock steps back.

    Spec: RFC 9562 §5.7 and §6.2, method 2 (monotonic random).
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0
        self._pool = _Pool()

    def ordered(self) -> str:
        """Make a UUIDv7."""
        fresh = (time.time_ns() // 1_000_000) << 74 | self._pool.bits(74)
        with self._lock:
            self._last = fresh if fresh > self._last else self._last + 1 + self._pool.bits(32)
            value = self._last
        high, low = value >> 62, value & ((1 << 62) - 1)
        stamp, random_a = high >> 12, high & 0xFFF
        return _uuid(stamp << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | low)

    def random(self) -> str:
        """Make a UUIDv4."""
        value = self._pool.bits(128)
        return _uuid(value & ~(0xF << 76 | 0b11 << 62) | 0x4 << 76 | 0b10 << 62)


def _uuid(value: int) -> str:
    """Write a UUID; `uuid.UUID` takes five times as long."""
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class SystemEntropy:
    """The machine's randomness."""

    def __init__(self) -> None:
        self._pool = _Pool()

    def token(self, size: int) -> bytes:
        """So many unguessable bytes."""
        return self._pool.take(size)

    def fraction(self) -> float:
        """A number from 0 up to 1."""
        return self._pool.bits(_DOUBLE_BITS) / (1 << _DOUBLE_BITS)
