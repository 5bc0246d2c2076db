"""`tracker check`: whether what was written down could be changed by the service, or by who has its password."""

from tracker.app.database import journal_standing
from tracker.app.findings import Finding
from tracker.domain.errors import TrackerError
from tracker.settings import Settings

_SUBJECT = "journal"


def journal_finding(settings: Settings) -> Finding:
    """Look at the triggers that guard the journal, and at the rights of the service's role."""
    try:
        role, unguarded = journal_standing(settings)
    except TrackerError as error:
        return Finding(_SUBJECT, str(error), ok=False)
    if unguarded:
        text = f"{', '.join(unguarded)} can be changed: a trigger is missing or switched off"
        remedy = "find out who took the triggers away, then `tracker journal verify --database`"
        return Finding(_SUBJECT, text, ok=False, remedy=remedy)
    if role is None:
        return Finding(
            _SUBJECT,
            "entries refuse changes; who can write to the file can switch that off, so keep checkpoints",
            ok=True,
        )
    if role.reasons:
        text = f"the service's role {role.role} could change entries, as {role.reasons[0]}; see `tracker db grants`"
        return Finding(_SUBJECT, text, ok=True, warns=True)
    return Finding(
        _SUBJECT, f"entries refuse changes, and the service's role {role.role} cannot switch that off", ok=True
    )
