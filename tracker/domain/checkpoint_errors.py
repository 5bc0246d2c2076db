"""What can go wrong with checkpoints. They are of the family of `errors.TrackerError`."""

from tracker.domain.errors import NotFoundError, StorageError, TrackerError


class JournalForkedError(StorageError):
    """The journal does not begin with what was signed of it before: it was changed, or set back."""

    code = "journal_forked"
    retryable = False


class CheckpointNotFoundError(NotFoundError):
    """No checkpoint over so many entries is kept."""

    code = "checkpoint_not_found"


class NotSignedError(TrackerError):
    """Nothing signs checkpoints: [audit] has no checkpoint_key."""

    code = "not_signed"


class CosignatureRefusedError(TrackerError):
    """The note has no signature by a witness that [audit] names, or not of this checkpoint."""

    code = "cosignature_refused"


class PublishingError(TrackerError):
    """A checkpoint cannot be published."""

    code = "publishing_failed"
    retryable = True


class TimestampError(TrackerError):
    """The time-stamping authority did not stamp the checkpoint."""

    code = "timestamp_failed"
    retryable = True
