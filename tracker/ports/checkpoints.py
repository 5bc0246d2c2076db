"""Checkpoints: where they are kept, who signs them, where they are shown, and who says when they were seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tracker.journal.gap import Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCheckpoint:
    """What was decided to be signed, and what came of it.

    Attributes:
        size: How many entries it is over.
        root: The root over them, 32 bytes. For one size there is one root, for ever.
        note: Signed; None until it is.
        signed_at: When that was first; None until then.
        timestamp: What a time-stamping authority said of the note's text, a DER TimeStampResp; None if none was asked.
    """

    size: int
    root: bytes
    note: str | None = None
    signed_at: datetime | None = None
    timestamp: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningHistory:
    """A key that has signed checkpoints.

    Attributes:
        vkey: The key, as `name+hash+base64`.
        first_size: The first checkpoint that it signed.
        first_at: When that was.
        last_size: The last one.
        last_at: When that was.
    """

    vkey: str
    first_size: int
    first_at: datetime
    last_size: int
    last_at: datetime


class CheckpointBook(Protocol):
    """The database, as far as checkpoints go. Every method raises `StorageError` when it is away."""

    async def last(self) -> StoredCheckpoint | None:
        """The one over the most entries, signed or not."""

    async def latest_signed(self) -> StoredCheckpoint | None:
        """The one over the most entries that is signed."""

    async def at(self, size: int) -> StoredCheckpoint | None:
        """The one over so many entries, signed or not."""

    async def propose(self, size: int, root: bytes, *, after: int | None) -> bool:
        """Decide what is to be signed next; False if `after` is not the size of the last one any more (None: there is none).

        Of several who try at once one succeeds.
        """

    async def keep_note(
        self, size: int, note: str, at: datetime, *, before: str | None, vkeys: Sequence[str] = ()
    ) -> bool:
        """Write a note, and what keys of ours have signed in it; False if the one there is not `before` any more."""

    async def keep_timestamp(self, size: int, timestamp: bytes) -> None:
        """Write what a time-stamping authority said; what is there stays."""

    async def keys(self) -> list[SigningHistory]:
        """The keys of ours that have signed, the latest first."""

    async def gaps(self) -> list[tuple[Gap, bytes]]:
        """What the journal declares as lost, the oldest first, each with the hash of the leaf that says so."""


class NoteSigner(Protocol):
    """A key of ours that signs checkpoints."""

    @property
    def vkey(self) -> str:
        """Its public half, as `name+hash+base64`."""

    def sign(self, text: str) -> bytes:
        """Sign the text of a note; the same text always gives the same 64 bytes."""


class Outlet(Protocol):
    """Where checkpoints are shown to others, outside the database."""

    async def shown(self) -> str | None:
        """What is shown there now; None: nothing.

        Raises:
            PublishingError: It cannot be read.
        """

    async def show(self, note: str) -> None:
        """Put another in its place, whole or not at all.

        Raises:
            PublishingError: It cannot be written.
        """


class TimestampAuthority(Protocol):
    """Somebody who says when something was there."""

    async def stamp(self, text: bytes) -> bytes:
        """Have the SHA-256 of a text stamped; gives a DER TimeStampResp.

        Raises:
            TimestampError: There was no answer, or none that is about this text.
        """


class SignatureCheck(Protocol):
    """Checks Ed25519 signatures."""

    def __call__(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether the key made this signature of the message."""
