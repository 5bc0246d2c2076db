"""What `tracker journal export` does."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from tracker.cli.looking import exported
from tracker.cli.output import console, print_line
from tracker.cli.running import do, split_name
from tracker.domain.errors import InvalidRequestError
from tracker.domain.export import ExportRequest, Format
from tracker.journal.folder import ExportError
from tracker.usecases.export import Exported, require_sense

if TYPE_CHECKING:
    from tracker.app import Tracker


def wanted(
    form: str,
    since: str | None,
    until: str | None,
    *,
    provider: str | None,
    kind: str | None,
    consent: str | None,
    user_ref: str | None,
) -> ExportRequest:
    """Read what is wanted.

    Raises:
        InvalidRequestError: It cannot be.
    """
    if form not in set(Format):
        raise InvalidRequestError(f"--format is {', '.join(Format)}, not {form!r}.")
    consent_id = None
    if consent is not None:
        its_provider, consent_id = split_name(consent)
        if provider not in {None, its_provider}:
            raise InvalidRequestError("--consent names another provider than --provider.")
        provider = its_provider
    request = ExportRequest(
        format=Format(form),
        since=_time("--from", since),
        until=_time("--to", until),
        provider=provider,
        kind=kind,
        consent_id=consent_id,
        user_ref=user_ref,
    )
    require_sense(request)
    return request


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidRequestError(f"{option} is a time with its offset, such as 2026-03-02T10:15:00Z, not {text!r}.")


def export_to(out: Path, request: ExportRequest) -> None:
    """Export, with a bar on a terminal, and say what was written.

    Raises:
        InvalidRequestError: It cannot be written there.
    """
    screen = console(stderr=True)

    async def deed(tracker: "Tracker") -> Exported:
        asked = {"out": out, "entries": await tracker.store.head(), **_asked(request)}
        await exported(tracker, "journal.export", asked)
        with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
            task = bar.add_task("exporting", total=None)
            return await tracker.auditing.exporting.export(
                out, request, lambda done, total: bar.update(task, completed=done, total=total)
            )

    try:
        done = do(deed)
    except ExportError as error:
        raise InvalidRequestError(str(error)) from error
    print_line(f"{out}: {_told(done, request.format)}.")


def _asked(request: ExportRequest) -> dict[str, object]:
    """What is written down of what is wanted."""
    return {
        "format": None if request.format is Format.JSONL else request.format.value,
        "from": request.since,
        "to": request.until,
        "provider": request.provider,
        "kind": request.kind,
        "consent_id": request.consent_id,
        "user_ref": request.user_ref,
    }


def _told(done: Exported, form: Format) -> str:
    what = ("consent record", "consent records") if form is Format.CONSENT_RECORDS else ("entry", "entries")
    count = f"{done.count} {what[done.count != 1]}"
    if form is not Format.JSONL:
        return f"{count}, to be read; what is proved is --format jsonl"
    of = "" if done.part.is_whole else f" of {done.part.tree_size}"
    return f"{count}{of}, " + ("signed" if done.is_signed else "not signed: there is no [audit] checkpoint_key")
