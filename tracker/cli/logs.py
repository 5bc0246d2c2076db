"""How the service logs: lines for people, or a JSON object a line."""

import json
import logging
import sys
from datetime import UTC, datetime

_QUIET = ("alembic", "apscheduler", "asyncio")
"""Libraries that say more than an operator wants to hear."""


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        shown = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            shown["error"] = self.formatException(record.exc_info)
        return json.dumps(shown)  # in ASCII: some terminals obey control characters that JSON lets through


class TextLines(logging.Formatter):
    """One line for people; control characters of others are shown, not obeyed."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        text = super().format(record)
        message = self.formatMessage(record)
        # A line feed of others would begin a line that looks like ours: only a traceback has lines, and it is indented.
        return "\n    ".join(_shown(line) for line in (message, *text[len(message) :].split("\n")[1:]))


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _is_not_rubbish(record: logging.LogRecord) -> bool:
    """Leave out what strangers send that is not even HTTP: it was answered with 400, and is no fault of anybody here."""
    from aiohttp.http_exceptions import BadHttpMessage  # noqa: PLC0415 - the help should come at once

    return not (record.exc_info and isinstance(record.exc_info[1], BadHttpMessage))


def set_up(level: str, form: str) -> None:
    """Log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    text = TextLines("%(asctime)s %(levelname)-7s %(name)s  %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonLines() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_is_not_rubbish)
