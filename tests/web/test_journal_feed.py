"""The change feed by pulling."""

import pytest

from tests.usecases.bench import data
from tests.web.site import Site
from tracker.journal.canonical import canonical


async def _story(site: Site) -> None:
    await site.register("c1")
    await site.register()
    await site.post(site.event())
    await site.work_off()
    await site.post(site.event(data("Revoked", "2026-03-02T15:16:00+04:00", RevokedBy="LFI.InitiatedByUser")))
    await site.work_off()


async def test_entries_come_in_sequence_as_they_were_hashed(site: Site) -> None:
    await _story(site)
    said = await site.get("/v1/journal", key=await site.add_key("read"))
    assert said.headers["Cache-Control"] == "no-store"
    items = said.json["items"]
    assert [item["sequence"] for item in items] == [f"{n:020}" for n in (1, 2, 3, 4)]
    assert [(item["data"]["to"], item["data"]["usable"]) for item in items[1:]] == [
        ("NotStaged", False),
        ("Authorized", True),
        ("Revoked", False),
    ]
    assert [item["data"]["previous"] for item in items] == [None, None, 2, 3]
    assert said.json["next_cursor"] == "4"
    leaves = [bytes(leaf) for (leaf,) in site.rows("SELECT CAST(leaf AS BLOB) FROM entry ORDER BY sequence")]
    assert [canonical(item) for item in items] == leaves


async def test_reading_on_from_each_cursor_has_no_gap_and_no_repeat(site: Site) -> None:
    await _story(site)
    seen, after = [], "0"
    while True:
        page = (await site.get(f"/v1/journal?after={after}&limit=1")).json
        after = page["next_cursor"]
        if not page["items"]:
            break
        seen += [item["sequence"] for item in page["items"]]
    assert [int(sequence) for sequence in seen] == [1, 2, 3, 4]
    assert after == "4"
    await site.register("later")
    (later,) = (await site.get(f"/v1/journal?after={after}")).json["items"]
    assert later["data"]["consent_id"] == "later"


@pytest.mark.parametrize(
    ("types", "found"),
    [
        ("*", [1, 2, 3, 4]),
        ("consent.*", [1, 2, 3, 4]),
        ("consent.registered", [1, 2]),
        ("consent.registered,consent.status_changed", [1, 2, 3, 4]),
        ("payment.*", []),
        ("consent", []),
        ("consent.status", []),
    ],
)
async def test_types_are_exact_or_prefixes_and_the_cursor_moves_on_all_the_same(
    site: Site, types: str, found: list[int]
) -> None:
    await _story(site)
    page = (await site.get(f"/v1/journal?types={types}")).json
    assert [int(item["sequence"]) for item in page["items"]] == found
    assert page["next_cursor"] == "4"


async def test_beyond_the_end_the_page_is_empty_and_the_cursor_stays(site: Site) -> None:
    await _story(site)
    for after in ("4", "5", "99999", str(2**63 - 1)):
        assert (await site.get(f"/v1/journal?after={after}")).json == {"items": [], "next_cursor": after}
