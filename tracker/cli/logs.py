"""How the service logs: lines for people, or a JSON object a line. What must not be in a log is masked here at the latest."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

FIELDS = (
    "interaction_id",
    "outcome",
    "step",
    "reason",
    "sequence",
    "entry_id",
    "type",
    "provider",
    "tracking_id",
    "subscription",
)
"""What a line may have besides, under names that stay."""

_SECRET = re.compile(
    r"""
    \beyJ[\w-]{8,}(?:\.[\w-]*){0,4}         # a token or a part of it: its header begins with {"
    | \b(?:whsec|trk)_[\w+/=-]{8,}          # our own secrets
    | (?<=Bearer[ ])\S+
    | \b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?\b  # an IBAN
    """,
    re.VERBOSE | re.ASCII,
)
_MASK = "(masked)"


def masked(text: str) -> str:
    """Put a mask over what looks like a token, a secret of ours or an account number.

    Nothing of that is ever logged on purpose. This is for the errors of others, which may quote what they choked on.
    """
    return _SECRET.sub(_MASK, text)


class JsonLines(logging.Formatter):
    """One JSON object a line; the names of its members stay."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        shown = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage()),
        }
        for name in FIELDS:
            value = record.__dict__.get(name)
            if value is not None:
                shown[name] = masked(value) if isinstance(value, str) else value
        if record.exc_info:
            shown["error"] = masked(self.formatException(record.exc_info))
        return json.dumps(shown)  # in ASCII: some terminals obey control characters that JSON lets through


class TextLines(logging.Formatter):
    """One line for people; control characters of others are shown, not obeyed."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        text = super().format(record)
        message = self.formatMessage(record)
        # A line feed of others would begin a line that looks like ours: only a traceback has lines, and it is indented.
        return "\n    ".join(_shown(masked(line)) for line in (message, *text[len(message) :].split("\n")[1:]))


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _is_not_rubbish(record: logging.LogRecord) -> bool:
    """Leave out what strangers send that is not even HTTP: it was answered with 400, and is no fault of anybody here.

    Nor is a body that cannot be unpacked, which the library comes across once more when it throws away what is left of it.
    """
    from aiohttp.http_exceptions import BadHttpMessage  # noqa: PLC0415 - the help should come at once
    from aiohttp.web import RequestPayloadError  # noqa: PLC0415

    return not (record.exc_info and isinstance(record.exc_info[1], BadHttpMessage | RequestPayloadError))


def set_up(level: str, form: str) -> None:
    """Log to standard error.

    The level is for what we say ourselves. Libraries are heard from warnings on: what they say below that quotes rows of
    the database, among other things.
    """
    handler = logging.StreamHandler(sys.stderr)
    text = TextLines("%(asctime)s %(levelname)-7s %(name)s  %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonLines() if form == "json" else text)
    chosen = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(chosen, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("tracker").setLevel(chosen)
    logging.getLogger("aiohttp.server").addFilter(_is_not_rubbish)
