"""The program: its commands, and what its errors look like."""

import io
import os
import sys
from collections.abc import Sequence

import typer

from tracker.cli import (
    audit,
    check,
    completion,
    consents,
    db,
    demo,
    evidence,
    hindsight,
    journal,
    keys,
    payments,
    privacy,
    providers,
    quarantine,
    replays,
    sandbox,
    serve,
    subscriber_work,
    subscriptions,
)
from tracker.cli.output import printable
from tracker.domain.errors import ConfigurationError, InvalidRequestError, TrackerError

_NO, _WRONG, _INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="tracker",
    help="Follow the lifecycle of open banking consents, and prove every move.",
    epilog="Example: tracker demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
completion.register(app)
demo.register(app)
serve.register(app)
check.register(app)
app.add_typer(db.app, name="db")
hindsight.register(consents.app)
app.add_typer(consents.app, name="consents")
app.add_typer(payments.app, name="payments")
app.add_typer(providers.app, name="providers")
subscriber_work.register(subscriptions.app)
replays.register(subscriptions.app)
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(journal.app, name="journal")
app.add_typer(audit.app, name="audit")
app.add_typer(privacy.app, name="privacy")
app.add_typer(evidence.app, name="evidence")
app.add_typer(keys.app, name="keys")
app.add_typer(sandbox.app, name="sandbox")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit.

    Exit status: 0 done; 1 the answer is no, or nobody was there to read it; 2 wrong usage, unreadable file, bad
    configuration, schema behind; 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no reason to fail
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        status = app(args=arguments, prog_name="tracker", standalone_mode=False) or 0
        sys.stdout.flush()
    except typer.TyperException as error:
        return _refuse(_usage(error), _WRONG)
    except (ConfigurationError, InvalidRequestError) as error:
        return _refuse(str(error), _WRONG)
    except TrackerError as error:
        return _refuse(str(error), _NO)
    except (BrokenPipeError, SystemExit) as error:
        # What is printed through typer or rich hides a broken pipe in an exit.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        _hang_up()
        return _NO
    except OSError as error:
        return _refuse(f"{error.filename or 'The system'}: {error.strerror or error}.", _WRONG)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        what = f"{type(error).__name__}: {error}"
        return _refuse(f"{what}. This is a mistake of ours; `python -X dev -m tracker …` shows where.", _WRONG)
    return _refuse("interrupted.", status) if status == _INTERRUPTED else int(status)


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "tracker"
    said = " ".join(error.format_message().split())
    return f"{said.rstrip('.')}; see `{command} --help`." if said else ""


def _refuse(sentence: str, status: int) -> int:
    if sentence:
        print(f"tracker: {printable(sentence)}", file=sys.stderr)
    return status


def _hang_up() -> None:
    """Throw away what nobody reads any more, or the interpreter would complain about it in the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
