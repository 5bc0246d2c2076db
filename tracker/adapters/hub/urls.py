"""Which addresses of a holder may be asked, and where a consent is among them."""

import ipaddress
import re
from typing import Final
from urllib.parse import quote

from yarl import URL

from tracker.domain.consent import require_consent_id
from tracker.domain.errors import ConfigurationError
from tracker.ports import Provider
from tracker.profiles.profile import Kind

_API_VERSION: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")


def is_loopback(url: URL) -> bool:
    """Whether a URL stays on this machine by its host: `localhost`, 127.0.0.0/8 or ::1."""
    host = url.host or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secure_url(text: str, *, on_this_machine: bool = True) -> URL | None:
    """Read an absolute URL that may be asked; None if it may not.

    Args:
        text: What the configuration or a holder's document says.
        on_this_machine: Whether `http://` to a loopback host will do as well as `https://`. A holder elsewhere must not
            be able to send us to our own ports.
    """
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        return None
    if not url.host or port is None or url.user is not None or url.password is not None or url.fragment:
        return None
    if url.scheme == "https" or (url.scheme == "http" and on_this_machine and is_loopback(url)):
        return url
    return None


def require_secure(provider: Provider) -> None:
    """Check a configured provider's addresses.

    Raises:
        ConfigurationError: One of them may not be asked, or is not in the form in which it would be asked.
    """
    for name, text in (("issuer", provider.issuer), ("resource_url", provider.resource_url)):
        url = secure_url(text)
        if url is None or url.query_string:
            raise ConfigurationError(
                f"The {name} of provider {provider.id} must be an https:// URL without query or fragment "
                f"(http:// only on a loopback host), not {text!r}."
            )
    if _API_VERSION.fullmatch(provider.api_version) is None:
        raise ConfigurationError(f"The api_version of provider {provider.id} cannot be part of a path.")
    for kind in provider.profile.kinds.values():
        prefix = _prefix(provider, kind)
        if str(URL(prefix)) != prefix:
            raise ConfigurationError(f"The resource_url of provider {provider.id} must be written as {URL(prefix)}.")


def consent_url(provider: Provider, kind: Kind, consent_id: str) -> URL:
    """Say where one consent is: the only place where an id becomes part of a path.

    The id is percent-encoded once, whatever is in it, and the URL must be sent as it is.

    Raises:
        InvalidRequestError: It is no consent id.
        ConfigurationError: The URL would leave the configured prefix.
    """
    prefix = _prefix(provider, kind)
    url = prefix + quote(require_consent_id(consent_id), safe="")
    if not stays_below(prefix, url):
        raise ConfigurationError(f"A consent of provider {provider.id} would be asked about outside {prefix}.")
    return URL(url, encoded=True)


def stays_below(prefix: str, url: str) -> bool:
    """Whether a URL, dot segments and needless escapes resolved, is one step below a prefix that ends in a slash."""
    normal = str(URL(url))
    return normal.startswith(prefix) and re.fullmatch(r"[^/?#]+", normal[len(prefix) :]) is not None


def _prefix(provider: Provider, kind: Kind) -> str:
    path = kind.path.format(api_version=provider.api_version).strip("/")
    return f"{provider.resource_url.rstrip('/')}/{path}/"
