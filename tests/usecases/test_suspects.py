"""When the inbox is pressed, addresses from which nothing is believed wait; others do not, and nobody waits otherwise."""

import pytest

from tests import tokens
from tests.usecases.bench import NOW, UAE, Bench, data, event
from tracker.domain.errors import InboxFullError
from tracker.usecases import suspects
from tracker.usecases.suspects import SUSPECTED_AFTER, Suspects

STRANGER, HOLDER = "192.0.2.7", "198.51.100.1"
JUNK = tokens.with_flipped_bit(tokens.event(), 1)


async def send(bench: Bench, body: bytes, address: str | None) -> bool:
    """Send an event from an address; say whether it was taken."""
    try:
        await bench.receiver.receive(UAE, body, "x", address=address)
    except InboxFullError:
        return False
    return True


async def press(bench: Bench) -> None:
    """Let the inbox fall behind, with an event of nobody's."""
    await send(bench, event(data()), None)
    bench.advance(seconds=5)


async def test_only_a_suspected_address_waits_and_only_while_the_inbox_is_behind(bench: Bench) -> None:
    for _ in range(SUSPECTED_AFTER):
        assert await send(bench, JUNK, STRANGER)
    await bench.work_off()
    bench.advance(seconds=2)
    assert await send(bench, JUNK, STRANGER)  # nobody else waits: why not
    await bench.work_off()
    await press(bench)
    assert not await send(bench, JUNK, STRANGER)
    for address in (HOLDER, "192.0.2.8", None):
        assert await send(bench, event(data()), address)
    await bench.work_off()
    bench.advance(seconds=2)
    assert await send(bench, JUNK, STRANGER)


async def test_an_address_that_strangers_share_with_a_holder_is_not_suspected(bench: Bench) -> None:
    for _ in range(3):
        for _ in range(SUSPECTED_AFTER - 1):
            await send(bench, JUNK, HOLDER)
        await send(bench, event(data()), HOLDER)
        await bench.work_off()
    await press(bench)
    assert await send(bench, event(data()), HOLDER)


async def test_events_for_which_keys_are_missing_are_no_reason(bench: Bench) -> None:
    bench.keys.unavailable = True
    bench.keys.fetched.clear()
    for _ in range(SUSPECTED_AFTER):
        await send(bench, event(data()), HOLDER)
    await bench.work_off()
    await press(bench)
    assert await send(bench, event(data()), HOLDER)
    assert bench.clock.now() > NOW


@pytest.mark.parametrize(
    ("one", "another", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("/run/socket", "/run/other", False),
    ],
)
def test_an_ipv6_network_is_one_address(one: str, another: str, *, same: bool) -> None:
    known = Suspects()
    for n in range(SUSPECTED_AFTER):
        known.admitted(str(n), one)
        known.opened(str(n), believed=False)
    assert known.suspects(one)
    assert known.suspects(another) == same


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "_MOST_ADDRESSES", 50)
    monkeypatch.setattr(suspects, "_MOST_UNDER_WAY", 60)
    known = Suspects()
    for n in range(200):
        known.admitted(str(n), f"host-{n}")
    for n in range(200):
        known.opened(str(n), believed=False)
    assert len(known._in_a_row) == 50
    for n in range(200):
        known.admitted(str(n), f"host-{n}")
    assert len(known._under_way) == 60
