"""`GET /v1/groups/{provider}/{base_consent_id}`, and what a consent shows of its limits and deadlines."""

from datetime import datetime, timedelta
from typing import Any

from tests.profiles import uae_payloads as uae
from tests.usecases.bench import CONSENT, data, message
from tests.usecases.chain import NEXT, THIRD, time_text
from tests.web.site import Site

GROUP = f"/v1/groups/demobank/{CONSENT}"


async def tell(site: Site, status: str, consent_id: str = CONSENT, **changes: Any) -> None:
    """Let the holder tell by an event what moved now."""
    found = data(status, time_text(site.clock.now()), **{"ConsentId": consent_id, **changes})
    await deliver(site, found)


async def deliver(site: Site, found: dict[str, Any]) -> None:
    now = site.seconds
    said = message(found, at=found["StatusUpdateDateTime"], ConsentId=found["ConsentId"])
    body = site.event(iat=now - 1, nbf=now - 1, exp=now + 600, message=said)
    assert (await site.post(body)).status == 202
    await site.work_off()


async def a_chain(site: Site) -> datetime:
    """A first one, revoked five days before a second one that can do more; a third beside that can do less."""
    began = site.clock.now()
    made = {"CreationDateTime": time_text(began)}
    await site.register()
    await tell(site, "Authorized", **made)
    site.advance(86_400)
    await tell(site, "Revoked", RevokedBy="TPP", **made)
    for n, (consent_id, permissions) in enumerate(
        [(NEXT, ["ReadAccountsBasic", "ReadBalances", "ReadParty"]), (THIRD, ["ReadAccountsBasic"])], 1
    ):
        site.advance(5 * 86_400)
        await site.register(consent_id, base_consent_id=CONSENT)
        facts = {
            "BaseConsentId": CONSENT,
            "Permissions": permissions,
            "CreationDateTime": time_text(site.clock.now()),
            "ExpirationDateTime": time_text(began + n * timedelta(days=100)),
        }
        await tell(site, "Authorized", consent_id, **facts)
    return began


def day(began: datetime, days: int) -> str:
    return (began + timedelta(days=days)).replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


async def test_a_group_shows_what_counts_what_is_covered_and_what_changed(site: Site) -> None:
    began = await a_chain(site)
    said = await site.get(GROUP)
    assert said.status == 200
    told = said.json
    members = told.pop("members")
    assert told == {
        "provider": "demobank",
        "base_consent_id": CONSENT,
        "current_consent_id": THIRD,
        "usable": True,
        "covered": [
            {"since": day(began, 0), "until": day(began, 1)},
            {"since": day(began, 6), "until": day(began, 200)},
        ],
        "gaps": [{"since": day(began, 1), "until": day(began, 6)}],
        "overlaps": [
            {"since": day(began, 11), "until": day(began, 100), "consent_ids": sorted([NEXT, THIRD])},
        ],
        "is_whole": True,
    }
    first, second, third = members
    assert [(m["consent_id"], m["is_root"], m["effective_status"], m["usable"]) for m in members] == [
        (CONSENT, True, "Revoked", False),
        (NEXT, False, "Authorized", True),
        (THIRD, False, "Authorized", True),
    ]
    assert first["predecessor"] is None
    assert first["authorized"] == [{"since": day(began, 0), "until": day(began, 1)}]
    assert second["predecessor"] == {
        "consent_id": CONSENT,
        "effective_status": "Revoked",
        "revoked": True,
        "revoked_by": "TPP",
        "scope": {
            "change": "wider",
            "permissions_added": ["ReadParty"],
            "permissions_removed": [],
            "limits_raised": [],
            "limits_lowered": [],
        },
    }
    assert (third["predecessor"]["consent_id"], third["predecessor"]["revoked"]) == (NEXT, False)
    assert third["predecessor"]["scope"]["change"] == "narrower"


async def test_a_renewal_that_came_to_nothing_is_nobodys_predecessor(site: Site) -> None:
    await site.register()
    await tell(site, "Authorized")
    for consent_id, status in ((NEXT, "Rejected"), (THIRD, "Authorized")):
        site.advance(60)
        await site.register(consent_id, base_consent_id=CONSENT)
        made = time_text(site.clock.now())
        await tell(site, status, consent_id, BaseConsentId=CONSENT, CreationDateTime=made)
    _, second, third = (await site.get(GROUP)).json["members"]
    assert second["authorized"] == []
    assert third["predecessor"]["consent_id"] == CONSENT
    assert third["predecessor"]["scope"]["change"] == "same"


async def test_a_group_whose_first_one_is_not_tracked_is_one_too(site: Site) -> None:
    await site.register(NEXT, base_consent_id=CONSENT)
    told = (await site.get(GROUP)).json
    assert [member["consent_id"] for member in told["members"]] == [NEXT]
    assert (told["current_consent_id"], told["usable"], told["covered"]) == (None, False, [])


async def test_a_consent_without_renewals_is_a_group_of_its_own(site: Site) -> None:
    await site.register()
    assert [member["is_root"] for member in (await site.get(GROUP)).json["members"]] == [True]


async def test_the_id_of_a_renewal_leads_to_its_group(site: Site) -> None:
    await site.register(NEXT, base_consent_id=CONSENT)
    said = await site.get(f"/v1/groups/demobank/{NEXT}")
    assert (said.status, said.problem) == (404, "consent_not_found")
    assert CONSENT in said.json["detail"]


async def test_what_nobody_tracks_is_not_found(site: Site) -> None:
    await site.register()
    for path in (
        f"/v1/groups/otherbank/{CONSENT}",
        "/v1/groups/demobank/x",
        f"/v1/groups/nobank/{CONSENT}",
        "/v1/groups/a/%20",
    ):
        assert (await site.get(path)).problem == "consent_not_found"


async def test_an_expired_one_ends_by_our_clock(site: Site) -> None:
    await site.register()
    ends = site.clock.now() + timedelta(days=2)
    await tell(site, "Authorized", ExpirationDateTime=time_text(ends))
    site.advance(3 * 86_400)
    told = (await site.get(GROUP)).json
    assert told["current_consent_id"] is None
    assert told["covered"][0]["until"] == time_text(ends).replace("Z", ".000000Z")


# ---------------------------------------------------------------------------------------------- of one consent


async def test_a_payment_shows_its_limits_and_how_much_of_them_is_used(site: Site) -> None:
    await site.register(uae.PAYMENT_ID, kind="payment")
    used = {"CumulativeNumberOfPayments": 5, "CumulativeValueOfPayments": {"Amount": "1550.00", "Currency": "AED"}}
    found = uae.standing_payments(PaymentConsumption=used, StatusUpdateDateTime=time_text(site.clock.now())) | {
        "Status": "Authorized"
    }
    await deliver(site, found)
    told = (await site.get(f"/v1/consents/demobank/{uae.PAYMENT_ID}")).json
    assert told["limits"][0] == {
        "name": "maximum_cumulative_number_of_payments",
        "maximum": "6",
        "used": "5",
        "share": 5 / 6,
        "currency": None,
        "period": None,
    }
    assert told["nearly_exhausted"] is True
    assert (told["effective_status"], told["attestation_due_at"]) == ("Authorized", None)
    listed = (await site.get("/v1/consents")).json["items"][0]
    assert listed["limits"] == told["limits"]


async def test_an_ended_data_sharing_consent_shows_by_when_deletion_must_be_attested(site: Site) -> None:
    await site.register()
    await tell(site, "Authorized")
    one = f"/v1/consents/demobank/{CONSENT}"
    before = (await site.get(one)).json
    assert (before["attestation_due_at"], before["limits"], before["nearly_exhausted"]) == (None, [], None)
    began = site.clock.now().replace(microsecond=0)
    site.advance(60)
    await tell(site, "Revoked")
    ended = site.clock.now().replace(microsecond=0)
    assert (await site.get(one)).json["attestation_due_at"] == day(ended, 45)
    assert (await site.get(one, params={"as_of": time_text(began)})).json["attestation_due_at"] is None
