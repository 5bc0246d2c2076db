"""`tracker payments`: what holders say of payments under consents."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tracker.cli.looking import exported, find, looked
from tracker.cli.output import Json, print_json, print_line, print_table, printable, time_text
from tracker.cli.running import do, split_name

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.domain.payment import Payment, PaymentOutcome
    from tracker.web.api.shapes.payments import PaymentsQuery

_LOOKS = {"successful": "green", "failed": "red", "pending": "yellow"}

app = typer.Typer(
    help="Look at the payments under consents.",
    epilog="Example: tracker payments list demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10",
    no_args_is_help=True,
)


@app.command("list", epilog="Example: tracker payments list demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def listing(
    name: Annotated[str, typer.Argument(metavar="PROVIDER/CONSENT_ID", help="Split at the first slash.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended.")] = None,
    json: Json = False,
) -> None:
    """List the payments under a consent, in order of their ids: the latest that the holder said of each."""
    from tracker.web.api.cursor import cursor_after  # noqa: PLC0415
    from tracker.web.api.shapes.payments import PaymentOut, PaymentsOut, PaymentsQuery  # noqa: PLC0415

    provider, consent_id = split_name(name)
    query = PaymentsQuery(cursor=cursor)
    after = _place_in(query)

    async def deed(tracker: "Tracker") -> "list[Payment]":
        seen = await find(tracker, provider, consent_id, "payment.list")
        consent = (await looked(tracker, "payment.list", seen)).consent
        return await tracker.services.payments.under((consent.provider, consent.consent_id), limit + 1, after)

    found = do(deed)
    page = found[:limit]
    following = cursor_after(page[-1].payment_id, query) if len(found) > limit else None
    if json:
        print_json(PaymentsOut(items=tuple(PaymentOut.of(one) for one in page), next_cursor=following))
        return
    headings = ("payment", "status", "outcome", "since (UTC)", "amount", "heard (UTC)")
    rows = (
        (
            f"{one.provider}/{one.payment_id}",
            one.status,
            _outcome(one.outcome),
            time_text(one.status_date_time),
            _amount(one),
            time_text(one.received_at),
        )
        for one in page
    )
    print_table(headings, rows, empty="No payments found.")
    if following:
        print_line(f"There are more: a larger --limit shows them, or --cursor {following}")


@app.command(epilog="Example: tracker payments show demobank/PMT-0001")
def show(
    name: Annotated[str, typer.Argument(metavar="PROVIDER/PAYMENT_ID", help="Split at the first slash.")],
    json: Json = False,
) -> None:
    """Show one payment."""
    from tracker.web.api.shapes.payments import PaymentOut  # noqa: PLC0415

    provider, payment_id = split_name(name)

    async def deed(tracker: "Tracker") -> "Payment":
        payment = await tracker.services.payments.get(provider, payment_id)
        await exported(tracker, "payment.show", {"payment": name})
        return payment

    found = do(deed)
    if json:
        print_json(PaymentOut.of(found))
        return
    is_final = "" if found.is_final else "  (may change)"
    facts: dict[str, str | Text] = {
        "payment": f"{found.provider}/{found.payment_id}",
        "consent": f"{found.provider}/{found.consent_id}",
        "status": found.status,
        "outcome": Text.assemble(_outcome(found.outcome), is_final),
        "since": time_text(found.status_date_time),
        "made": time_text(found.creation_date_time),
        "amount": _amount(found),
        "transaction": found.transaction_id or "–",
        "rejected for": ", ".join(found.reject_codes) or "–",
        "heard": time_text(found.received_at),
        "signed with": found.kid,
        "token": f"SHA-256 {found.jws_sha256}",
    }
    for label, fact in facts.items():
        print_line(Text.assemble((f"{label:<12}  ", "bold"), Text(printable(fact)) if isinstance(fact, str) else fact))


def _place_in(query: "PaymentsQuery") -> str:
    """Where its cursor goes on.

    Raises:
        InvalidRequestError: It is the cursor of another list.
    """
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.web.api.cursor import key_of  # noqa: PLC0415
    from tracker.web.api.payments import PAYMENT_ID  # noqa: PLC0415
    from tracker.web.problems import Problem  # noqa: PLC0415

    try:
        return "" if query.cursor is None else key_of(query.cursor, query, PAYMENT_ID)
    except Problem as error:
        raise InvalidRequestError("This --cursor is not of a list of payments; begin without one.") from error


def _outcome(outcome: "PaymentOutcome") -> Text:
    return Text(outcome.value, _LOOKS[outcome.value])


def _amount(payment: "Payment") -> str:
    return " ".join(word for word in (payment.amount, payment.currency) if word) or "–"
