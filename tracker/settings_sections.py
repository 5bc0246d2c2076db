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
    ValidationInfo,
    field_validator,
    model_validator,
)

_VISIBLE_ASCII = re.compile(r"[!-~]+")
_PORT_SPAN = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?")
_LAST_PORT = 65_535
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


def _port_span(value: Any) -> str:
    text = str(value)
    ends = [int(end) for end in text.split("-")] if _PORT_SPAN.fullmatch(text) else []
    if not ends or not 1 <= ends[0] <= ends[-1] <= _LAST_PORT:
        raise ValueError('should be a port such as 443, or a range such as "1024-65535"')
    return text


def _database_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if text.startswith("postgresql://"):
        return _require_database(url, text)
    if not text.startswith("sqlite:///"):
        raise ValueError("should be sqlite:///FILE, with three slashes, or postgresql://user@host/db; no driver")
    file = text.removeprefix("sqlite:///")
    if not file or file.startswith(":") or "?" in file:
        raise ValueError("should name a file on disk and no options; a consent in memory is lost with the process")
    return url


def _require_database(url: SecretStr, text: str) -> SecretStr:
    try:
        parts = urlsplit(text)
        is_named = bool(parts.path.strip("/")) and parts.port != 0
    except ValueError:
        is_named = False
    if not is_named:
        raise ValueError("should name a database, as in postgresql://user@host:5432/consents")
    return url


def _url(text: str) -> str:
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
    return text


def _base_url(text: str) -> str:
    parts = urlsplit(_url(text))
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
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
PortSpan = Annotated[str, BeforeValidator(_port_span)]
Issuer = Annotated[str, AfterValidator(_base_url)]
CollectorUrl = Annotated[str, AfterValidator(_url), AfterValidator(_without_trailing_slash)]
ResourceUrl = Annotated[str, AfterValidator(_base_url), AfterValidator(_without_trailing_slash)]
ProfileName = Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,64}$")]
Host = Annotated[str, Field(pattern=r"^[!-~]{1,253}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
ClientId = Annotated[str, Field(pattern=r"^[!-~]{1,256}$")]


_Steps = Annotated[tuple[Annotated[int, Field(ge=1, le=10_000)], ...], Field(max_length=20)]


class Section(BaseModel):
    """What all tables have in common: nothing unknown, nothing changed later, no value in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false, which would otherwise pass for 1 and 0, but for a setting that is a yes or a no."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("should not be true or false")
        return value


def _require_pair(section: Section, certificate: str, key: str) -> None:
    if (getattr(section, certificate) is None) != (getattr(section, key) is None):
        raise ValueError(f"should have both {certificate} and {key}, or neither")


class DatabaseSettings(Section):
    """`[database]`.

    Attributes:
        url: `sqlite:///FILE`, relative to the working directory, or `sqlite:////FILE`; or `postgresql://user:pass@host/db`,
            with what libpq takes behind a question mark. Secret, because it may hold a password.
    """

    url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("sqlite:///tracker.db")


class HttpSettings(Section):
    """`[http]`: where the API and the documentation listen, and the receiver unless it has a port of its own.

    Attributes:
        host: A host name or address of this machine.
        port: 0 takes any free one.
        tls_certificate: PEM file; None: no TLS.
        tls_key: PEM file.
        max_connections: With so many open, the one that has waited longest for the other side makes room for a new one.
    """

    host: Host = "127.0.0.1"
    port: Port = 8080
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 500

    @model_validator(mode="after")
    def _require_certificate_and_key(self) -> Self:
        _require_pair(self, "tls_certificate", "tls_key")
        return self


class ReceiverSettings(Section):
    """`[receiver]`: the door for webhooks. Who is not in `allow_networks` gets 403; beyond the bounds it answers 503 or 408.

    Attributes:
        host: A host name or address of this machine; None: that of `[http]`.
        port: A port of its own, 0 for any free one; None: it shares the listener of `[http]`.
        tls_certificate: PEM file; None: no TLS. This and the next two are for a port of its own.
        tls_key: PEM file.
        client_ca: PEM bundle; connections without a certificate from there are refused.
        trusted_proxies: From where X-Forwarded-For is believed.
        allow_networks: From where events are taken. Empty: from everywhere.
        inbox_max_events: So many may wait to be opened.
        inbox_max_age_seconds: So long may the oldest of them have waited.
        body_timeout_seconds: So long may a body take to arrive.
    """

    host: Host | None = None
    port: Port | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    trusted_proxies: tuple[Network, ...] = ()
    allow_networks: tuple[Network, ...] = ()
    inbox_max_events: Annotated[int, Field(ge=1, le=100_000_000)] = 200_000
    inbox_max_age_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    body_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0

    @model_validator(mode="after")
    def _require_what_belongs_together(self) -> Self:
        _require_pair(self, "tls_certificate", "tls_key")
        if self.client_ca is not None and self.tls_certificate is None:
            raise ValueError("should have tls_certificate and tls_key too: without TLS client_ca checks nobody")
        for name in ("host", "tls_certificate"):
            if self.port is None and getattr(self, name) is not None:
                raise ValueError(f"should have a port too: without one of its own, [http] decides, not {name} here")
        return self


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
        _require_pair(self, "transport_certificate", "transport_key")
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
        daily_requests: How often in a day, in UTC; 0: no limit.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
    profile: ProfileName
    client_id: ClientId
    issuer: Issuer
    resource_url: ResourceUrl
    api_version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")] | None = None
    ca: Path | None = None
    requests_per_second: Annotated[float, Field(gt=0, le=10_000)] = 5.0
    daily_requests: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


class PollingSettings(Section):
    """`[polling]`: how long after the last word a holder is asked again, by what it said; in seconds.

    Attributes:
        awaiting_authorization: While somebody may be at the holder's pages.
        authorized: While it is in use.
        suspended: While the holder has stopped it.
        authorization_overdue: After so long nobody is expected back, and asking slows down.
        revoke_abandoned_after: So long after that the holder is asked to revoke it; None: never.
        drift_grace: So long an event may still come about a move that a poll found.
    """

    awaiting_authorization: Interval = timedelta(seconds=30)
    authorized: Interval = timedelta(seconds=19_800)
    suspended: Interval = timedelta(seconds=19_800)
    authorization_overdue: Interval = timedelta(seconds=900)
    revoke_abandoned_after: Interval | None = None
    drift_grace: Interval = timedelta(seconds=300)


class NotificationsSettings(Section):
    """`[notifications]`.

    Attributes:
        allow_networks: Private or loopback networks that subscriptions may point to. Empty: none.
        allow_ports: Which ports they may point to: single ones, and ranges such as "1024-65535".
        ownership_challenge: Whether a URL must be proved to be its subscriber's, unless its address is in `allow_networks`.
        secrets_key: File of a JWK Set of 256-bit keys for the secrets in the database; the first encrypts, all decrypt. None:
            they are not encrypted.
        signing_key: File of a private JWK Set of Ed25519 keys; the first signs, all are published. None: nothing is signed so.
    """

    allow_networks: tuple[Network, ...] = ()
    allow_ports: tuple[PortSpan, ...] = ("80", "443", "1024-65535")
    ownership_challenge: bool = True
    secrets_key: Path | None = None
    signing_key: Path | None = None

    @property
    def port_ranges(self) -> tuple[range, ...]:
        """The ports of `allow_ports`."""
        ends = [span.split("-") for span in self.allow_ports]
        return tuple(range(int(end[0]), int(end[-1]) + 1) for end in ends)


class NoticesSettings(Section):
    """`[notices]`: how long before a deadline it is told; each once. Empty: never.

    Attributes:
        expiring_days: Before a consent in use expires.
        authorization_ending_hours: Before it cannot be authorized any more.
        attestation_days: Before the deletion of an ended consent's data must be attested.
        overlap_grace: So long may two consents of one chain of renewals be authorized at once; in seconds.
    """

    expiring_days: _Steps = (30, 7, 1)
    authorization_ending_hours: _Steps = (24, 1)
    attestation_days: _Steps = (14, 3)
    overlap_grace: Interval = timedelta(seconds=86_400)


class AuditSettings(Section):
    """`[audit]`.

    Attributes:
        origin: The journal's name in checkpoints. C2SP signed notes allow no space and no plus sign in it.
        checkpoint_key: File of a private Ed25519 JWK; None: exports carry no checkpoint.
        exports_folder: Where exports that are asked for over HTTP are written, from the working directory on; None: nowhere,
            and none can be asked for. Personal values are in them.
        exports_keep_days: So long after its end one is kept.
    """

    origin: Annotated[str, Field(pattern=r"^[!-*,-~]{1,255}$")] = "tracker.example/journal"
    checkpoint_key: Path | None = None
    exports_folder: Annotated[str | None, Field(min_length=1, max_length=4096)] = None
    exports_keep_days: Annotated[int, Field(ge=1, le=3650)] = 7


class SecuritySettings(Section):
    """`[security]`.

    Attributes:
        key_file_mode: What to do about a key file that others can read.
    """

    key_file_mode: Literal["refuse", "warn"] = "refuse"


class MetricsSettings(Section):
    """`[metrics]`: a listener of their own for the metrics.

    Attributes:
        host: A host name or address of this machine.
        port: None: they are served on `[http]`'s listener; 0 takes any free one.
    """

    host: Annotated[str, Field(pattern=r"^[!-~]{1,253}$")] = "127.0.0.1"
    port: Annotated[int | None, Field(ge=0, le=65_535)] = None


class TracingSettings(Section):
    """`[tracing]`: spans for OpenTelemetry, which the extra `otel` brings.

    Attributes:
        endpoint: Where a collector takes OTLP over HTTP, without `/v1/traces`; None: nothing is followed. Unencrypted
            anywhere, because spans hold ids and words of ours, and nothing else.
        sample_ratio: Which part of all events and questions is followed.
    """

    endpoint: CollectorUrl | None = None
    sample_ratio: Annotated[float, Field(gt=0, le=1)] = 1.0


class LogSettings(Section):
    """`[log]`.

    Attributes:
        level: The least severe level that is written.
        format: Lines for people, or one JSON object a line.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
