"""Configuration files to begin with."""

CLIENT = """
[[client]]
client_id = "tpp-client-001"
profile = "uae-v2.1"
signing_jwks = "keys/signing.jwks.json"
encryption_jwks = "keys/encryption.jwks.json"
"""

PROVIDER = """
[[provider]]
id = "demobank"
profile = "uae-v2.1"
client_id = "tpp-client-001"
issuer = "https://auth1.demobank.example"
resource_url = "https://rs1.demobank.example"
"""

WHOLE = (
    CLIENT
    + 'transport_certificate = "keys/transport.pem"\ntransport_key = "keys/transport.key"\n'
    + PROVIDER
    + """
api_version = "v2.1"
ca = "keys/ca.pem"
requests_per_second = 2.5

[database]
url = "sqlite:////var/lib/tracker/tracker.db"

[http]
host = "::1"
port = 0
tls_certificate = "keys/http.pem"
tls_key = "keys/http.key"

[receiver]
host = "0.0.0.0"
port = 8443
tls_certificate = "keys/receiver.pem"
tls_key = "keys/receiver.key"
client_ca = "keys/callers.pem"
trusted_proxies = ["10.0.0.7", "fd00::7"]
allow_networks = ["192.0.2.0/24", "2001:db8::/32"]
inbox_max_events = 10
inbox_max_age_seconds = 1.5
body_timeout_seconds = 2

[polling]
awaiting_authorization = 0.25
authorized = 60
suspended = 120
authorization_overdue = 5
revoke_abandoned_after = 7
drift_grace = 6

[notifications]
allow_networks = ["127.0.0.0/8", "fd00::/8"]
allow_ports = [443, "8000-8443"]
secrets_key = "keys/secrets.jwks.json"
signing_key = "keys/notifications.jwks.json"

[[broker]]
url = "tls://nats.bank.example"
servers = ["nats2.bank.example:4222", "[fd00::7]:4222"]
networks = ["fd00::/8"]
username = "tracker"
password_file = "keys/nats.password"
sasl_mechanism = "PLAIN"
ca = "keys/nats-ca.pem"
certificate = "keys/nats.pem"
key = "keys/nats.key"

[notices]
expiring_days = [14, 2]
authorization_ending_hours = []
attestation_days = [30]
overlap_grace = 3600

[audit]
origin = "tracker.bank.example/journal"
checkpoint_key = "keys/checkpoint.jwk.json"
exports_folder = "/var/lib/tracker/exports"
exports_keep_days = 30

[security]
key_file_mode = "warn"
at_rest_keys = "keys/at-rest.jwks.json"

[log]
level = "debug"
format = "json"
"""
)

KEY_FILES = (
    "signing.jwks.json",
    "encryption.jwks.json",
    "transport.pem",
    "transport.key",
    "ca.pem",
    "callers.pem",
    "http.pem",
    "http.key",
    "receiver.pem",
    "receiver.key",
    "checkpoint.jwk.json",
    "notifications.jwks.json",
    "secrets.jwks.json",
    "at-rest.jwks.json",
    "nats.password",
    "nats-ca.pem",
    "nats.pem",
    "nats.key",
)
"""In `keys/`: every file that the examples name."""
