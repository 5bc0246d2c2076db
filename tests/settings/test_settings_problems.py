"""What cannot be used is refused in one sentence that says where, what and what to do."""

import pytest

from tests.settings.examples import CLIENT, PROVIDER

# ------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[http]\nprot = 1", "tracker.toml: [http] prot is not a setting; perhaps port was meant."),
        (
            "[http]\nzzz = 1",
            "tracker.toml: [http] zzz is not a setting; there are host, port, tls_certificate, tls_key, max_connections.",
        ),
        ("[htpp]\nport = 1", "tracker.toml: htpp is not a setting; perhaps http was meant."),
        (
            '"a\\nb" = 1',
            "tracker.toml: 'a\\nb' is not a setting; there are database, http, receiver, client, provider, ",
        ),
        (
            CLIENT + PROVIDER.replace("issuer", "isuer"),
            "tracker.toml: [[provider]] no. 1 isuer is not a setting; perhaps issuer was meant (and 1 more).",
        ),
        ("[receiver]\nzzz = 1", "tracker.toml: [receiver] zzz is not a setting; "),
        ("[retention]\ndays = 1", "tracker.toml: [retention] days is not a setting; "),
        ("_env_file = '/etc/passwd'", "tracker.toml: _env_file is not a setting; "),
        ("_cli_parse_args = ['--http.port=1']", "tracker.toml: _cli_parse_args is not a setting; "),
    ],
)
def test_unknown_names_in_the_file_are_refused(refusal, text, sentence):
    assert refusal(text).startswith(sentence)


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("TRACKER_NOPE", "TRACKER_NOPE is not a setting; settings are named TRACKER_SECTION__NAME."),
        ("TRACKER_CONFG", "TRACKER_CONFG is not a setting; perhaps TRACKER_CONFIG was meant."),
        ("TRACKER_HTTP_PORT", "TRACKER_HTTP_PORT is not a setting; perhaps TRACKER_HTTP__PORT was meant."),
        ("TRACKER_HTTP__PROT", "TRACKER_HTTP__PROT is not a setting; perhaps TRACKER_HTTP__PORT was meant."),
        ("TRACKER_HTTP__PORT__X", "TRACKER_HTTP__PORT__X is not a setting; "),
        ("TRACKER_http__port", "TRACKER_http__port is not a setting; "),
        ("TRACKER_HTTP", "TRACKER_HTTP is not a setting; "),
        ("TRACKER_", "TRACKER_ is not a setting; "),
        ("TRACKER_A\nB", "'TRACKER_A\\nB' is not a setting; "),
        ("TRACKER_CLIENT__0__CLIENT_ID", "TRACKER_CLIENT__0__CLIENT_ID is not a setting; "),
        (
            "TRACKER_CLIENT__CLIENT_ID",
            "TRACKER_CLIENT__CLIENT_ID is not a single value; write client_id in the file, under client.",
        ),
        (
            "TRACKER_NOTIFICATIONS__ALLOW_NETWORKS",
            (
                "TRACKER_NOTIFICATIONS__ALLOW_NETWORKS is not a single value; "
                "write allow_networks in the file, under notifications."
            ),
        ),
    ],
)
def test_unknown_variables_are_refused(refusal, variable, sentence):
    assert refusal("", {variable: '{"port": 1}'}).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("http = 3", "tracker.toml: http should be a table."),
        ("[[http]]\nport = 1", "tracker.toml: http should be a table."),
        (CLIENT.replace("[[client]]", "[client]"), "tracker.toml: client should be tables written as [[client]]."),
        ("client = ['x']", "tracker.toml: [[client]] no. 1 should be a table."),
        (
            CLIENT.replace('client_id = "tpp-client-001"', ""),
            "tracker.toml: [[client]] no. 1 client_id is missing; add it.",
        ),
        (
            CLIENT + CLIENT.replace('client_id = "tpp-client-001"\nprofile = "uae-v2.1"', ""),
            "tracker.toml: [[client]] no. 2 client_id is missing; add it (and 1 more).",
        ),
    ],
)
def test_tables_that_are_not_of_the_form_are_refused(refusal, text, sentence):
    assert refusal(text) == sentence


# ------------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[http]\nport = -1", "tracker.toml: [http] port should be greater than or equal to 0."),
        ('[log]\nlevel = "loud"', "tracker.toml: [log] level should be 'debug', 'info', 'warning' or 'error'."),
        ('[polling]\nauthorized = "5s"', "tracker.toml: [polling] authorized should be a number of seconds."),
        (
            '[notifications]\nallow_networks = ["::1/128", "x"]',
            (
                'tracker.toml: [notifications] allow_networks no. 2 should be a network such as "10.1.0.0/16", '
                "without host bits."
            ),
        ),
        (
            CLIENT + PROVIDER.replace("https://auth1", "http://auth1"),
            "tracker.toml: [[provider]] no. 1 issuer should begin with https://; http:// is for loopback hosts only.",
        ),
        (
            '[database]\nurl = "postgresql+psycopg://user:hunter2@host/db"',
            "tracker.toml: [database] url should be sqlite:///FILE, with three slashes, or postgresql://user@host/db; no driver.",
        ),
        (
            '[http]\nport = -1\n[log]\nlevel = "x"\nformat = "y"',
            "tracker.toml: [http] port should be greater than or equal to 0 (and 2 more).",
        ),
    ],
)
def test_bad_values_are_refused_by_the_name_of_the_setting(refusal, text, sentence):
    assert refusal(text) == sentence


@pytest.mark.parametrize(
    ("variable", "text"),
    [("TRACKER_HTTP__PORT", "x"), ("TRACKER_HTTP__PORT", ""), ("TRACKER_POLLING__AUTHORIZED", "5s")],
)
def test_a_bad_variable_is_named_instead_of_the_file(refusal, variable, text):
    assert refusal("[http]\nport = 1", {variable: text}).startswith(f"{variable} should be a")


def test_a_variable_of_a_section_that_is_no_table_does_not_hide_that(refusal):
    assert refusal("http = 3", {"TRACKER_HTTP__PORT": "1"}) == "tracker.toml: http should be a table."


def test_a_variable_mends_a_bad_value_of_the_file(load):
    assert load("[http]\nport = 'x'", {"TRACKER_HTTP__PORT": "1"}).http.port == 1


# ------------------------------------------------------------------------------------------------ what belongs together


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (CLIENT * 2, 'tracker.toml: client_id "tpp-client-001" stands in two [[client]] tables; keep one.'),
        (PROVIDER, 'tracker.toml: provider "demobank" has no client; add a [[client]] with its client_id.'),
        (
            CLIENT + PROVIDER.replace("uae-v2.1", "fdx"),
            'tracker.toml: provider "demobank" and its client differ in profile; make them agree.',
        ),
        (
            CLIENT + PROVIDER + PROVIDER.replace("auth1", "auth2"),
            'tracker.toml: id "demobank" stands in two [[provider]] tables; give each its own.',
        ),
        (
            CLIENT + PROVIDER + PROVIDER.replace('id = "demobank"', 'id = "other"', 1),
            (
                'tracker.toml: providers "demobank" and "other" have the same issuer and client_id, '
                "so that their events could not be told apart; keep one."
            ),
        ),
        (
            CLIENT.replace("uae-v2.1", "uae-v9"),
            "tracker.toml: [[client]] no. 1 profile is not a profile that this version has; use uae-v2.1.",
        ),
    ],
)
def test_tables_that_contradict_each_other_are_refused(refusal, text, sentence):
    assert refusal(text) == sentence


def test_one_issuer_may_serve_two_clients(load):
    text = CLIENT + CLIENT.replace("001", "002") + PROVIDER + PROVIDER.replace("001", "002").replace('"demo', '"other')
    assert [provider.client_id for provider in load(text).provider] == ["tpp-client-001", "tpp-client-002"]


def test_profiles_are_not_checked_when_none_are_known(load):
    assert load(CLIENT.replace("uae-v2.1", "made-up"), known_profiles=None).client[0].profile == "made-up"
