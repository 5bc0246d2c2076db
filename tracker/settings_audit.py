"""`[audit]`: what proves the journal to others."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from tracker.journal.checkpoint import NoteError, parse_vkey
from tracker.settings_access import AccessRecordSettings
from tracker.settings_sections import AnyUrl, Section


def _witness(text: str) -> str:
    try:
        is_witness = parse_vkey(text).is_witness
    except NoteError:
        is_witness = False
    if not is_witness:
        raise ValueError("should be VKEYs of C2SP cosignatures: name+hash+base64, key type 4")
    return text


class AuditSettings(AccessRecordSettings, Section):
    """`[audit]`.

    Attributes:
        origin: The journal's name in checkpoints. C2SP signed notes allow no space and no plus sign in it.
        checkpoint_key: File of a private Ed25519 JWK; None: there are no checkpoints.
        checkpoint_key_next: File of another, which signs beside it: auditors get to know it before it signs alone.
        checkpoint_every_seconds: New entries are signed so often.
        publish_to: File that always has the latest checkpoint; None: it is not published.
        witnesses: VKEYs of those whose cosignatures are kept.
        timestamp_url: An RFC 3161 authority that stamps checkpoints, which the extra `timestamp` brings; None: nobody does.
        exports_folder: Where exports that are asked for over HTTP are written, from the working directory on; None: nowhere,
            and none can be asked for. Personal values are in them.
        exports_keep_days: So long after its end one is kept.
    """

    origin: Annotated[str, Field(pattern=r"^[!-*,-~]{1,255}$")] = "tracker.example/journal"
    checkpoint_key: Path | None = None
    checkpoint_key_next: Path | None = None
    checkpoint_every_seconds: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    publish_to: Path | None = None
    witnesses: tuple[Annotated[str, AfterValidator(_witness)], ...] = ()
    timestamp_url: AnyUrl | None = None
    exports_folder: Annotated[str | None, Field(min_length=1, max_length=4096)] = None
    exports_keep_days: Annotated[int, Field(ge=1, le=3650)] = 7

    @model_validator(mode="after")
    def _require_first_key(self) -> Self:
        if self.checkpoint_key is None and self.checkpoint_key_next is not None:
            raise ValueError("should have checkpoint_key too: the next one signs beside it")
        return self

    @property
    def key_files(self) -> tuple[Path, ...]:
        """The files of all keys that sign checkpoints."""
        return tuple(file for file in (self.checkpoint_key, self.checkpoint_key_next) if file is not None)
