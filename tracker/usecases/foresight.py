"""What recording needs to know of notices: which deadlines a consent has, and when its chain is to be looked at."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from tracker.domain.chains import is_chained
from tracker.domain.changed import changed
from tracker.domain.consent import Status
from tracker.domain.notices import NoticeRules
from tracker.domain.tracked import TrackedConsent
from tracker.profiles.profile import Kind

_IN_USE: Final = frozenset({Status.AUTHORIZED, Status.SUSPENDED})
_NOT_IN_USE: Final = (Status.NOT_STAGED, None)


def notice_rules(kind: Kind, consent: TrackedConsent) -> NoticeRules:
    """What a consent's kind says of its deadlines."""
    return NoticeRules(is_single=kind.is_single(consent.terms or {}), attest_within=kind.attest_within)


def with_chain_news(consent: TrackedConsent, before: TrackedConsent | None, now: datetime) -> TrackedConsent:
    """Have the others of a consent's chain looked at if it came into use, went out of it, or joined them while in use."""
    was = _NOT_IN_USE if before is None else (before.told.status, before.base_consent_id)
    now_is = consent.told.status, consent.base_consent_id
    if not is_chained(consent) or now_is == was or _IN_USE.isdisjoint((now_is[0], was[0])):
        return consent
    return changed(consent, noticing=replace(consent.noticing, look_at=now))
