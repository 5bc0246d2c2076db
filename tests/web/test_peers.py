"""Whose events are taken: addresses behind proxies, in and out of the networks that are allowed."""

import asyncio
import logging
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from tests.web.site import DOOR, Site, open_site
from tracker.web.peers import sender_address

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8")))


def sender(peer, *forwarded_for, trusted=PROXIES):
    found = sender_address(peer, forwarded_for, trusted)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "found"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # a stranger is not believed
        ("10.0.0.1", [], "10.0.0.1"),  # the proxy itself
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.7, 192.0.2.1"], "192.0.2.1"),  # what the sender wrote stands first
        ("10.0.0.1", ["198.51.100.7", "192.0.2.1"], "192.0.2.1"),  # in a header of its own too
        ("10.0.0.1", ["192.0.2.1", "10.2.3.4, fd00::9"], "192.0.2.1"),  # through several proxies of ours
        ("10.0.0.1", ["198.51.100.7, 192.0.2.1, 10.2.3.4"], "192.0.2.1"),
        ("10.0.0.1", ["10.9.9.9, 10.2.3.4"], "10.9.9.9"),  # from within: the farthest
        ("10.0.0.1", ["10.9.9.9, 192.0.2.1"], "192.0.2.1"),  # a trusted address that the sender wrote
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("fd00::1", ["2001:DB8:0:0::5"], "2001:db8::5"),
        ("fd00::1%eth0", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ("fd00::1", ["[2001:db8::5]"], "2001:db8::5"),
        ("10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["\t192.0.2.1 "], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1,"], None),  # what our proxy wrote is no address
        ("10.0.0.1", [""], None),
        ("10.0.0.1", ["unknown"], None),
        ("10.0.0.1", ["192.0.2.1, unknown"], None),
        ("10.0.0.1", ["192.0.2.1, 10.2.3.4, for=198.51.100.7"], None),
        ("10.0.0.1", ["unknown, 192.0.2.1"], "192.0.2.1"),  # the sender's own rubbish
        ("10.0.0.1", ["0300.0.2.1"], None),
        ("10.0.0.1", ["3221225985"], None),
        ("10.0.0.1", ["localhost"], None),
        ("", [], None),
        ("/run/door.sock", ["192.0.2.1"], None),
    ],
)
def test_the_sender_is_the_nearest_that_is_no_proxy_of_ours(peer, forwarded_for, found):
    assert sender(peer, *forwarded_for) == found


def test_without_trusted_proxies_nobody_is_believed():
    assert sender("10.0.0.1", "192.0.2.1", trusted=()) == "10.0.0.1"


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
JUNK = st.text(st.characters(codec="latin-1"), max_size=40)


@given(st.one_of(ADDRESSES, JUNK), st.lists(st.one_of(ADDRESSES, JUNK), max_size=4))
def test_whatever_is_written_gives_an_address_or_none(peer, forwarded_for):
    found = sender_address(peer, forwarded_for, PROXIES)
    assert found is None or isinstance(found, IPv4Address | IPv6Address)


@given(JUNK, ADDRESSES.filter(lambda text: not any(ip_address(text) in network for network in PROXIES)))
def test_nothing_that_a_sender_writes_changes_who_he_is(written, address):
    plain = sender_address("10.0.0.1", [address], PROXIES)
    assert sender_address("10.0.0.1", [f"{written},{address}"], PROXIES) == plain
    assert sender_address("10.0.0.1", [written, address], PROXIES) == plain
    assert sender_address(address, [written], PROXIES) == sender_address(address, [], PROXIES)


# ---------------------------------------------------------------------------------------------- at the door

BANKS = ["192.0.2.0/24", "2001:db8::/32"]
LOOPBACK = ["127.0.0.0/8", "::1"]


@pytest.mark.parametrize(
    ("receiver", "forwarded_for", "status"),
    [
        ({}, None, 202),
        ({}, "203.0.113.9", 202),
        ({"allow_networks": LOOPBACK}, None, 202),
        ({"allow_networks": LOOPBACK}, "203.0.113.9", 202),  # nobody is believed
        ({"allow_networks": BANKS}, None, 403),
        ({"allow_networks": BANKS}, "192.0.2.1", 403),  # forged
        ({"allow_networks": BANKS, "trusted_proxies": ["10.0.0.0/8"]}, "192.0.2.1", 403),  # another proxy is trusted
        ({"allow_networks": BANKS, "trusted_proxies": LOOPBACK}, "192.0.2.1", 202),
        ({"allow_networks": BANKS, "trusted_proxies": LOOPBACK}, "2001:db8:7::1", 202),
        ({"allow_networks": BANKS, "trusted_proxies": LOOPBACK}, "2001:db9::1", 403),
        ({"allow_networks": BANKS, "trusted_proxies": LOOPBACK}, "192.0.2.1, 203.0.113.9", 403),
        ({"allow_networks": BANKS, "trusted_proxies": LOOPBACK}, "203.0.113.9, 192.0.2.1", 202),
        ({"allow_networks": BANKS, "trusted_proxies": LOOPBACK}, "192.0.2.1, unknown", 403),
        ({"allow_networks": BANKS, "trusted_proxies": LOOPBACK}, None, 403),  # the proxy itself is no bank
        ({"trusted_proxies": LOOPBACK}, "unknown", 202),
    ],
)
async def test_events_are_taken_from_allowed_networks_only(database: Path, keys: Path, receiver, forwarded_for, status):
    async with open_site(database, keys, receiver=receiver) as site:
        headers = {} if forwarded_for is None else {"X-Forwarded-For": forwarded_for}
        said = await site.post(site.event(), headers={"x-fapi-interaction-id": "id-1", **headers})
        assert (said.status, said.body, said.headers["x-fapi-interaction-id"]) == (status, b"", "id-1")
        assert site.rows("SELECT count(*) FROM inbox") == [(int(status == 202),)]
        assert (await site.get("/v1/consents")).status == 200  # the API is not meant


async def test_of_several_headers_of_proxies_the_last_counts(database: Path, keys: Path):
    receiver = {"allow_networks": BANKS, "trusted_proxies": LOOPBACK}
    async with open_site(database, keys, receiver=receiver) as site:
        for forwarded_for, status in ((("192.0.2.1", "203.0.113.9"), 403), (("203.0.113.9", "192.0.2.1"), 202)):
            headers = [("X-Forwarded-For", one) for one in forwarded_for]
            assert (await site.post(site.event(), headers=CIMultiDict(headers))).status == status


@pytest.mark.parametrize("header", ["Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1", "X-Forwarded: 192.0.2.1"])
async def test_other_headers_of_proxies_are_not_read(database: Path, keys: Path, header: str):
    name, _, value = header.partition(": ")
    async with open_site(database, keys, receiver={"allow_networks": BANKS, "trusted_proxies": LOOPBACK}) as site:
        assert (await site.post(site.event(), headers={name: value})).status == 403


async def _exchange(site: Site, head: bytes, body: bytes = b"") -> bytes:
    """Send a head, perhaps some of a body, and read until the other side hangs up."""
    reader, writer = await asyncio.open_connection(site.client.host, site.client.port)
    try:
        writer.write(head + body)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


HEAD = f"POST {DOOR} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n".encode()


async def test_who_is_refused_is_answered_and_cut_off_without_a_body(database: Path, keys: Path, caplog):
    caplog.set_level(logging.INFO)
    async with open_site(database, keys, receiver={"allow_networks": BANKS}) as site:
        for body in (b"", b"x" * 100, b"x" * 5000):
            answer = await _exchange(site, HEAD + b"\r\n", body)
            assert answer.startswith(b"HTTP/1.1 403 ")
            assert b"connection: close" in answer.lower()
            assert answer.endswith(b"\r\n\r\n")
        assert caplog.messages.count("A request from 127.0.0.1 was refused at the door: not in allow_networks") == 3


async def test_who_is_refused_is_not_told_to_go_on(database: Path, keys: Path):
    async with open_site(database, keys, receiver={"allow_networks": BANKS}) as site:
        answer = await _exchange(site, HEAD + b"Expect: 100-continue\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b" 100 " not in answer


async def test_who_is_taken_is_told_to_go_on(site: Site):
    body = site.event()
    head = f"POST {DOOR} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n".encode()
    answer = await _exchange(site, head + b"Expect: 100-continue\r\n\r\n", body)
    first, _, rest = answer.partition(b"\r\n\r\n")
    assert first == b"HTTP/1.1 100 Continue"
    assert rest.startswith(b"HTTP/1.1 202 ")
    assert (await _exchange(site, head + b"Expect: a miracle\r\n\r\n", body)).startswith(b"HTTP/1.1 417 ")
    assert site.rows("SELECT count(*) FROM inbox") == [(1,)]
