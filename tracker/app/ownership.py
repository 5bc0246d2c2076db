"""Which URLs must be proved to belong to who subscribes them."""

from tracker.adapters.address_guard import is_vouched_for
from tracker.domain.broker_url import is_broker_url
from tracker.settings_sections import NotificationsSettings


def needs_proof(url: str, settings: NotificationsSettings) -> bool:
    """Whether a URL must be proved: unless the operator vouches for its address or its broker, or for all who may subscribe."""
    if not url or is_broker_url(url):
        return False
    return settings.ownership_challenge and not is_vouched_for(url, settings.allow_networks)
