"""`tracker check`: can this configuration work, line by line."""

import asyncio
import logging
import sys
from dataclasses import asdict

import typer
from rich.text import Text

from tracker.cli.output import Json, print_json, print_line, printable
from tracker.domain.errors import TrackerError

_NO, _WRONG = 1, 2
_SUBJECT_WIDTH = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: tracker check")(check)


def check(json: Json = False) -> None:
    """Check configuration, database, certificates, keys, clock, providers and our access to them; and say what to do next.

    What should be seen to soon is marked `warn`, and is well. Exit status 1 if something is wrong, 2 if the service would not
    even start.
    """
    from tracker.app import TO_COPY, Finding, check_all  # noqa: PLC0415
    from tracker.cli.running import load  # noqa: PLC0415
    from tracker.settings import configuration_file  # noqa: PLC0415

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="tracker: %(message)s")
    findings: list[Finding] = []

    def show(finding: Finding) -> None:
        findings.append(finding)
        if json:
            return
        if finding.subject == "next":
            print_line(Text.assemble(("next  ", "cyan"), printable(finding.text)))
            return
        mark = ("FAIL  ", "red")
        if finding.ok:
            mark = ("warn  ", "yellow") if finding.warns else ("ok    ", "green")
        print_line(Text.assemble(mark, f"{finding.subject:<{_SUBJECT_WIDTH}}  {printable(finding.text)}"))

    file = configuration_file()
    try:
        settings = load()
    except TrackerError as error:
        show(Finding("configuration", str(error), ok=False, stops=True))
        show(Finding("next", "put right what is said of the configuration, then `tracker check` again", ok=True))
    else:
        if file.exists():
            counts = f"{len(settings.client)} client(s), {len(settings.provider)} provider(s)"
            show(Finding("configuration", f"{file}: {counts}", ok=True))
            asyncio.run(check_all(settings, show))
        else:
            show(Finding("configuration", f"there is no {file}, and TRACKER_CONFIG names no other", ok=False))
            show(Finding("next", f"write tracker.toml, or go to the folder that has it; {TO_COPY}", ok=True))
    if json:
        print_json({"ok": all(one.ok for one in findings), "findings": [asdict(one) for one in findings]})
    if any(one.stops for one in findings):
        raise typer.Exit(_WRONG)
    if not all(one.ok for one in findings):
        raise typer.Exit(_NO)
