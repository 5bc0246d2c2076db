"""What the use cases need to know of the settings, in their words."""

from collections.abc import Mapping
from datetime import timedelta

from tracker.domain.consent import ProviderId
from tracker.domain.errors import ConfigurationError
from tracker.domain.notices import NoticePlan
from tracker.domain.retention import CountsFrom, Duties, Override, RetentionPlan
from tracker.domain.schedule import Pace
from tracker.ports import Provider
from tracker.profiles.profile import Profile
from tracker.settings import Settings
from tracker.settings_sections import ProviderSettings


def provider(chosen: ProviderSettings, profiles: Mapping[str, Profile]) -> Provider:
    """A provider as it is configured.

    Raises:
        ConfigurationError: There is no such profile.
    """
    profile = profiles.get(chosen.profile)
    if profile is None:
        known = ", ".join(sorted(profiles))
        raise ConfigurationError(f"Provider {chosen.id!r} has the profile {chosen.profile!r}; known are: {known}.")
    return Provider(
        id=ProviderId(chosen.id),
        profile=profile,
        client_id=chosen.client_id,
        issuer=chosen.issuer,
        resource_url=chosen.resource_url,
        api_version=chosen.api_version or profile.default_api_version,
        requests_per_second=chosen.requests_per_second,
        daily_requests=chosen.daily_requests,
    )


def pace(settings: Settings) -> Pace:
    """How often to ask while nothing is wrong."""
    polling = settings.polling
    return Pace(
        awaiting_authorization=polling.awaiting_authorization,
        authorized=polling.authorized,
        suspended=polling.suspended,
        authorization_overdue=polling.authorization_overdue,
        revoke_abandoned_after=polling.revoke_abandoned_after,
    )


def notices(settings: Settings) -> NoticePlan:
    """How long before what something is told."""
    notices, day, hour = settings.notices, timedelta(days=1), timedelta(hours=1)
    return NoticePlan(
        expiry=tuple(day * days for days in notices.expiring_days),
        authorization=tuple(hour * hours for hours in notices.authorization_ending_hours),
        attestation=tuple(day * days for days in notices.attestation_days),
        overlap_grace=notices.overlap_grace,
    )


def retention_plan(settings: Settings) -> RetentionPlan:
    """What is kept for how long."""
    chosen = settings.retention
    years = {name: getattr(chosen, name) for name in _DUTIES}
    overrides = (override.model_dump() for override in settings.retention_override)
    return RetentionPlan(
        duties=Duties(counts_from=CountsFrom(chosen.counts_from), **years),
        overrides=tuple(
            Override(**{**said, "counts_from": said["counts_from"] and CountsFrom(said["counts_from"])})
            for said in overrides
        ),
        quarantine_years=chosen.quarantine_years,
        unregistered_years=chosen.unregistered_years,
        goes_unasked=chosen.dispose == "when_due",
    )


_DUTIES = ("consent_years", "evidence_years", "payment_years", "completion_years")
