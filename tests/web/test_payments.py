"""Payments under consents: the latest word on each, from verified events in any order; they never move a consent."""

from itertools import permutations
from typing import Any

import pytest

from tests.profiles import uae_payloads as uae
from tests.usecases.bench import data, message
from tests.web.site import Site

ID = uae.PAYMENT_ID
ONE = f"/v1/consents/demobank/{ID}"
PAID = "AcceptedCreditSettlementCompleted"


def paid(status: str, second: int, payment_id: str = "PMT-1", **changes: Any) -> dict[str, Any]:
    at = f"2026-03-02T15:10:{second:02}+04:00"
    found = uae.payment(PaymentId=payment_id, Status=status, StatusUpdateDateTime=at, **changes)
    return message(found, at=at, ConsentId=ID)


async def deliver(site: Site, *messages: dict[str, Any], **options: Any) -> None:
    for one in messages:
        await site.post(site.event(message=one, **options))
    await site.work_off()


async def register(site: Site, **facts: Any) -> Any:
    return await site.register(ID, kind="payment", **facts)


async def hear(site: Site, status: str, at: str = "2026-03-02T15:05:00+04:00") -> None:
    found = uae.single_payment(Status=status, StatusUpdateDateTime=at)
    await deliver(site, message(found, at=at, ConsentId=ID))


async def entries(site: Site) -> list[dict[str, Any]]:
    items = (await site.get("/v1/journal?limit=500")).json["items"]
    return [entry for entry in items if entry["type"] == "payment.status_changed"]


async def payments(site: Site, query: str = "") -> list[dict[str, Any]]:
    said = await site.get(f"{ONE}/payments{query}")
    assert said.status == 200, said.body
    return list(said.json["items"])


async def test_a_payment_is_kept_shown_and_told(site: Site) -> None:
    await register(site)
    await hear(site, "Authorized")
    await deliver(site, paid("Pending", 1), paid(PAID, 2))
    (shown,) = await payments(site)
    assert shown == {
        "payment_id": "PMT-1",
        "consent_id": ID,
        "status": PAID,
        "outcome": "successful",
        "is_final": True,
        "status_date_time": "2026-03-02T11:10:02.000000Z",
        "created_date_time": shown["created_date_time"],
        "transaction_id": shown["transaction_id"],
        "reject_codes": shown["reject_codes"],
        "amount": shown["amount"],
        "currency": "AED",
        "received_at": "2026-03-02T11:20:00.000000Z",
    }
    first, second = await entries(site)
    assert (first["data"]["reason"], second["data"]["reason"]) == ("pending", "successful")
    assert (second["private"]["from"], second["private"]["to"]) == ("Pending", PAID)
    told = second["data"]
    assert (told["from"], told["to"], told["usable"], told["channel"]) == (None, None, True, "webhook")
    assert told["status_date_time"] == "2026-03-02T11:10:02.000000Z"
    assert told["evidence"][0]["signed"]
    assert "PMT-1" not in str(told), "a payment is not in what cannot be erased"
    seen = (await site.get(ONE)).json
    assert (seen["status"], seen["usable"], seen["payment_outcome"]) == ("Authorized", True, "successful")


async def test_payments_move_no_consent_though_both_know_rejected(site: Site) -> None:
    await register(site)
    await hear(site, "Authorized")
    version = (await site.get(ONE)).json["version"]
    await deliver(
        site, paid("Rejected", 3, RejectReasonCode=[{"Code": "AANI.AM04", "Message": "Ms Smith has no money"}])
    )
    seen = (await site.get(ONE)).json
    assert (seen["status"], seen["usable"], seen["in_doubt"]) == ("Authorized", True, False)
    assert seen["version"] > version
    assert (await payments(site))[0]["reject_codes"] == ["AANI.AM04"]
    assert "Smith" not in str(site.rows("SELECT * FROM payment"))
    kinds = [item["type"] for item in (await site.get(f"{ONE}/timeline")).json["items"]]
    assert kinds.count("payment.status_changed") == 1


WORDS = [paid("Pending", 1), paid("AcceptedSettlementCompleted", 2), paid("Rejected", 2)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("registered", [True, False])
async def test_what_is_kept_depends_on_the_words_and_not_on_their_order(
    site: Site, order: tuple[int, ...], registered: bool
) -> None:
    if registered:
        await register(site)
    for index in order:
        await deliver(site, WORDS[index], WORDS[index])
    if not registered:
        assert (await site.get(f"{ONE}/payments")).problem == "consent_not_found"
        assert await entries(site) == []
        await register(site)
    (shown,) = await payments(site)
    assert (shown["status"], shown["outcome"]) == ("Rejected", "failed")
    assert (await site.get(ONE)).json["payment_outcome"] == "failed"
    assert (await entries(site))[-1]["data"]["reason"] == "failed"


async def test_a_payment_that_came_before_its_consents_own_events(site: Site) -> None:
    """Registered later still: it is told with the evidence that it came with."""
    await deliver(site, paid(PAID, 2))
    await hear(site, "Consumed", "2026-03-02T15:10:00+04:00")
    made = await register(site)
    assert made["labels"] == {"shelf": "History", "status": "Successful", "type": "Single Payment"}
    (entry,) = await entries(site)
    assert len(entry["data"]["evidence"][0]["jws_sha256"]) == 64
    assert entry["data"]["previous"] is not None


@pytest.mark.parametrize(
    ("status", "label"),
    [
        (None, "Consumed"),
        ("Pending", "Consumed"),
        ("SomethingNew", "Consumed"),
        ("AcceptedSettlementCompleted", "Successful"),
        ("AcceptedWithoutPosting", "Successful"),
        (PAID, "Successful"),
        ("Rejected", "Failed"),
    ],
)
async def test_a_consumed_single_payment_reads_by_its_payment(site: Site, status: str | None, label: str) -> None:
    await register(site)
    await hear(site, "Consumed")
    if status is not None:
        await deliver(site, paid(status, 9))
    expected = {"shelf": "History", "status": label, "type": "Single Payment"}
    assert (await site.get(ONE)).json["labels"] == expected
    assert (await site.get("/v1/consents")).json["items"][0]["labels"] == expected


async def test_many_payments_come_in_pages_and_the_latest_word_is_shown(site: Site) -> None:
    await register(site)
    await deliver(site, paid("Rejected", 9, "PMT-3"), paid(PAID, 4, "PMT-1"), paid("Pending", 2, "PMT-2"))
    assert [one["payment_id"] for one in await payments(site)] == ["PMT-1", "PMT-2", "PMT-3"]
    page = (await site.get(f"{ONE}/payments?limit=2")).json
    assert [one["payment_id"] for one in page["items"]] == ["PMT-1", "PMT-2"]
    rest = (await site.get(f"{ONE}/payments?limit=2&cursor={page['next_cursor']}")).json
    assert ([one["payment_id"] for one in rest["items"]], rest["next_cursor"]) == (["PMT-3"], None)
    assert (await site.get(ONE)).json["payment_outcome"] == "failed"
    assert (await site.get(f"{ONE}/payments?cursor=nonsense")).problem == "cursor_invalid"


async def test_nobody_speaks_of_anothers_payment_nor_moves_one_to_another_consent(site: Site) -> None:
    await register(site)
    await deliver(site, paid(PAID, 2))
    other = message(uae.payment(PaymentId="PMT-1", ConsentId="another", Status="Rejected"), ConsentId="another")
    await deliver(site, other)
    await deliver(site, paid("Rejected", 9), key="other hub", kid="other-sig2", iss=site.other_hub.issuer)
    (shown,) = await payments(site)
    assert shown["status"] == PAID
    assert site.rows("SELECT provider, consent_id, status FROM payment ORDER BY provider") == [
        ("demobank", ID, PAID),
        ("otherbank", ID, "Rejected"),
    ]


async def test_what_is_not_verified_is_no_word_on_a_payment(site: Site) -> None:
    await register(site)
    await deliver(site, paid(PAID, 2), key="stranger")
    assert await payments(site) == []


async def test_a_payment_event_that_says_too_little_is_kept_as_an_event(site: Site) -> None:
    await register(site)
    for changes in ({"Status": None}, {"StatusUpdateDateTime": "soon"}, {"PaymentId": "a b"}, {"PaymentId": 7}):
        await deliver(site, message(uae.payment(**changes), ConsentId=ID))
    assert await payments(site) == []
    assert site.rows("SELECT count(*) FROM other_event") == [(4,)]


async def test_a_consent_with_payments_that_shares_data_is_no_single_payment(site: Site) -> None:
    made = await site.register()
    assert made["labels"] is None, "its holder does not know it"
    await site.post(site.event(message=message(data())))
    await site.work_off()
    seen = (await site.get(f"/v1/consents/demobank/{made['consent_id']}")).json
    assert seen["labels"] == {"shelf": "Current", "status": "Active", "type": "Data Sharing"}
    assert seen["payment_outcome"] is None
