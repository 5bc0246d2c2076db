"""The sections of the configuration: names, units, bounds and defaults.

Each class is one table of the file. A name stands here only if this version does something with it; every other name is
an error. Texts of errors complete the sentence "<key> …", and never quote a value: it may be a secret.
"""

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

_VISIBLE_ASCII = re.compile(r"[!-~]+")
_LONGEST_INTERVAL = timedelta(days=31)


def _interval(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        interval = value
    else:
        try:
            interval = timedelta(seconds=float(value))
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError("should be a number of seconds") from error
    if not timedelta() < interval <= _LONGEST_INTERVAL:
        raise ValueError(f"should be more than 0 and at most {_LONGEST_INTERVAL // timedelta(seconds=1)} seconds")
    return interval


def _network(value: Any) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value))
    except ValueError as error:
        raise ValueError('should be a network such as "10.1.0.0/16", without host bits') from error


def _database_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if text.startswith("postgres"):
        raise ValueError("names PostgreSQL, which comes with a later version; use sqlite:///FILE")
    if not text.startswith("sqlite:///"):
        raise ValueError("should be sqlite:///FILE, with three slashes and no driver")
    file = text.removeprefix("sqlite:///")
    if not file or file.startswith(":") or "?" in file:
        raise ValueError("should name a file on disk and no options; a consent in memory is lost with the process")
    return url


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, has_user = parts.hostname, "@" in parts.netloc
        usable = bool(_VISIBLE_ASCII.fullmatch(text)) and "\\" not in text and parts.port != 0
    except ValueError as error:
        raise ValueError("should be a URL such as https://auth1.bank.example") from error
    if parts.scheme not in {"https", "http"} or not host or not usable:
        raise ValueError("should be a URL such as https://auth1.bank.example")
    if has_user or "?" in text or "#" in text:
        raise ValueError("should have no user name, query or fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("should begin with https://; http:// is for loopback hosts only")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _without_trailing_slash(url: str) -> str:
    return url.rstrip("/")


Interval = Annotated[timedelta, BeforeValidator(_interval)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Issuer = Annotated[str, AfterValidator(_base_url)]
ResourceUrl = Annotated[str, AfterValidator(_base_url), AfterValidator(_without_trailing_slash)]
ProfileName = Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,64}$")]
ClientId = Annotated[str, Field(pattern=r"^[!-~]{1,256}$")]


class Section(BaseModel):
    """What all tables have in common: nothing unknown, nothing changed later, no value in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans(cls, value: Any) -> Any:
        """Refuse true and false, which would otherwise pass for 1 and 0: no setting is a yes or a no."""
        if isinstance(value, bool):
            raise ValueError("should not be true or false")  # noqa: TRY004 - pydantic only collects ValueError
        return value


class DatabaseSettings(Section):
    """`[database]`.

    Attributes:
        url: `sqlite:///FILE`, relative to the working directory, or `sqlite:////FILE`. Secret, because the URLs of
            other databases hold passwords.
    """

    url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("sqlite:///tracker.db")


class HttpSettings(Section):
    """`[http]`: where the API, the documentation and the receiver listen.

    Attributes:
        host: A host name or address of this machine.
        port: 0 takes any free one.
        max_connections: With so many open, the one that has waited longest for the other side makes room for a new one.
    """

    host: Annotated[str, Field(pattern=r"^[!-~]{1,253}$")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 500


class ReceiverSettings(Section):
    """`[receiver]`: the bounds of the door for webhooks. Beyond them it answers 503 or 408.

    Attributes:
        inbox_max_events: So many may wait to be opened.
        inbox_max_age_seconds: So long may the oldest of them have waited.
        body_timeout_seconds: So long may a body take to arrive.
    """

    inbox_max_events: Annotated[int, Field(ge=1, le=100_000_000)] = 200_000
    inbox_max_age_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    body_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0


class ClientSettings(Section):
    """`[[client]]`: one application of ours, as the ecosystem's directory knows it.

    Attributes:
        client_id: What the directory calls it.
        profile: The rules of its ecosystem.
        signing_jwks: File of a private JWK Set; its first key signs.
        encryption_jwks: File of a private JWK Set; every key in it opens events.
        transport_certificate: PEM file, presented to providers; needs `transport_key`.
        transport_key: PEM file.
    """

    client_id: ClientId
    profile: ProfileName
    signing_jwks: Path
    encryption_jwks: Path
    transport_certificate: Path | None = None
    transport_key: Path | None = None

    @model_validator(mode="after")
    def _require_certificate_and_key(self) -> Self:
        if (self.transport_certificate is None) != (self.transport_key is None):
            raise ValueError("should have both transport_certificate and transport_key, or neither")
        return self


class ProviderSettings(Section):
    """`[[provider]]`: one data holder.

    Attributes:
        id: Our name for it.
        profile: The rules of its ecosystem; its client's.
        client_id: Which of our clients speaks to it.
        issuer: What its tokens say in `iss`, kept to the letter.
        resource_url: Where its consents are; without a slash at the end.
        api_version: None: the profile's own.
        ca: PEM bundle that its certificate is checked against; None: the system's.
        requests_per_second: How often it may be asked.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
    profile: ProfileName
    client_id: ClientId
    issuer: Issuer
    resource_url: ResourceUrl
    api_version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")] | None = None
    ca: Path | None = None
    requests_per_second: Annotated[float, Field(gt=0, le=10_000)] = 5.0


class PollingSettings(Section):
    """`[polling]`: how long after the last word a holder is asked again, by what it said; in seconds.

    Attributes:
        awaiting_authorization: While somebody may be at the holder's pages.
        authorized: While it is in use.
        suspended: While the holder has stopped it.
        authorization_overdue: After so long nobody is expected back, and asking slows down.
    """

    awaiting_authorization: Interval = timedelta(seconds=30)
    authorized: Interval = timedelta(seconds=19_800)
    suspended: Interval = timedelta(seconds=19_800)
    authorization_overdue: Interval = timedelta(seconds=900)


class NotificationsSettings(Section):
    """`[notifications]`.

    Attributes:
        allow_networks: Private or loopback networks that subscriptions may point to. Empty: none.
    """

    allow_networks: tuple[Network, ...] = ()


class AuditSettings(Section):
    """`[audit]`.

    Attributes:
        origin: The journal's name in checkpoints. C2SP signed notes allow no space and no plus sign in it.
        checkpoint_key: File of a private Ed25519 JWK; None: exports carry no checkpoint.
    """

    origin: Annotated[str, Field(pattern=r"^[!-*,-~]{1,255}$")] = "tracker.example/journal"
    checkpoint_key: Path | None = None


class SecuritySettings(Section):
    """`[security]`.

    Attributes:
        key_file_mode: What to do about a key file that others can read.
    """

    key_file_mode: Literal["refuse", "warn"] = "refuse"


class LogSettings(Section):
    """`[log]`.

    Attributes:
        level: The least severe level that is written.
        format: Lines for people, or one JSON object a line.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
