import contextlib
import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker.adapters.address_guard import check_url, guarded_sockets, is_allowed
from tracker.domain.errors import InvalidRequestError

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

REFUSED = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT
    "100.100.100.200",  # a cloud's metadata
    "127.0.0.1",
    "168.63.129.16",  # a cloud's host agent, in public space
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible, obsolete
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:8.8.8.8",  # IPv4-translated
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::e000:1",
    "64:ff9b:1::808:808",  # local-use NAT64
    "100::1",
    "2001:0:808:808:8000:63bf:80ff:fffe",  # Teredo
    "2001:2::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4
    "2002:808:808::1",
    "2a00:1450::5efe:7f00:1",  # ISATAP
    "2a00:1450::200:5efe:7f00:1",
    "2a00:1450::100:5efe:808:808",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
ALLOWED = ["8.8.8.8", "1.1.1.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2a00:1450:4001:80e::200e", "2606:4700::1111"]


@pytest.mark.parametrize("address", REFUSED)
def test_a_special_address_is_refused(address: str) -> None:
    assert not is_allowed(ip_address(address), ())


@pytest.mark.parametrize("address", ALLOWED)
def test_a_global_address_is_allowed(address: str) -> None:
    assert is_allowed(ip_address(address), ())


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"])
def test_an_address_in_a_listed_network_is_allowed_in_every_disguise(address: str) -> None:
    listed = (ip_network("10.1.0.0/16"),)
    assert is_allowed(ip_address(address), listed)
    assert not is_allowed(ip_address("10.2.0.1"), listed)
    assert not is_allowed(ip_address("127.0.0.1"), listed)
    assert not is_allowed(ip_address("::1"), listed)


def test_listing_an_ipv6_network_lets_what_is_in_it_through() -> None:
    listed = (ip_network("fd00:1::/32"),)
    assert is_allowed(ip_address("fd00:1::5"), listed)
    assert not is_allowed(ip_address("fd00:2::5"), listed)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
@example(IPv4Address("100.64.0.0"))
@example(IPv4Address("100.127.255.255"))
def test_an_address_in_disguise_is_allowed_only_if_it_is_allowed_by_itself(address: IPv4Address) -> None:
    plain = is_allowed(address, ())
    assert is_allowed(IPv6Address(f"::ffff:{address}"), ()) == plain
    assert is_allowed(IPv6Address(int(IPv6Address("64:ff9b::")) | int(address)), ()) == plain
    assert not is_allowed(IPv6Address(int(address)), ())
    assert not is_allowed(IPv6Address(0x2002 << 112 | int(address) << 80 | 1), ())
    assert not is_allowed(IPv6Address(0x2A00_1450 << 96 | 0x5EFE << 32 | int(address)), ())


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_no_ipv6_address_outside_global_unicast_is_allowed_but_a_translated_one(address: IPv6Address) -> None:
    if is_allowed(address, ()):
        assert address in ip_network("2000::/3") or address.ipv4_mapped or address in ip_network("64:ff9b::/96")


def _address_info(host: str, family: socket.AddressFamily = socket.AF_INET) -> tuple[object, ...]:
    where = (host, 443) if family is socket.AF_INET else (host, 443, 0, 2)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where


def test_the_socket_factory_refuses_with_a_reason() -> None:
    with pytest.raises(OSError, match=r"10\.0\.0\.1 is not an address that may be posted to") as caught:
        guarded_sockets(())(_address_info("10.0.0.1"))
    assert caught.value.errno == errno.EACCES
    with pytest.raises(OSError, match="fe80::1 is not an address"):
        guarded_sockets(())(_address_info("fe80::1%eth0", socket.AF_INET6))


def test_the_socket_factory_opens_a_socket_for_an_allowed_address() -> None:
    guarded_sockets(())(_address_info("8.8.8.8")).close()
    guarded_sockets(LOOPBACK)(_address_info("127.0.0.1")).close()


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x",
        "https://hooks.example.com:8443/x?y=z",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/x",
        "https://[2a00:1450:4001:80e::200e]:443/",
        "https://hooks.example.com:80/x",
        "https://hooks.example.com/~a@b",
    ],
)
def test_a_public_https_url_is_taken(url: str) -> None:
    check_url(url, ())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example.com/x", "begins with https"),
        ("http://8.8.8.8/x", "begins with https"),
        ("ftp://hooks.example.com/x", "begins with https"),
        ("file:///etc/passwd", "begins with https"),
        ("hooks.example.com/x", "begins with https"),
        ("https:///x", "begins with https|not a URL"),
        ("", "at most"),
        ("https://", "begins with https|not a URL"),
        ("https://h.example.com/" + "x" * 2048, "at most"),
        ("https://user@hooks.example.com/", "user name"),
        ("https://user:pass@hooks.example.com/", "user name"),
        ("https://@hooks.example.com/", "user name"),
        ("https://hooks.example.com/#", "fragment"),
        ("https://hooks.example.com/x#y", "fragment"),
        ("https://hooks.example.com:0/", "port is one of 80, 443, 1024-65535, not 0"),
        ("https://hooks.example.com:22/", "port is"),
        ("https://hooks.example.com:65536/", "not a URL"),
        ("https://hooks.example.com:x/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://hooks.example.com\\@10.0.0.1/", "backslash"),
        ("https://hooks.example.com/\r\nX: y", "visible ASCII"),
        (" https://hooks.example.com/", "visible ASCII"),
        ("https://①②⑦.⓪.⓪.①/", "visible ASCII"),
        ("https://bücher.example/", "visible ASCII"),
        ("https://127.0.0.1/", "no address"),
        ("https://[::1]/", "no address"),
        ("https://[::ffff:127.0.0.1]/", "no address"),
        ("https://[::ffff:7f00:1]/", "no address"),
        ("https://[64:ff9b::7f00:1]/", "no address"),
        ("https://[fe80::1]/", "no address"),
        ("https://[fe80::1%25eth0]/", "no zone|not a URL"),
        ("https://169.254.169.254/latest/meta-data", "no address"),
        ("https://100.64.0.1/", "no address"),
        ("https://127.0.0.1./", "no address"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://0x7f.1/", "four decimal numbers"),
        ("https://0x7f000001/", "four decimal numbers"),
        ("https://0177.0.0.1/", "four decimal numbers"),
        ("https://127.1/", "four decimal numbers"),
        ("https://localhost/", "localhost"),
        ("https://LOCALHOST./", "localhost"),
        ("http://localhost/", "localhost"),
    ],
)
def test_a_url_that_leads_inside_or_is_none_is_refused_in_one_sentence(url: str, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says) as caught:
        check_url(url, ())
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/x",
        "http://[::1]:8080/",
        "http://localhost:8080/",
        "https://localhost/",
        "https://127.0.0.1/",
    ],
)
def test_plain_http_is_taken_at_listed_addresses(url: str) -> None:
    check_url(url, LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "http://8.8.8.8/",
        "http://10.0.0.1/",
        "http://2130706433/",
        "http://localhost.evil/",
    ],
)
def test_plain_http_is_refused_elsewhere_whatever_is_listed(url: str) -> None:
    with pytest.raises(InvalidRequestError):
        check_url(url, LOOPBACK)


@given(st.text(max_size=60))
@example("https://[")
@example("https://[v1.x]/")
@example("//")
@example("http://[::ffff:1.2.3]/")
def test_any_text_is_taken_or_refused(text: str) -> None:
    for candidate in (text, f"https://{text}", f"http://{text}"):
        with contextlib.suppress(InvalidRequestError):
            check_url(candidate, LOOPBACK)
