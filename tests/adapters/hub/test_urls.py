import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from tests.adapters.hub.conftest import make_provider
from tracker.adapters.hub.urls import consent_url, is_loopback, require_secure, secure_url, stays_below
from tracker.domain.errors import ConfigurationError, InvalidRequestError
from tracker.profiles.uae_v2_1 import UAE_V2_1

ISSUER = "https://auth1.demobank.example"
PREFIX = ISSUER + "/rs/open-finance/payment/v2.1/payment-consents/"
PAYMENT = UAE_V2_1.kinds["payment"]
IDS = {
    "5b0e7c1a-2f34": "5b0e7c1a-2f34",
    "a/b": "a%2Fb",
    "urn:x:1": "urn%3Ax%3A1",
    "../../par": "..%2F..%2Fpar",
    "a?b#c": "a%3Fb%23c",
    "%2e%2e": "%252e%252e",
    "%2F": "%252F",
    "a\\b": "a%5Cb",
    "...": "...",
    "a;v=1+2@x": "a%3Bv%3D1%2B2%40x",
}


@pytest.mark.parametrize(("consent_id", "segment"), IDS.items())
def test_consent_id_is_percent_encoded_once(consent_id: str, segment: str) -> None:
    assert str(consent_url(make_provider(ISSUER), PAYMENT, consent_id)) == PREFIX + segment


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128))
def test_any_consent_id_stays_one_segment_below_the_prefix(consent_id: str) -> None:
    if consent_id in {".", ".."}:
        return
    url = consent_url(make_provider(ISSUER), PAYMENT, consent_id)
    assert url.raw_path.rpartition("/")[0] + "/" == URL(PREFIX).raw_path
    assert not url.raw_query_string
    assert not url.raw_fragment
    assert url.raw_parts[-1] == url.raw_path.rpartition("/")[2]
    assert URL(str(url)).parts[-1] == consent_id  # whoever decodes once has the id again


@pytest.mark.parametrize("consent_id", [".", "..", "", "a b", "a\nb", "\0", "x" * 129, "é"])
def test_what_is_no_consent_id_is_never_asked_for(consent_id: str) -> None:
    with pytest.raises(InvalidRequestError):
        consent_url(make_provider(ISSUER), PAYMENT, consent_id)


@pytest.mark.parametrize(
    "rest", ["..", ".", "", "../par", "a/../../b", "a/b", "%2e%2e", "%2E%2e/x", "a?b", "a#b", "./"]
)
def test_url_that_leaves_the_prefix_after_normalisation_is_seen(rest: str) -> None:
    assert not stays_below(PREFIX, PREFIX + rest)


@pytest.mark.parametrize("resource", [ISSUER + "/a/../b", ISSUER + "/%2e%2e"])
def test_url_that_would_leave_its_prefix_is_not_given(resource: str) -> None:
    with pytest.raises(ConfigurationError, match="outside"):
        consent_url(make_provider(ISSUER, resource_url=resource), PAYMENT, "c-1")


def test_url_of_another_host_is_seen() -> None:
    assert not stays_below(PREFIX, PREFIX.replace("demobank", "otherbank") + "a")


@pytest.mark.parametrize("resource", [ISSUER + "/rs", ISSUER + "/rs/", ISSUER + "/rs//"])
def test_slashes_at_the_end_of_the_resource_url_do_not_matter(resource: str) -> None:
    assert str(consent_url(make_provider(ISSUER, resource_url=resource), PAYMENT, "c")) == PREFIX + "c"


@pytest.mark.parametrize(
    "text",
    [
        "http://auth1.demobank.example",
        "http://10.0.0.1",
        "http://localhost.example",
        "http://127.1",
        "ftp://localhost/x",
        "https://user:secret@h/x",
        "https://h/x#part",
        "https:///x",
        "//h/x",
        "h/x",
        "",
        "https://h:99999/",
        "https://[::1",
    ],
)
def test_url_that_may_not_be_asked(text: str) -> None:
    assert secure_url(text) is None


@pytest.mark.parametrize(
    "text", ["https://h/x", "http://localhost:8443/", "http://127.0.0.1:1/x", "http://127.8.9.10/", "http://[::1]:5/x"]
)
def test_url_that_may_be_asked(text: str) -> None:
    assert secure_url(text) == URL(text)


def test_own_ports_may_not_be_asked_for_somebody_elsewhere() -> None:
    assert secure_url("http://127.0.0.1/x", on_this_machine=False) is None
    assert secure_url("https://h/x", on_this_machine=False) is not None


def test_loopback_is_judged_by_the_host_alone() -> None:
    assert is_loopback(URL("https://localhost/"))
    assert not is_loopback(URL("https://h/localhost"))
    assert not is_loopback(URL("/relative"))


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://auth1.demobank.example"},
        {"issuer": ISSUER + "?x=1"},
        {"issuer": ISSUER + "#x"},
        {"resource_url": ISSUER + "/rs?x=1"},
        {"resource_url": "http://rs1.demobank.example"},
        {"resource_url": ISSUER + "/a/../b"},
        {"resource_url": "https://RS1.demobank.example"},
        {"resource_url": ISSUER + "/a b"},
        {"resource_url": "rs1.demobank.example"},
        {"api_version": "v2.1/.."},
        {"api_version": ".."},
        {"api_version": ""},
    ],
)
def test_provider_with_addresses_that_may_not_be_asked_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        require_secure(make_provider(**({"issuer": ISSUER, "resource_url": ISSUER + "/rs"} | changes)))
    assert "demobank" in str(caught.value)


def test_provider_on_this_machine_or_with_tls_is_taken() -> None:
    require_secure(make_provider(ISSUER))
    require_secure(make_provider("http://127.0.0.1:8099"))
