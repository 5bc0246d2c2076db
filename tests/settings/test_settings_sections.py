"""Each setting's bounds, and that no error repeats a value."""

from datetime import date, timedelta
from math import inf, nan
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.journal.test_checkpoint import GO_VKEY
from tracker.settings import Settings
from tracker.settings_audit import AuditSettings
from tracker.settings_sections import (
    ClientSettings,
    DatabaseSettings,
    HttpSettings,
    LogSettings,
    MetricsSettings,
    NotificationsSettings,
    PollingSettings,
    ProviderSettings,
    ReceiverSettings,
    SecuritySettings,
    TracingSettings,
)

TOO_MUCH = 10**12

CLIENT = {
    "client_id": "tpp-client-001",
    "profile": "uae-v2.1",
    "signing_jwks": Path("signing.jwks.json"),
    "encryption_jwks": Path("encryption.jwks.json"),
}
PROVIDER = {
    "id": "demobank",
    "profile": "uae-v2.1",
    "client_id": "tpp-client-001",
    "issuer": "https://auth1.demobank.example",
    "resource_url": "https://rs1.demobank.example",
}


def problem(section, **values):
    """Make a section that must be refused for one value; give the text, which must not hold the value."""
    with pytest.raises(ValidationError) as caught:
        section(**values)
    assert "input_value" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    (error,) = caught.value.errors()
    return error["msg"]


@pytest.mark.parametrize(
    ("section", "key", "values"),
    [
        (HttpSettings, "port", [-1, 65536, "http", True, 1.5, nan, [], {}, None]),
        (HttpSettings, "host", ["", "a b", "a\n", 1, True]),
        (ReceiverSettings, "port", [-1, 65536, "https", True, 1.5]),
        (
            ReceiverSettings,
            "trusted_proxies",
            [["10.0.0.1/8"], ["proxy.example"], [5], [True], "10.0.0.1"],
        ),
        (ReceiverSettings, "allow_networks", [["10.0.0.1/8"], ["bank.example"], [5], [True], "127.0.0.0/8", [""]]),
        (ReceiverSettings, "inbox_max_events", [0, -1, TOO_MUCH, 1.5, True]),
        (ReceiverSettings, "inbox_max_age_seconds", [0, -1, TOO_MUCH, nan, inf, True, "5s"]),
        (ReceiverSettings, "body_timeout_seconds", [0, -1, TOO_MUCH, nan, inf]),
        (PollingSettings, "awaiting_authorization", [0, -0.5, timedelta(0), timedelta(days=32)]),
        (PollingSettings, "authorized", [0, TOO_MUCH, 1e300, nan, inf, -inf, True, "5s", "PT5S", "nan", [], {}, None]),
        (PollingSettings, "suspended", [0, date(2026, 1, 1)]),
        (PollingSettings, "authorization_overdue", [0, ""]),
        (NotificationsSettings, "allow_networks", [["10.0.0.1/8"], ["bank.example"], [5], [True], "127.0.0.0/8"]),
        (
            NotificationsSettings,
            "allow_ports",
            [["0"], [65536], ["80-"], ["443-80"], ["a"], ["-1"], [-1], [80.5], [True], "80"],
        ),
        (AuditSettings, "origin", ["", "a b", "a+b", "a\nb", "a\n", "a" * 256]),
        (AuditSettings, "checkpoint_every_seconds", [0, 0.9, 86_401, True]),
        (AuditSettings, "checkpoint_key_next", ["alone.jwk.json"]),
        (AuditSettings, "timestamp_url", ["", "tsa.example", "ftp://tsa.example"]),
        (AuditSettings, "witnesses", [["w"], [GO_VKEY], [""]]),
        (SecuritySettings, "key_file_mode", ["ignore", True]),
        (MetricsSettings, "port", [-1, 65536, "http", True, 1.5]),
        (MetricsSettings, "host", ["", "a b", "a\n", 1, True]),
        (
            TracingSettings,
            "endpoint",
            ["", "collector:4318", "ftp://c.example", "http://u:p@c.example", "http://c/?x=1", 1],
        ),
        (TracingSettings, "sample_ratio", [0, -0.1, 1.01, nan, inf, True, "much"]),
        (LogSettings, "level", ["loud", "INFO"]),
        (LogSettings, "format", ["xml"]),
    ],
)
def test_values_out_of_bounds_are_refused(section, key, values):
    for value in values:
        assert problem(section, **{key: value})


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("id", ["", "Demobank", "demo_bank", "demo bank", "demobank\n", "a" * 65]),
        ("profile", ["", "UAE", "a" * 65]),
        ("client_id", ["", "a b", "a\n", 7, "a" * 257]),
        ("issuer", [1, "", None]),
        ("api_version", ["", "..", "../v1", "v1/x", "v1\n", "v" * 33]),
        ("requests_per_second", [0, -1, nan, inf, True, TOO_MUCH]),
    ],
)
def test_values_of_a_provider_out_of_bounds_are_refused(key, values):
    for value in values:
        assert problem(ProviderSettings, **PROVIDER | {key: value})


def test_the_widest_values_are_accepted():
    ProviderSettings(**PROVIDER | {"id": "a" * 64, "api_version": "v2.1_rc-1", "client_id": "!~" * 128})
    PollingSettings(authorized=timedelta(days=31), suspended="0.001")
    HttpSettings(host="tracker.bank.example", port=65_535)
    AuditSettings(origin="tracker.bank.example/journal-2026,*~!")


@pytest.mark.parametrize(
    "url", ["http://collector.example:4318", "https://otel.example/tenant", "http://127.0.0.1:4318/"]
)
def test_a_collector_may_be_anywhere_and_loses_the_slash_at_its_end(url):
    assert TracingSettings(endpoint=url).endpoint == url.rstrip("/")


@pytest.mark.parametrize("half", ["transport_certificate", "transport_key"])
def test_half_a_transport_identity_is_refused(half):
    assert "or neither" in problem(ClientSettings, **CLIENT, **{half: Path("x.pem")})


@pytest.mark.parametrize("half", ["tls_certificate", "tls_key"])
@pytest.mark.parametrize(("section", "port"), [(HttpSettings, 8443), (ReceiverSettings, 8443)])
def test_half_an_identity_of_a_listener_is_refused(section, port, half):
    assert "or neither" in problem(section, port=port, **{half: Path("x.pem")})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"host": "0.0.0.0"}, "should have a port too"),
        ({"tls_certificate": Path("x.pem"), "tls_key": Path("x.key")}, "should have a port too"),
        ({"client_ca": Path("x.pem")}, "should have tls_certificate and tls_key too"),
        ({"client_ca": Path("x.pem"), "port": 8443}, "should have tls_certificate and tls_key too"),
    ],
)
def test_what_would_be_ignored_without_a_port_or_tls_is_refused(values, words):
    assert words in problem(ReceiverSettings, **values)


# ------------------------------------------------------------------------------------------------ the database


@pytest.mark.parametrize("url", ["sqlite:///tracker.db", "sqlite:///a/b.db", "sqlite:////a/b.db", "sqlite:///../a.db"])
def test_a_sqlite_file_is_accepted(url):
    assert DatabaseSettings(url=url).url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:p@host/db", "postgresql://host:5433/db?sslmode=verify-full", "postgresql:///db?host=/run/pg"],
)
def test_a_postgresql_database_is_accepted(url):
    assert DatabaseSettings(url=url).url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://user:hunter2@host/db", "no driver"),
        ("postgresql+asyncpg://user:hunter2@host/db", "no driver"),
        ("postgresql://user:hunter2@host", "should name a database"),
        ("postgresql://user:hunter2@host/", "should name a database"),
        ("postgresql://user:hunter2@host:port/db", "should name a database"),
        ("postgresql://user:hunter2@[host/db", "should name a database"),
    ],
)
def test_other_ways_to_name_postgresql_are_refused(url, expected):
    found = problem(DatabaseSettings, url=url)
    assert expected in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tracker.db",
        "sqlite:",
        "sqlite://",
        "sqlite://tracker.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///tracker.db?mode=memory",
        "sqlite+aiosqlite:///tracker.db",
        "mysql://user:hunter2@host/db",
        "user:hunter2@host/db",
    ],
)
def test_other_databases_are_refused(url):
    assert "should" in problem(DatabaseSettings, url=url)


def test_the_database_url_is_not_shown_by_any_form_of_the_settings():
    settings = Settings()
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.database.url.get_secret_value() not in shown


# ------------------------------------------------------------------------------------------------ URLs of providers


@pytest.mark.parametrize("key", ["issuer", "resource_url"])
@pytest.mark.parametrize(
    "url",
    [
        "https://a.example",
        "https://a.example:8443/x/@y",
        "https://10.0.0.1",
        "http://127.0.0.1:8080",
        "http://127.8.9.10",
        "http://[::1]:9",
        "http://localhost:9/x",
    ],
)
def test_https_and_loopback_urls_are_accepted(key, url):
    assert getattr(ProviderSettings(**PROVIDER | {key: url}), key) == url


@pytest.mark.parametrize("key", ["issuer", "resource_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://auth1.demobank.example",
        "HTTP://auth1.demobank.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://[::]",
        "http://2130706433",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
    ],
)
def test_http_urls_beyond_loopback_are_refused(key, url):
    assert problem(ProviderSettings, **PROVIDER | {key: url}).endswith("http:// is for loopback hosts only")


@pytest.mark.parametrize("key", ["issuer", "resource_url"])
@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@a.example",
        "https://user@a.example",
        "https://@a.example",
        "http://127.0.0.1@evil.example",
        "https://a.example?x=hunter2",
        "https://a.example?",
        "https://a.example/#hunter2",
        "https://a.example#",
    ],
)
def test_urls_with_user_query_or_fragment_are_refused(key, url):
    assert problem(ProviderSettings, **PROVIDER | {key: url}).endswith("no user name, query or fragment")


@pytest.mark.parametrize("key", ["issuer", "resource_url"])
@pytest.mark.parametrize(
    "url",
    [
        "a.example",
        "//a.example",
        "ftp://a.example",
        "https:",
        "https://",
        "https:///x",
        "https://:443",
        "https://a b",
        " https://a.example",
        "https://a.example\n",
        "https://a.exam\tple",
        "https://a.example:hunter2",
        "https://a.example:0",
        "https://a.example:65536",
        "https://[::1",
        "https://[x]",
        "https://a.example\\b",
        "https://ä.example",
        "https://a.\u2100.example",
    ],
)
def test_what_is_no_url_is_refused(key, url):
    assert "should be a URL" in problem(ProviderSettings, **PROVIDER | {key: url})


def test_an_issuer_is_kept_to_the_letter():
    issuer = "https://Auth1.demobank.example/x/"
    assert ProviderSettings(**PROVIDER | {"issuer": issuer}).issuer == issuer


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_a_resource_url_loses_the_slashes_at_its_end(slashes):
    url = "https://rs1.demobank.example/open-finance"
    assert ProviderSettings(**PROVIDER | {"resource_url": url + slashes}).resource_url == url


def test_only_postgresql_has_an_owner_of_its_own():
    owner = {"migration_url": "postgresql://owner@host/consents"}
    assert DatabaseSettings(url="postgresql://service@host/consents", **owner).migration_url is not None
    for wrong in (owner, {"url": "postgresql://a@host/b", "migration_url": "sqlite:///tracker.db"}):
        with pytest.raises(ValidationError, match="PostgreSQL alone"):
            DatabaseSettings(**wrong)
