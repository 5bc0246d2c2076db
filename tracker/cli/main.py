"""The program: its commands, and what its errors look like."""

import sys

import typer

from tracker.cli import check, consents, db, demo, journal, keys, sandbox, serve, subscriptions
from tracker.domain.errors import ConfigurationError, InvalidRequestError, TrackerError

_NO, _WRONG = 1, 2

app = typer.Typer(
    name="tracker",
    help="Follow the lifecycle of open banking consents, and prove every move.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
demo.register(app)
serve.register(app)
check.register(app)
app.add_typer(db.app, name="db")
app.add_typer(consents.app, name="consents")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(journal.app, name="journal")
app.add_typer(keys.app, name="keys")
app.add_typer(sandbox.app, name="sandbox")


def main() -> None:
    """Run the program. Exit status: 0 done, 1 the answer is no, 2 wrong usage or configuration."""
    try:
        app()
    except (ConfigurationError, InvalidRequestError) as error:
        _say(error)
        sys.exit(_WRONG)
    except TrackerError as error:
        _say(error)
        sys.exit(_NO)
    except BrokenPipeError:  # whoever read our output has enough
        sys.stderr.close()
        sys.exit(0)


def _say(error: TrackerError) -> None:
    print(f"tracker: {error}", file=sys.stderr)
