"""Whether checkpoints are stamped, and by whom. What that takes is imported here at the earliest, and only if it is used."""

from importlib.util import find_spec

from tracker.domain.errors import ConfigurationError
from tracker.ports.checkpoints import TimestampAuthority
from tracker.settings_audit import AuditSettings


def authority_of(audit: AuditSettings) -> TimestampAuthority | None:
    """Who stamps; None: nobody.

    Raises:
        ConfigurationError: What is needed for it is not installed.
    """
    if audit.timestamp_url is None:
        return None
    if find_spec("rfc3161_client") is None:
        raise ConfigurationError(
            "[audit] timestamp_url needs rfc3161-client, which is not installed; "
            'install it with `python3 -m pip install ".[timestamp]"` in the checkout, or take the URL out.'
        )
    from tracker.adapters.timestamps import Rfc3161Authority  # noqa: PLC0415 - optional

    return Rfc3161Authority(audit.timestamp_url)
