"""`tracker payments`: the payments under a consent, for people and for programs."""

import pytest

from tests.cli.histories import at, tell
from tests.profiles import uae_payloads as uae
from tests.usecases.bench import event, message
from tracker.web.api.shapes.payments import PaymentOut, PaymentsOut

CONSENT = f"demobank/{uae.PAYMENT_ID}"


async def hear(bench, status, payment_id, **changes):
    time = "2026-03-02T10:10:01+04:00"
    found = uae.payment(PaymentId=payment_id, Status=status, StatusUpdateDateTime=time, **changes)
    now = bench.clock.now().timestamp()
    said = message(found, at=time, ConsentId=uae.PAYMENT_ID)
    await bench.deliver(event(None, iat=now - 1, nbf=now - 1, exp=now + 600, message=said))


async def several(bench):
    await bench.register(uae.PAYMENT_ID, kind="payment")
    at(bench, "2026-03-02T06:10:03+00:00")
    await hear(bench, "AcceptedCreditSettlementCompleted", "PMT-1")
    await hear(bench, "Rejected", "PMT-2", RejectReasonCode=[{"Code": "AANI.AM04", "Message": "No funds"}])
    await hear(bench, "Pending", "PMT-3")


@pytest.fixture
def paid(filled, key_folder):
    tell(filled / "tracker.db", key_folder, several)
    return filled


def test_payments_are_listed_in_order_of_their_ids(run, paid):
    lines = run("payments", "list", CONSENT).lines
    assert lines[0].split() == ["payment", "status", "outcome", "since", "(UTC)", "amount", "heard", "(UTC)"]
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["demobank/PMT-1", "AcceptedCreditSettlementCompleted", "successful"],
        ["demobank/PMT-2", "Rejected", "failed"],
        ["demobank/PMT-3", "Pending", "pending"],
    ]
    assert lines[1].split()[3:] == ["2026-03-02", "06:10:01", "74.50", "AED", "2026-03-02", "06:10:03"]


def test_a_list_goes_on_where_it_ended(run, paid):
    first = PaymentsOut.model_validate_json(run("payments", "list", CONSENT, "--limit", "2", "--json").out)
    assert ([one.payment_id for one in first.items], first.next_cursor is None) == (["PMT-1", "PMT-2"], False)
    more = run("payments", "list", CONSENT, "--limit", "2")
    assert more.lines[-1].endswith(f"or --cursor {first.next_cursor}")
    second = PaymentsOut.model_validate_json(
        run("payments", "list", CONSENT, "--cursor", first.next_cursor, "--json").out
    )
    assert (second.items[0].payment_id, second.next_cursor) == ("PMT-3", None)
    for wrong in ("nonsense", ""):
        done = run("payments", "list", CONSENT, "--cursor", wrong)
        assert (done.status, done.says) == (2, "This --cursor is not of a list of payments; begin without one.")


def test_one_is_shown_with_what_it_rests_on(run, paid):
    lines = run("payments", "show", "demobank/PMT-2").lines
    told = {line[:12].strip(): line[12:].strip() for line in lines}
    assert (told["payment"], told["consent"]) == ("demobank/PMT-2", CONSENT)
    assert (told["status"], told["outcome"], told["rejected for"]) == ("Rejected", "failed", "AANI.AM04")
    assert told["token"].startswith("SHA-256 ")
    assert any(line.endswith("pending  (may change)") for line in run("payments", "show", "demobank/PMT-3").lines)
    shown = PaymentOut.model_validate_json(run("payments", "show", "demobank/PMT-2", "--json").out)
    assert (shown.payment_id, shown.outcome, shown.reject_codes) == ("PMT-2", "failed", ("AANI.AM04",))


def test_what_is_not_there_is_said(run, paid):
    done = run("payments", "show", "demobank/PMT-9")
    assert (done.status, done.says) == (1, "demobank has told of no payment PMT-9.")
    assert run("payments", "list", "demobank/nobody").status == 1
    assert run("payments", "list", "demobank").status == 2
    assert run("payments", "show", "PMT-1").status == 2


def test_a_consent_without_payments_is_said_to_have_none(run, filled, key_folder):
    async def unpaid(bench):
        await bench.register(uae.PAYMENT_ID, kind="payment")

    tell(filled / "tracker.db", key_folder, unpaid)
    assert run("payments", "list", CONSENT).lines == ["No payments found."]
