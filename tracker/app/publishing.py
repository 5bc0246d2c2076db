"""What the configuration has published of the journal, outside of the database."""

from tracker.journal.checkpoint import NoteError
from tracker.journal.published import Published
from tracker.settings_audit import AuditSettings

_MAX_BYTES = 1_048_576


def published_size(audit: AuditSettings) -> int:
    """How many entries the published checkpoint is of; 0 where there is none of this journal, or none that can be read.

    Who signed it is not asked: it is ours to write, and whoever else can write it can only make us look twice.
    """
    if audit.publish_to is None:
        return 0
    try:
        with audit.publish_to.open("rb") as file:
            told = Published.read(file.read(_MAX_BYTES).decode())
    except (OSError, UnicodeDecodeError, NoteError):
        return 0  # `tracker check` tells of it
    return told.checkpoint.size if told.checkpoint.origin == audit.origin else 0
