"""`tracker check`: whether the journal is still what was signed of it."""

from tracker.app.composition import Tracker
from tracker.app.findings import Finding
from tracker.domain.checkpoint_errors import JournalForkedError, PublishingError
from tracker.journal.tiles import TornTreeError

_KEEP = "keep the database as it is, and a copy of it; docs/operations.md, Checkpoints, says what to find out"


async def checkpoints_finding(tracker: Tracker) -> Finding:
    """Prove once more that the journal begins with what was signed."""
    audit = tracker.settings.audit
    try:
        last = await tracker.auditing.checkpoints.examine()
    except (JournalForkedError, TornTreeError) as error:
        return Finding("checkpoints", str(error), ok=False, remedy=_KEEP)
    except PublishingError as error:
        return Finding("checkpoints", str(error), ok=False, remedy="correct [audit] publish_to, or who may read it")
    if last is None or last.signed_at is None:
        text = "none is signed yet" if audit.key_files else "none: there is no [audit] checkpoint_key"
        return Finding("checkpoints", text, ok=True)
    signed = f"the last one is over {last.size} entries, {last.signed_at:%Y-%m-%d %H:%M:%S} UTC"
    return Finding("checkpoints", f"{signed}; the journal begins with these", ok=True)
