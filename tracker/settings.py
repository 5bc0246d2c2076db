"""The configuration, and the only reader of the environment.

It is `tracker.toml` in the working directory, or the file that `TRACKER_CONFIG` names, which must exist. Variables
`TRACKER_SECTION__NAME` override single values; lists and tables belong in the file. A name that is not a setting is an
error, in the file and among the variables that begin with `TRACKER_`. Relative paths of key and certificate files count
from the folder of the configuration file (from the working directory if there is none), wherever they are written;
only `database.url` counts from the working directory, as in every other program that takes such a URL.

`Settings` can be made in code too: then nothing is read from anywhere, and files are not looked for.
"""

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self, get_origin

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from tracker.domain.errors import ConfigurationError
from tracker.settings_audit import AuditSettings
from tracker.settings_brokers import BrokerSettings
from tracker.settings_certificates import ClientCertificateSettings
from tracker.settings_problems import Key, Origin, hint, printable, section_of
from tracker.settings_retention import RetentionOverrideSettings, RetentionSettings
from tracker.settings_sections import (
    ClientSettings,
    DatabaseSettings,
    HttpSettings,
    LogSettings,
    MetricsSettings,
    NoticesSettings,
    NotificationsSettings,
    PollingSettings,
    ProviderSettings,
    ReceiverSettings,
    Section,
    SecuritySettings,
    TracingSettings,
)

_PREFIX = "TRACKER_"
_FILE_VARIABLE = f"{_PREFIX}CONFIG"
_FILE = "tracker.toml"


class Settings(Section):
    """Everything that can be configured, one attribute a section; `settings_sections` explains each.

    Attributes:
        client: Our applications; `client_id` is unique.
        provider: The data holders; `id` is unique, and so is `issuer` with `client_id`. Each one's client is there and
            has the same profile.
        broker: The message brokers that subscriptions may name; each `url` is another broker.
        retention_override: Of several that say the same thing of a consent, the last counts.
        client_certificate: What subscriptions may have us show; `name` is unique.
    """

    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    receiver: ReceiverSettings = ReceiverSettings()
    client: tuple[ClientSettings, ...] = ()
    provider: tuple[ProviderSettings, ...] = ()
    polling: PollingSettings = PollingSettings()
    notifications: NotificationsSettings = NotificationsSettings()
    broker: tuple[BrokerSettings, ...] = ()
    client_certificate: tuple[ClientCertificateSettings, ...] = ()
    notices: NoticesSettings = NoticesSettings()
    retention: RetentionSettings = RetentionSettings()
    retention_override: tuple[RetentionOverrideSettings, ...] = ()
    audit: AuditSettings = AuditSettings()
    security: SecuritySettings = SecuritySettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    log: LogSettings = LogSettings()

    @property
    def at_rest_keys(self) -> Path | None:
        """The ring for what is secret in the database, by either of its names."""
        return self.security.at_rest_keys or self.notifications.secrets_key

    @model_validator(mode="after")
    def _check_clients(self) -> Self:
        clients: dict[str, ClientSettings] = {}
        for client in self.client:
            if client.client_id in clients:
                raise ValueError(f'client_id "{client.client_id}" stands in two [[client]] tables; keep one')
            clients[client.client_id] = client
        for provider in self.provider:
            its_client = clients.get(provider.client_id)
            if its_client is None:
                raise ValueError(f'provider "{provider.id}" has no client; add a [[client]] with its client_id')
            if its_client.profile != provider.profile:
                raise ValueError(f'provider "{provider.id}" and its client differ in profile; make them agree')
        return self

    @model_validator(mode="after")
    def _check_client_certificates(self) -> Self:
        names = [certificate.name for certificate in self.client_certificate]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f'name "{name}" stands in two [[client_certificate]] tables; give each its own')
        return self

    @model_validator(mode="after")
    def _check_providers(self) -> Self:
        ids: set[str] = set()
        voices: dict[tuple[str, str], str] = {}
        for provider in self.provider:
            if provider.id in ids:
                raise ValueError(f'id "{provider.id}" stands in two [[provider]] tables; give each its own')
            ids.add(provider.id)
            other = voices.setdefault((provider.issuer, provider.client_id), provider.id)
            if other != provider.id:
                raise ValueError(
                    f'providers "{other}" and "{provider.id}" have the same issuer and client_id, so that their events '
                    "could not be told apart; keep one"
                )
        return self

    @model_validator(mode="after")
    def _check_brokers(self) -> Self:
        addresses = [broker.address for broker in self.broker]
        for address in addresses:
            if addresses.count(address) > 1:
                raise ValueError(f"the broker {address} stands in two [[broker]] tables; keep one")
        return self


class _FromEnvironment(Settings, BaseSettings):
    """How the variables are named; never made.

    `Settings` itself is no `BaseSettings`: that would read the environment whenever one is made, and would take a key
    of the file that begins with an underscore for an instruction to itself (read that other file, parse the command
    line).
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter="__")


def load_settings(
    environ: Mapping[str, str] | None = None, cwd: Path | None = None, known_profiles: Collection[str] | None = None
) -> Settings:
    """Read the configuration.

    Args:
        environ: The environment; the process's own if None.
        cwd: The working directory; the process's own if None.
        known_profiles: What a profile may be named; anything if None.

    Raises:
        ConfigurationError: It cannot be used: one sentence that says where, what and what to do, and no value of a
            setting that may be secret.
    """
    variables = {
        name: text for name, text in (os.environ if environ is None else environ).items() if name.startswith(_PREFIX)
    }
    file = configuration_file(variables, cwd)
    named = variables.pop(_FILE_VARIABLE, None)
    overridden: dict[Key, str] = {_overridden(name): name for name in variables}
    document = _read(file, named)
    _override_values(document, variables)
    origin = Origin(printable(named or _FILE), file.parent, overridden)
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        raise origin.first_error(error, Settings) from error
    if known_profiles is not None:
        _check_profiles(settings, known_profiles, origin)
    return _with_files(settings, origin)


def configuration_file(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Path:
    """Say which file the configuration is in, whether it is there or not; as `load_settings` finds it."""
    named = (os.environ if environ is None else environ).get(_FILE_VARIABLE, _FILE)
    return (Path.cwd() if cwd is None else cwd) / named


def _overridden(variable: str) -> tuple[str, str]:
    """Say which setting a variable overrides."""
    settings = {
        f"{section}__{name}".upper(): (section, name)
        for section in Settings.model_fields
        for name in section_of(Settings, section).model_fields
    }
    short = variable.removeprefix(_PREFIX)
    if short not in settings:
        otherwise = f"settings are named {_PREFIX}SECTION__NAME"
        meant = hint(short, [*settings, "CONFIG"], otherwise=otherwise, prefix=_PREFIX)
        raise ConfigurationError(f"{printable(variable)} is not a setting; {meant}.")
    section, name = settings[short]
    if _is_list(Settings, section) or _is_list(section_of(Settings, section), name):
        raise ConfigurationError(f"{variable} is not a single value; write {name} in the file, under {section}.")
    return section, name


def _is_list(model: type[Section], name: str) -> bool:
    return get_origin(model.model_fields[name].annotation) is tuple


def _read(file: Path, named: str | None) -> dict[str, Any]:
    name = printable(named or _FILE)
    if named == "":
        raise ConfigurationError(f"{_FILE_VARIABLE} is empty; let it name the configuration file, or unset it.")
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError as error:
        if named is None:
            return {}
        raise ConfigurationError(f"{_FILE_VARIABLE} names {name}, which does not exist; correct it.") from error
    except OSError as error:
        raise ConfigurationError(
            f"{name} cannot be read: {error.strerror}; put a file there that this user can read."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not valid TOML: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name} is not valid TOML in UTF-8.") from error


def _override_values(document: dict[str, Any], variables: Mapping[str, str]) -> None:
    source = EnvSettingsSource(_FromEnvironment)
    source.env_vars = {name.lower(): text for name, text in variables.items()}
    for section, values in source().items():
        table = document.setdefault(section, {})
        if isinstance(table, dict):  # if it is none, that is an error of its own
            table.update(values)


def _check_profiles(settings: Settings, known: Collection[str], origin: Origin) -> None:
    for position, client in enumerate(settings.client):
        if client.profile not in known:
            names = " or ".join(sorted(known))
            raise origin.error(("client", position, "profile"), f"is not a profile that this version has; use {names}")


def _with_files(settings: Settings, origin: Origin) -> Settings:
    """Make every path of a file absolute."""
    changes: dict[str, Any] = {}
    for name, value in settings:
        if isinstance(value, tuple):
            changes[name] = tuple(_found(section, (name, position), origin) for position, section in enumerate(value))
        else:
            changes[name] = _found(value, (name,), origin)
    return settings.model_copy(update=changes)


_MADE = {
    "signing_jwks": "signing",
    "encryption_jwks": "encryption",
    "checkpoint_key": "checkpoint",
    "checkpoint_key_next": "checkpoint",
    "secrets_key": "secrets",
    "at_rest_keys": "secrets",
    "signing_key": "notifications",
}
"""Key files that we can make ourselves, and how."""

_WRITTEN = frozenset({"publish_to"})
"""Files that we write: only their folder must be there."""


def _found(section: Section, key: Key, origin: Origin) -> Section:
    files = {name: origin.folder / value for name, value in section if isinstance(value, Path)}
    for name, file in files.items():
        if name in _WRITTEN:
            if not file.parent.is_dir() or file.is_dir():
                raise origin.error((*key, name), "should be a file in a folder that is there")
        elif not _is_there(file):
            # What stands in place of the name may be the key itself, so it is not repeated.
            fix = (
                f"; correct it, or make the file with `tracker keys make {_MADE[name]} --out FILE`"
                if name in _MADE
                else ""
            )
            raise origin.error(
                (*key, name), f"names no file; relative paths count from {origin.folder.absolute()}{fix}"
            )
    return section.model_copy(update=files)


def _is_there(file: Path) -> bool:
    try:
        return file.exists() and not file.is_dir()
    except OSError:
        return False
