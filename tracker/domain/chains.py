"""Chains of renewals: which consents belong together, which of them counts now, and which are authorized at once.

Every renewal names the first of its chain, the root, and nothing names the root but its own id. Whoever makes a renewal has
to end the consent before it: until then both are authorized. The youngest authorized one counts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.domain.consent import ConsentId, Status, TrackingId
from tracker.domain.tracked import TrackedConsent


def root_of(consent: TrackedConsent) -> ConsentId:
    """What the root of a consent's chain is called; itself unless it says otherwise."""
    return ConsentId(consent.base_consent_id or consent.consent_id)


def is_chained(consent: TrackedConsent) -> bool:
    """Whether it is known that there may be others in its chain."""
    return consent.base_consent_id is not None or consent.noticing.has_successors


def age_order(consent: TrackedConsent) -> tuple[datetime, str]:
    """What puts the consents of a chain in the order in which they were made."""
    return consent.creation_date_time or consent.registered_at, consent.tracking_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One consent of a chain, as far as the others are concerned.

    Attributes:
        status: Its effective status now.
        since: Since when the holder says so.
        overlaps_told: Of which younger ones it was told already.
    """

    tracking_id: TrackingId
    age: tuple[datetime, str]
    status: Status
    since: datetime | None
    overlaps_told: Collection[TrackingId] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a consent's chain means for it.

    Attributes:
        is_succeeded: A younger one is authorized.
        overlap: The younger one that has been authorized beside it for too long, and of which that was not told yet.
        overlap_since: Since when both are authorized; None without an `overlap`.
        look_at: When there may be such a one, if nothing changes before.
    """

    is_succeeded: bool = False
    overlap: TrackingId | None = None
    overlap_since: datetime | None = None
    look_at: datetime | None = None


def current_link(links: Collection[Link]) -> Link | None:
    """The one that counts: the youngest that is authorized."""
    authorized = (link for link in links if link.status is Status.AUTHORIZED)
    return max(authorized, key=lambda link: link.age, default=None)


def look_around(links: Sequence[Link], now: datetime, grace: timedelta) -> Mapping[TrackingId, Outlook]:
    """Say what a chain means for each of its consents.

    An older consent beside the current one is told once for each current one: it is the older that somebody forgot to end.
    """
    current = current_link(links)
    return {link.tracking_id: _outlook(link, current, now, grace) for link in links}


def _outlook(link: Link, current: Link | None, now: datetime, grace: timedelta) -> Outlook:
    if current is None or link.age >= current.age:
        return Outlook()
    if link.status is not Status.AUTHORIZED or current.tracking_id in link.overlaps_told:
        return Outlook(is_succeeded=True)
    since = max((t for t in (link.since, current.since) if t is not None), default=now)
    if now - since < grace:  # a holder may date what it says anywhere; it is looked at in time all the same
        return Outlook(is_succeeded=True, look_at=min(since, now + grace) + grace)
    return Outlook(is_succeeded=True, overlap=current.tracking_id, overlap_since=since)
