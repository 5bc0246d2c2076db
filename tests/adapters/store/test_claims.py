"""Bodies that this process has just kept are not read again; all others are, and none is kept in memory for ever."""

import pytest

from tests.contract.facts import an_item, at
from tracker.adapters.store import claims, lookups
from tracker.adapters.store.claims import FreshBodies
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import StorageError


async def test_bodies_are_read_only_where_they_are_not_at_hand(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [an_item(number, body=b"%d" % number) for number in range(3)]
    for item in items:
        await store.admit(item)
    with monkeypatch.context() as patched:
        patched.delattr(lookups, "inbox_bodies")
        assert await store.claim_inbox(at(5), 10, 0) == items
    # As after a failure: what was handed out is not at hand any more, and takes no room.
    assert [store._fresh.get(item.id) for item in items] == [None, None, None]
    assert await store.claim_inbox(at(5), 10, 0) == items


async def test_an_item_that_came_twice_is_what_came_first(store: SqlStore) -> None:
    item = an_item(body=b"first")
    await store.admit(item)
    with pytest.raises(StorageError):
        await store.admit(an_item(id=item.id, body=b"second"))
    assert await store.claim_inbox(at(5), 10, 0) == [item]


def test_what_nobody_takes_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_KEPT_BYTES", 10)
    fresh = FreshBodies()
    items = [an_item(number, body=b"xxxx") for number in range(5)]
    for item in items:
        fresh.keep(item)
        fresh.keep(item)  # once more is not twice as much
    assert [fresh.get(item.id) for item in items] == [None, None, None, b"xxxx", b"xxxx"]
    fresh.forget([item.id for item in items])
    fresh.keep(an_item(body=b"x" * 11))
    fresh.keep(items[0])
    assert fresh.get(items[0].id) == b"xxxx"
