"""What the configuration says of when things are done, in the domain's terms."""

from datetime import timedelta

from tracker.domain.notices import NoticePlan
from tracker.domain.schedule import Pace
from tracker.settings import Settings


def pace_of(settings: Settings) -> Pace:
    """How often holders are asked."""
    polling = settings.polling
    return Pace(
        awaiting_authorization=polling.awaiting_authorization,
        authorized=polling.authorized,
        suspended=polling.suspended,
        authorization_overdue=polling.authorization_overdue,
        revoke_abandoned_after=polling.revoke_abandoned_after,
    )


def notices_of(settings: Settings) -> NoticePlan:
    """When deadlines are told."""
    notices, day, hour = settings.notices, timedelta(days=1), timedelta(hours=1)
    return NoticePlan(
        expiry=tuple(day * days for days in notices.expiring_days),
        authorization=tuple(hour * hours for hours in notices.authorization_ending_hours),
        attestation=tuple(day * days for days in notices.attestation_days),
        overlap_grace=notices.overlap_grace,
    )
