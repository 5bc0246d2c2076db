"""`tracker consents was-usable`: one readable paragraph about one instant of the past."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.output import Json, age_text, print_json, print_line, printable, time_text
from tracker.cli.running import do, split_name

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.journal.entry import Entry
    from tracker.usecases.was_usable import Standing, WasUsable

TimeOption = Annotated[str, typer.Option(metavar="TIME", help="With an offset, such as 2026-03-02T10:42:00+04:00.")]


def register(app: typer.Typer) -> None:
    """Put the command among those about consents."""
    app.command(
        "was-usable", epilog="Example: tracker consents was-usable demobank/5b0e7c1a --at 2026-03-02T10:42:00Z"
    )(was_usable)


def was_usable(
    name: Annotated[str, typer.Argument(metavar="PROVIDER/CONSENT_ID", help="Split at the first slash.")],
    at: TimeOption,
    json: Json = False,
) -> None:
    """Say whether a consent was usable at an instant, and whether we had reason to think so."""
    from tracker.cli.looking import find, looked  # noqa: PLC0415
    from tracker.web.api.shapes.hindsight import WasUsableOut  # noqa: PLC0415

    provider, consent_id = split_name(name)
    instant = instant_of("at", at)

    async def deed(tracker: "Tracker") -> "WasUsable":
        seen = await find(tracker, provider, consent_id, "consent.was_usable")
        answer = await tracker.services.was_usable.of(seen, instant)
        await looked(tracker, "consent.was_usable", seen, {"at": at})
        return answer

    found = do(deed)
    if json:
        print_json(WasUsableOut.of(found))
    else:
        print_line(paragraph(found))


def instant_of(option: str, text: str) -> datetime:
    """Read a time that an option gives.

    Raises:
        InvalidRequestError: It is none, or has no offset.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.web.api.shapes.fields import TimeIn  # noqa: PLC0415

    try:
        read: datetime = TypeAdapter(TimeIn).validate_python(text)
    except ValidationError as error:
        raise InvalidRequestError(
            f"--{option} {text!r} is no time with an offset; write 2026-03-02T10:15:00Z, or 2026-03-02T14:15:00+04:00."
        ) from error
    return read


def paragraph(found: "WasUsable") -> str:
    """The answer in sentences."""
    consent = found.consent.consent
    name = f"{consent.provider}/{consent.consent_id}"
    sentences = [
        f"At {time_text(found.at)} UTC {name} was {_usable(found.today)}, by all that we know today.",
        f"We {'had reason to think so' if found.then.usable else 'did not think it usable'} then: {_then(found)}."
        if found.today.usable or not found.then.usable
        else f"But we believed it usable then: {_then(found)}.",
        _age(found),
        *(_news(entry) for entry in found.learned_since),
    ]
    if not found.learned_since:
        sentences.append("Nothing that was recorded later speaks of that time.")
    return " ".join(sentence for sentence in sentences if sentence)


def _usable(standing: "Standing") -> str:
    if standing.usable:
        return "usable (Authorized)"
    status = "" if standing.seen is None else f"{standing.seen.effective_status}; "
    return f"not usable ({status}{standing.reason.value.replace('_', ' ')})"


def _then(found: "WasUsable") -> str:
    then = found.then
    if then.seen is None:
        return "it was not tracked yet"
    told = f"we took it for {then.seen.effective_status}"
    if not then.usable and then.seen.effective_status == "Authorized":
        told += f" ({then.reason.value.replace('_', ' ')})"
    word = found.word
    if word is None:
        return f"{told}, and the holder had said nothing"
    channel = printable(str(word.data["channel"]))
    return f"{told}, by entry {word.sequence} ({channel}, recorded {time_text(word.recorded_at)})"


def _age(found: "WasUsable") -> str:
    if found.then.seen is None:
        return ""
    if found.confirmed_at is None:
        return "No confirmation of the holder's by then is on record."
    age = age_text(found.age_seconds or 0)
    ago = "at that very time" if age == "–" else f"{age} before"
    by = found.then.seen.consent.confirmed_by
    return f"The holder had last vouched for that {ago}{f', by {by}' if by else ''}."


def _news(entry: "Entry") -> str:
    data = entry.data
    what = (
        f"{data['from']} → {data['to']}" if data["from"] is not None else entry.type.partition(".")[2].replace("_", " ")
    )
    since, recorded = data["status_date_time"][:19].replace("T", " "), time_text(entry.recorded_at)
    return f"Learnt later, at {recorded}: {printable(what)} as of {since} (entry {entry.sequence})."
