"""`tracker consents group`, and what `show` says of limits and deadlines."""

import json

import pytest

from tests.cli.histories import CONSENT, START, at, tell
from tests.profiles import uae_payloads as uae
from tests.usecases.chain import NEXT, THIRD, hear, renew, time_text
from tracker.web.api.shapes.groups import GroupOut

GROUP = f"demobank/{CONSENT}"


async def a_chain(bench):
    await bench.register()
    await hear(bench, CreationDateTime=time_text(START))
    at(bench, "2026-04-02T06:10:00+00:00")
    await hear(bench, "Revoked", RevokedBy="TPP", CreationDateTime=time_text(START))
    at(bench, "2026-04-12T06:10:00+00:00")
    await renew(bench, NEXT, Permissions=["ReadAccountsBasic"], ExpirationDateTime="2099-01-01T00:00:00Z")
    at(bench, "2026-05-02T06:10:00+00:00")
    await renew(bench, THIRD, ExpirationDateTime="2099-06-01T00:00:00Z")


@pytest.fixture
def chain(filled, key_folder):
    tell(filled / "tracker.db", key_folder, a_chain)
    return filled


def test_a_chain_is_shown_with_what_is_odd_about_it(run, chain):
    lines = run("consents", "group", GROUP).lines
    assert [line.split()[0] for line in lines[:4]] == ["consent", CONSENT, NEXT, THIRD]
    assert lines[1].split()[1:6] == ["Revoked", "2026-03-02", "06:09:59", "2026-04-02", "06:09:59"]
    assert lines[2].split()[-3:] == [CONSENT, "Revoked", "narrower"]
    assert lines[3].split()[1] == "*"
    assert lines[3].split()[-3:] == [NEXT, "Authorized", "wider"]
    assert lines[4:] == [
        f"Current: {THIRD}, usable.",
        "Gap: nobody was authorized from 2026-04-02 06:09:59 until 2026-04-12 06:09:59.",
        f"Overlap: {NEXT} and {THIRD} from 2026-05-02 06:09:59 until 2099-01-01 00:00:00.",
        f"{NEXT} may no longer ReadBalances.",
        f"{THIRD} may also ReadBalances.",
    ]


def test_json_is_the_shape_of_the_api(run, chain):
    done = run("consents", "group", GROUP, "--json")
    assert (done.status, done.err) == (0, "")
    found = GroupOut.model_validate_json(done.out)
    assert (found.current_consent_id, len(found.members), len(found.gaps)) == (THIRD, 3, 1)


def test_a_consent_that_was_never_authorized_is_shown_too(run, filled, key_folder):
    async def unheard(bench):
        await bench.register()

    tell(filled / "tracker.db", key_folder, unheard)
    lines = run("consents", "group", GROUP).lines
    assert lines[1].split() == [CONSENT, "NotStaged", *"–––––"]
    assert lines[2:] == ["None of them is authorized now."]


def test_what_is_not_there_is_said(run, chain):
    assert run("consents", "group", "demobank/nobody").status == 1
    assert CONSENT in run("consents", "group", f"demobank/{NEXT}").says
    assert run("consents", "group", "demobank").status == 2


def test_show_says_what_is_used_and_by_when_to_attest(run, filled, key_folder):
    async def lived(bench):
        await bench.register(uae.PAYMENT_ID, kind="payment")
        used = {"CumulativeNumberOfPayments": 5, "CumulativeValueOfPayments": {"Amount": "1.00", "Currency": "AED"}}
        await hear(
            bench,
            consent_id=uae.PAYMENT_ID,
            **{
                name: value
                for name, value in uae.standing_payments(PaymentConsumption=used).items()
                if name in {"ControlParameters", "PaymentConsumption"}
            },
        )
        await bench.register()
        await hear(bench, "Revoked")

    tell(filled / "tracker.db", key_folder, lived)
    lines = run("consents", "show", f"demobank/{uae.PAYMENT_ID}").lines
    (told,) = (line.partition("  ")[2].strip() for line in lines if line.startswith("limits"))
    assert told.split("; ") == [
        "maximum_cumulative_number_of_payments 5 of 6",
        "maximum_cumulative_number_of_payments_per_period 1 a Month",
        "amount 310.00 AED  (nearly exhausted)",
    ]
    lines = run("consents", "show", GROUP).lines
    assert "attest by     2026-04-16 06:09:59" in lines
    assert not [line for line in lines if line.startswith("limits")]


def test_the_timeline_tells_notices(run, filled, key_folder):
    async def lived(bench):
        await bench.register()
        await hear(bench)
        at(bench, "2026-03-04T06:10:00+00:00")
        await renew(bench)
        at(bench, "2026-03-06T06:10:00+00:00")
        await bench.notices.run_once()
        await hear(bench, "Revoked", NEXT)
        at(bench, "2026-08-25T06:10:00+00:00")
        await bench.notices.run_once()

    tell(filled / "tracker.db", key_folder, lived)
    lines = run("consents", "timeline", GROUP).lines
    place = next(n for n, line in enumerate(lines) if "beside its renewal" in line)
    assert lines[place : place + 2] == [
        "  06:10:00  still authorized beside its renewal  our clock               #5",
        "            since 2026-03-04 06:09:59; it wants to be revoked",
    ]
    assert lines[-2:] == [
        "  06:10:00  a deadline comes                     our clock               #8",
        "            in 7 days: 2026-08-31 20:00:00",
    ]
    items = json.loads(run("consents", "timeline", GROUP, "--json").out)["items"]
    assert [item["reason"] for item in items if item["to"] is None] == ["successor_authorized", "in_7_days"]
