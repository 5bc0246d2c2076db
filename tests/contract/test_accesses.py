"""The access record, on every database."""

from datetime import timedelta

from tests.contract.facts import IDS, START
from tracker.adapters.store.store import SqlStore
from tracker.ports import Access, AccessQuery

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def a_look(hours: float = 0, **facts: object) -> Access:
    given = {"id": IDS.ordered(), "at": START + hours * HOUR, "who": "a", "what": "consent.show", "interaction_id": "i"}
    return Access(**{**given, **facts})  # type: ignore[arg-type]


async def test_a_consents_looks_are_those_at_it_alone_and_among_others(store: SqlStore) -> None:
    alone = a_look(1, tracking_id="t1", provider="p", consent_id="c", peer="::1", status=404)
    among = a_look(2, shown=2, shown_ids=("t1", "t2"), asked={"kind": "x"}, who="b")
    other = a_look(3, tracking_id="t2")
    for look in (other, alone, among):
        await store.accesses.add(look)
    assert await store.accesses_of("t1", 10) == [alone, among]  # type: ignore[arg-type]
    assert await store.accesses_of("t1", 1, (alone.at, alone.id)) == [among]  # type: ignore[arg-type]
    assert await store.accesses.listed(AccessQuery(tracking_id="t2")) == [other, among]
    assert await store.accesses.listed(AccessQuery(tracking_id="t2", who="b")) == [among]
    assert await store.accesses.listed(AccessQuery()) == [other, among, alone]
    assert await store.accesses.listed(AccessQuery(who="b")) == [among]
    assert await store.accesses.listed(AccessQuery(since=among.at, until=other.at)) == [among]


async def test_looks_of_one_instant_have_an_order_and_no_page_leaves_one_out(store: SqlStore) -> None:
    made = [a_look(tracking_id="t", shown_ids=("t",) if n % 2 else ()) for n in range(7)]
    for look in made:
        await store.accesses.add(look)
    found: list[Access] = []
    while page := await store.accesses_of("t", 2, (found[-1].at, found[-1].id) if found else None):  # type: ignore[arg-type]
        found += page
    assert found == sorted(made, key=lambda look: look.id)


async def test_what_is_old_is_forgotten_and_nothing_else(store: SqlStore) -> None:
    kept = a_look(0.5, tracking_id="t", shown_ids=("t2",))
    for look in (a_look(-1, tracking_id="t", shown_ids=("t2",)), a_look(-24 * 400, tracking_id="t"), kept):
        await store.accesses.add(look)
    for months in range(3):  # housekeeping makes what is needed meanwhile
        await store.trim(START + months * 31 * DAY)
    await store.accesses.tend(START)
    for key in ("t", "t2"):
        assert kept in await store.accesses_of(key, 10)  # type: ignore[arg-type]
        left = await store.accesses_of(key, 10)  # type: ignore[arg-type]
        assert all(look.at >= START or _shares_a_month(look, kept) for look in left)


def _shares_a_month(look: Access, kept: Access) -> bool:
    """On PostgreSQL a month goes as a whole."""
    return (look.at.year, look.at.month) <= (kept.at.year, kept.at.month)
