"""What the configuration means, and where it is read from."""

import os
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.settings.examples import CLIENT, WHOLE
from tracker.domain.errors import ConfigurationError
from tracker.settings import Settings, load_settings
from tracker.settings_sections import ClientSettings, PollingSettings, ProviderSettings

# ------------------------------------------------------------------------------------------------ what is accepted


def seconds_of(polling):
    return [None if interval is None else interval.total_seconds() for _, interval in polling]


def test_no_file_and_no_variables_give_the_defaults(tmp_path):
    settings = load_settings({}, tmp_path)
    assert settings == Settings()
    assert settings.database.url.get_secret_value() == "sqlite:///tracker.db"
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)
    assert (settings.http.tls_certificate, settings.http.tls_key) == (None, None)
    assert settings.receiver.model_dump() == {
        "host": None,
        "port": None,
        "tls_certificate": None,
        "tls_key": None,
        "client_ca": None,
        "trusted_proxies": (),
        "allow_networks": (),
        "inbox_max_events": 200_000,
        "inbox_max_age_seconds": 300,
        "body_timeout_seconds": 10,
    }
    assert (settings.client, settings.provider) == ((), ())
    assert seconds_of(settings.polling) == [30, 19_800, 19_800, 900, None, 300]
    assert settings.notifications.allow_networks == ()
    assert (settings.audit.origin, settings.audit.checkpoint_key) == ("tracker.example/journal", None)
    assert settings.security.key_file_mode == "refuse"
    assert settings.at_rest_keys is None
    assert (settings.metrics.host, settings.metrics.port) == ("127.0.0.1", None)
    assert (settings.tracing.endpoint, settings.tracing.sample_ratio) == (None, 1.0)
    assert (settings.log.level, settings.log.format) == ("info", "text")


def test_every_setting_can_stand_in_the_file(load, folder):
    settings = load(WHOLE)
    assert settings.database.url.get_secret_value() == "sqlite:////var/lib/tracker/tracker.db"
    assert (settings.http.host, settings.http.port) == ("::1", 0)
    assert settings.http.tls_certificate == folder / "keys/http.pem"
    assert settings.http.tls_key == folder / "keys/http.key"
    assert settings.receiver.model_dump() == {
        "host": "0.0.0.0",
        "port": 8443,
        "tls_certificate": folder / "keys/receiver.pem",
        "tls_key": folder / "keys/receiver.key",
        "client_ca": folder / "keys/callers.pem",
        "trusted_proxies": (ip_network("10.0.0.7/32"), ip_network("fd00::7/128")),
        "allow_networks": (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")),
        "inbox_max_events": 10,
        "inbox_max_age_seconds": 1.5,
        "body_timeout_seconds": 2,
    }
    assert settings.client == (
        ClientSettings(
            client_id="tpp-client-001",
            profile="uae-v2.1",
            signing_jwks=folder / "keys/signing.jwks.json",
            encryption_jwks=folder / "keys/encryption.jwks.json",
            transport_certificate=folder / "keys/transport.pem",
            transport_key=folder / "keys/transport.key",
        ),
    )
    assert settings.provider == (
        ProviderSettings(
            id="demobank",
            profile="uae-v2.1",
            client_id="tpp-client-001",
            issuer="https://auth1.demobank.example",
            resource_url="https://rs1.demobank.example",
            api_version="v2.1",
            ca=folder / "keys/ca.pem",
            requests_per_second=2.5,
        ),
    )
    assert seconds_of(settings.polling) == [0.25, 60, 120, 5, 7, 6]
    assert settings.notifications.allow_networks == (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    assert settings.notifications.port_ranges == (range(443, 444), range(8000, 8444))
    notices = settings.notices
    assert (notices.expiring_days, notices.authorization_ending_hours, notices.attestation_days) == ((14, 2), (), (30,))
    assert notices.overlap_grace.total_seconds() == 3600
    assert settings.audit.origin == "tracker.bank.example/journal"
    assert settings.audit.checkpoint_key == folder / "keys/checkpoint.jwk.json"
    assert settings.security.key_file_mode == "warn"
    assert (settings.log.level, settings.log.format) == ("debug", "json")


OVERRIDES = {
    "TRACKER_DATABASE__URL": "postgresql://service@host/other",
    "TRACKER_DATABASE__MIGRATION_URL": "postgresql://owner@host/other",
    "TRACKER_HTTP__HOST": "0.0.0.0",
    "TRACKER_HTTP__PORT": "9000",
    "TRACKER_HTTP__TLS_CERTIFICATE": "keys/receiver.pem",
    "TRACKER_HTTP__TLS_KEY": "keys/receiver.key",
    "TRACKER_RECEIVER__HOST": "127.0.0.2",
    "TRACKER_RECEIVER__PORT": "9001",
    "TRACKER_RECEIVER__TLS_CERTIFICATE": "keys/http.pem",
    "TRACKER_RECEIVER__TLS_KEY": "keys/http.key",
    "TRACKER_RECEIVER__CLIENT_CA": "keys/http.pem",
    "TRACKER_HTTP__MAX_CONNECTIONS": "10",
    "TRACKER_RECEIVER__INBOX_MAX_EVENTS": "11",
    "TRACKER_RECEIVER__INBOX_MAX_AGE_SECONDS": "12.5",
    "TRACKER_RECEIVER__BODY_TIMEOUT_SECONDS": "13",
    "TRACKER_POLLING__AWAITING_AUTHORIZATION": "14",
    "TRACKER_POLLING__AUTHORIZED": "15",
    "TRACKER_POLLING__SUSPENDED": "16",
    "TRACKER_POLLING__AUTHORIZATION_OVERDUE": "17",
    "TRACKER_POLLING__REVOKE_ABANDONED_AFTER": "19",
    "TRACKER_POLLING__DRIFT_GRACE": "18",
    "TRACKER_NOTICES__OVERLAP_GRACE": "7200",
    "TRACKER_RETENTION__COUNTS_FROM": "end",
    "TRACKER_RETENTION__CONSENT_YEARS": "1",
    "TRACKER_RETENTION__EVIDENCE_YEARS": "2",
    "TRACKER_RETENTION__PAYMENT_YEARS": "3",
    "TRACKER_RETENTION__COMPLETION_YEARS": "4",
    "TRACKER_RETENTION__QUARANTINE_YEARS": "6",
    "TRACKER_RETENTION__UNREGISTERED_YEARS": "7",
    "TRACKER_RETENTION__DISPOSE": "when_asked",
    "TRACKER_NOTIFICATIONS__OWNERSHIP_CHALLENGE": "false",
    "TRACKER_NOTIFICATIONS__SECRETS_KEY": "keys/http.key",
    "TRACKER_NOTIFICATIONS__SIGNING_KEY": "keys/ca.pem",
    "TRACKER_AUDIT__ORIGIN": "other.example/journal",
    "TRACKER_AUDIT__ACCESS_RECORD": "best_effort",
    "TRACKER_AUDIT__ACCESS_RECORD_DAYS": "30",
    "TRACKER_AUDIT__CHECKPOINT_KEY": "keys/ca.pem",
    "TRACKER_AUDIT__CHECKPOINT_KEY_NEXT": "keys/http.key",
    "TRACKER_AUDIT__CHECKPOINT_EVERY_SECONDS": "60",
    "TRACKER_AUDIT__PUBLISH_TO": "keys/published",
    "TRACKER_AUDIT__TIMESTAMP_URL": "http://tsa.example/",
    "TRACKER_AUDIT__EXPORTS_FOLDER": "exports",
    "TRACKER_AUDIT__EXPORTS_KEEP_DAYS": "30",
    "TRACKER_SECURITY__KEY_FILE_MODE": "refuse",
    "TRACKER_SECURITY__AT_REST_KEYS": "keys/receiver.key",
    "TRACKER_METRICS__HOST": "::1",
    "TRACKER_METRICS__PORT": "9001",
    "TRACKER_TRACING__ENDPOINT": "http://collector.example:4318",
    "TRACKER_TRACING__SAMPLE_RATIO": "0.25",
    "TRACKER_LOG__LEVEL": "error",
    "TRACKER_LOG__FORMAT": "text",
}


@pytest.mark.parametrize("text", [WHOLE, ""], ids=["over a file", "without one"])
def test_variables_override_every_single_value(load, folder, text):
    settings = load(text, OVERRIDES)
    assert [url.get_secret_value() for _, url in settings.database] == [
        "postgresql://service@host/other",
        "postgresql://owner@host/other",
    ]
    assert (settings.http.host, settings.http.port, settings.http.max_connections) == ("0.0.0.0", 9000, 10)
    keys = folder / "keys"
    assert (settings.http.tls_certificate, settings.http.tls_key) == (keys / "receiver.pem", keys / "receiver.key")
    assert [value for _, value in settings.receiver if not isinstance(value, tuple)] == [
        "127.0.0.2",
        9001,
        keys / "http.pem",
        keys / "http.key",
        keys / "http.pem",
        11,
        12.5,
        13,
    ]
    assert seconds_of(settings.polling) == [14, 15, 16, 17, 19, 18]
    assert [value for _, value in settings.retention] == ["end", 1, 2, 3, 4, 6, 7, "when_asked"]
    assert settings.notices.overlap_grace.total_seconds() == 7200
    assert settings.notifications.ownership_challenge is False
    assert (settings.notifications.secrets_key, settings.notifications.signing_key) == (
        keys / "http.key",
        keys / "ca.pem",
    )
    assert settings.audit.origin == "other.example/journal"
    assert settings.audit.key_files == (folder / "keys/ca.pem", folder / "keys/http.key")
    assert settings.audit.publish_to == folder / "keys/published"
    assert (settings.audit.checkpoint_every_seconds, settings.audit.timestamp_url) == (60, "http://tsa.example/")
    assert settings.audit.checkpoint_key == folder / "keys/ca.pem"
    assert (settings.audit.exports_folder, settings.audit.exports_keep_days) == ("exports", 30)
    assert settings.security.key_file_mode == "refuse"
    assert settings.at_rest_keys == settings.security.at_rest_keys == keys / "receiver.key"
    assert (settings.metrics.host, settings.metrics.port) == ("::1", 9001)
    assert (settings.tracing.endpoint, settings.tracing.sample_ratio) == ("http://collector.example:4318", 0.25)
    assert (settings.log.level, settings.log.format) == ("error", "text")


def test_a_variable_leaves_the_rest_of_its_section_alone(load):
    settings = load('[http]\nhost = "::1"\nport = 1', {"TRACKER_HTTP__PORT": "2"})
    assert (settings.http.host, settings.http.port) == ("::1", 2)


def test_every_single_value_has_a_variable_in_these_tests():
    sections = {name: value for name, value in Settings() if not isinstance(value, tuple)}
    names = {f"TRACKER_{s}__{n}".upper() for s, v in sections.items() for n, x in v if not isinstance(x, tuple)}
    assert names == set(OVERRIDES)


def test_the_process_environment_and_directory_are_read_when_none_is_given(monkeypatch, folder):
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("TRACKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TRACKER_HTTP__PORT", "9000")
    (folder / "tracker.toml").write_text('[http]\nhost = "::1"', encoding="utf-8")
    settings = load_settings()
    assert (settings.http.host, settings.http.port) == ("::1", 9000)


def test_the_process_environment_is_not_read_when_one_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv("TRACKER_HTTP__PORT", "9000")
    assert load_settings({}, tmp_path).http.port == 8080


def test_settings_made_in_code_read_nothing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKER_HTTP__PORT", "9000")
    (tmp_path / "tracker.toml").write_text("[http]\nport = 9001", encoding="utf-8")
    settings = Settings(polling=PollingSettings(authorized=timedelta(seconds=3)))
    assert settings.http.port == 8080
    assert settings.polling.authorized == timedelta(seconds=3)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().http.port = 1


def test_variables_of_other_programs_are_left_alone(load):
    assert load("", {"PATH": "/bin", "TRACKERX": "1", "tracker_nope": "1", "MY_TRACKER_HTTP__PORT": "1"}) == Settings()


# ------------------------------------------------------------------------------------------------ where the file is


def test_tracker_config_names_the_file_from_the_working_directory(folder):
    (folder / "keys" / "other.toml").write_text("[http]\nport = 1", encoding="utf-8")
    assert load_settings({"TRACKER_CONFIG": "keys/other.toml"}, folder).http.port == 1
    assert load_settings({"TRACKER_CONFIG": str(folder / "keys/other.toml")}, Path("/")).http.port == 1


def test_tracker_config_is_read_instead_of_tracker_toml(folder):
    (folder / "tracker.toml").write_text("[http]\nport = 1", encoding="utf-8")
    (folder / "other.toml").write_text("", encoding="utf-8")
    assert load_settings({"TRACKER_CONFIG": "other.toml"}, folder).http.port == 8080


def test_a_missing_file_named_by_tracker_config_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"^TRACKER_CONFIG names gone\.toml, which does not exist"):
        load_settings({"TRACKER_CONFIG": "gone.toml"}, tmp_path)


def test_an_empty_tracker_config_is_refused(tmp_path):
    (tmp_path / "tracker.toml").touch()
    with pytest.raises(ConfigurationError, match=r"^TRACKER_CONFIG is empty"):
        load_settings({"TRACKER_CONFIG": ""}, tmp_path)


def test_a_folder_instead_of_the_file_is_refused(tmp_path):
    (tmp_path / "tracker.toml").mkdir()
    with pytest.raises(ConfigurationError, match=r"^tracker\.toml cannot be read: Is a directory; put a file there"):
        load_settings({}, tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"[http", b"\xff\xfe", b"x = " + b"[" * 100_000, b"x = 1" + b"0" * 10_000, b"[http]\nport = 1\nport = 2"],
    ids=["bracket open", "not UTF-8", "nested too deep", "number too long", "named twice"],
)
def test_what_is_not_toml_is_refused(folder, content):
    (folder / "tracker.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^tracker\.toml is not valid TOML.*\.$"):
        load_settings({}, folder)


def test_key_files_are_found_beside_the_configuration_file(folder):
    (folder / "keys" / "tracker.toml").write_text(CLIENT.replace("keys/", ""), encoding="utf-8")
    settings = load_settings({"TRACKER_CONFIG": "keys/tracker.toml"}, folder)
    assert settings.client[0].signing_jwks == folder / "keys" / "signing.jwks.json"


def test_absolute_paths_of_key_files_are_kept(load, folder):
    assert load(CLIENT.replace("keys/", f"{folder}/keys/")).client[0].signing_jwks == folder / "keys/signing.jwks.json"


# ------------------------------------------------------------------------------------------------ files


def test_the_ring_may_go_by_its_older_name(load, folder):
    older = '[notifications]\nsecrets_key = "keys/secrets.jwks.json"\n'
    assert load("").at_rest_keys is None
    assert load(older).at_rest_keys == folder / "keys" / "secrets.jwks.json"
    both = older + '[security]\nat_rest_keys = "keys/at-rest.jwks.json"\n'
    assert load(both).at_rest_keys == folder / "keys" / "at-rest.jwks.json"


@pytest.mark.parametrize("half", ["transport_certificate", "transport_key"])
def test_half_a_transport_identity_is_refused(refusal, half):
    assert refusal(f'{CLIENT}{half} = "keys/ca.pem"') == (
        "tracker.toml: [[client]] no. 1 should have both transport_certificate and transport_key, or neither."
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("signing.jwks.json", "[[client]] no. 1 signing_jwks"),
        ("encryption.jwks.json", "[[client]] no. 1 encryption_jwks"),
        ("transport.pem", "[[client]] no. 1 transport_certificate"),
        ("transport.key", "[[client]] no. 1 transport_key"),
        ("ca.pem", "[[provider]] no. 1 ca"),
        ("http.pem", "[http] tls_certificate"),
        ("http.key", "[http] tls_key"),
        ("receiver.pem", "[receiver] tls_certificate"),
        ("receiver.key", "[receiver] tls_key"),
        ("callers.pem", "[receiver] client_ca"),
        ("checkpoint.jwk.json", "[audit] checkpoint_key"),
        ("notifications.jwks.json", "[notifications] signing_key"),
        ("secrets.jwks.json", "[notifications] secrets_key"),
    ],
)
def test_a_missing_file_is_refused(refusal, folder, name, path):
    (folder / "keys" / name).unlink()
    kind = name.partition(".")[0] if "jwk" in name else None
    fix = "" if kind is None else f"; correct it, or make the file with `tracker keys make {kind} --out FILE`"
    sentence = f"tracker.toml: {path} names no file; relative paths count from {folder}{fix}."
    assert refusal(WHOLE) == sentence
    (folder / "keys" / name).mkdir()
    assert refusal(WHOLE) == sentence


@pytest.mark.parametrize("pasted", ["", "x" * 5000, "\\u0000", '{\\"keys\\": [{\\"d\\": \\"hunter2\\"}]}'])
def test_a_key_pasted_where_its_file_belongs_is_not_repeated(refusal, pasted):
    sentence = refusal(CLIENT.replace("keys/signing.jwks.json", pasted))
    assert sentence.startswith("tracker.toml: [[client]] no. 1 signing_jwks names no file; ")
    assert "hunter2" not in sentence


def test_a_missing_file_that_a_variable_names_is_refused_by_the_variable(refusal):
    assert refusal("", {"TRACKER_AUDIT__CHECKPOINT_KEY": "gone"}).startswith(
        "TRACKER_AUDIT__CHECKPOINT_KEY names no file;"
    )


CLIENT_CERTIFICATE = """
[[client_certificate]]
name = "crm"
certificate = "keys/transport.pem"
key = "keys/transport.key"
"""


def test_client_certificates_have_names_of_their_own_and_files_that_are_there(load, refusal, folder):
    (found,) = load(CLIENT_CERTIFICATE).client_certificate
    assert (found.certificate, found.key, found.ca) == (
        folder / "keys/transport.pem",
        folder / "keys/transport.key",
        None,
    )
    assert 'name "crm" stands in two [[client_certificate]] tables' in refusal(CLIENT_CERTIFICATE * 2)
    gone = CLIENT_CERTIFICATE.replace("transport.key", "gone.key")
    assert refusal(gone).startswith("tracker.toml: [[client_certificate]] no. 1 key names no file;")


def test_a_file_that_we_write_needs_only_its_folder(tmp_path):
    file = tmp_path / "tracker.toml"
    file.write_text('[audit]\npublish_to = "out/checkpoint"\n')
    with pytest.raises(ConfigurationError, match="publish_to should be a file in a folder that is there"):
        load_settings({}, tmp_path)
    (tmp_path / "out").mkdir()
    assert load_settings({}, tmp_path).audit.publish_to == tmp_path / "out" / "checkpoint"
