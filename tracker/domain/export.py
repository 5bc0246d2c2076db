"""What somebody wants exported, and the job of exporting it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

MOST_OPEN: Final = 20
"""So many exports may wait or run."""


class Format(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    """The entries, lossless and proved."""
    CSV = "csv"
    """The entries as a table that a spreadsheet opens."""
    PARQUET = "parquet"
    """The entries as a table for analysis."""
    CONSENT_RECORDS = "consent-records"
    """One record a consent, in the shape of ISO/IEC TS 27560."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What is wanted; what is None does not narrow it.

    Attributes:
        format: How.
        since: Recorded at this time or later.
        until: Recorded before it.
        provider: Of this data holder.
        kind: Of this kind of consent.
        consent_id: Of this consent of the provider's.
        user_ref: Of the consents that have this reference. Personal.
    """

    format: Format = Format.JSONL
    since: datetime | None = None
    until: datetime | None = None
    provider: str | None = None
    kind: str | None = None
    consent_id: str | None = None
    user_ref: str | None = None


class ExportState(StrEnum):
    """How a job stands."""

    WAITING = "waiting"
    """Nobody has begun it."""
    RUNNING = "running"
    """It is written, or will be gone on with."""
    DONE = "done"
    """Its files can be fetched."""
    FAILED = "failed"
    """It will not be written: `last_error` says why."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will become of it."""
        return self in {ExportState.DONE, ExportState.FAILED}


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file of an export.

    Attributes:
        name: In its folder.
        bytes: How long it is.
        sha256: Hex.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """One export that somebody asked for over HTTP.

    Attributes:
        id: UUIDv7; they run in this order.
        request: What is wanted.
        asked_by: The id of the API key that asked.
        state: How it stands.
        part: What it is of, as JSON: fixed when it is begun, so that whoever goes on with it writes the same.
        place: Where its files lie: the folder, as the process that wrote it names it, and its machine.
        position: How far it is, of `total`.
        total: How many entries are to be looked at; of consent records, how many consents there are.
        count: How many are in it.
        files: What can be fetched.
        created_at: When it was asked for.
        started_at: When it was begun.
        finished_at: When it was over.
        last_error: What is wrong, for people.
    """

    id: str
    request: ExportRequest
    asked_by: str
    state: ExportState = ExportState.WAITING
    part: dict[str, Any] | None = None
    place: str | None = None
    position: int = 0
    total: int = 0
    count: int = 0
    files: tuple[ExportFile, ...] = field(default=())
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_error: str | None = None
