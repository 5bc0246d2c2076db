"""What `tracker check` says about certificates: which cannot be used, which have lapsed, which will soon."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from tracker.adapters.certificate_files import CertificateFacts, read_certificates
from tracker.adapters.tls import RotatingContext, TlsFiles
from tracker.app.certificates import tls_of_listeners, tls_towards, tls_towards_subscribers
from tracker.app.findings import Finding
from tracker.domain.errors import ConfigurationError
from tracker.settings import Settings

_SUBJECT: Final = "certificate"
_SOON: Final = timedelta(days=30)


def certificate_findings(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Look at every certificate file, and at whether a key belongs to its certificate; a line for each file."""
    told: set[Path] = set()
    # Providers with the same files have equal values: each is looked at once.
    found = (tls_of_listeners(settings), tls_towards(settings), tls_towards_subscribers(settings))
    for files in dict.fromkeys(one for several in found for one in several.values()):
        try:
            RotatingContext(files, settings.security.key_file_mode)
            if files.certificate is not None and files.certificate not in told:
                told.add(files.certificate)
                yield _ours(files, files.certificate, now)
            if files.ca is not None and files.ca not in told:
                told.add(files.ca)
                yield _authority(files.ca, now)
        except ConfigurationError as error:
            yield Finding(_SUBJECT, f"{files.subject}: {error}", ok=False, stops=True)


def _ours(files: TlsFiles, path: Path, now: datetime) -> Finding:
    """One that we show: it is worth as much as the shortest-lived one of its chain."""
    chain = read_certificates(path)
    leaf, first = chain[0], min(chain, key=lambda one: one.not_after)
    if (late := max(chain, key=lambda one: one.not_before)).not_before > now:
        text = f"{path}: {late.name} is not valid before {late.not_before:%Y-%m-%d %H:%M} UTC; look at the clock"
        return Finding(_SUBJECT, text, ok=False)
    if not (leaf.is_for_clients if files.side == "client" else leaf.is_for_servers):
        text = f"{path}: {leaf.name} is not for {files.side}s by its extended key usage; have another one made"
        return Finding(_SUBJECT, text, ok=False)
    return _until(f"{path} of {files.subject}: {leaf.name}", first, now)


def _authority(path: Path, now: datetime) -> Finding:
    """One that others must come from: in a bundle some may have lapsed, as long as one is left."""
    bundle = read_certificates(path)
    return _until(f"{path}: {len(bundle)} to trust", max(bundle, key=lambda one: one.not_after), now)


def _until(what: str, one: CertificateFacts, now: datetime) -> Finding:
    left = one.not_after - now
    until = f"{one.not_after:%Y-%m-%d %H:%M} UTC"
    if left <= timedelta():
        return Finding(_SUBJECT, f"{what}, lapsed at {until}; replace it, no restart is needed", ok=False)
    if left < _SOON:
        text = f"{what}, valid until {until}: {left.days} day(s) left; replace it, no restart is needed"
        return Finding(_SUBJECT, text, ok=True, warns=True)
    return Finding(_SUBJECT, f"{what}, valid until {until}, {left.days} days left", ok=True)
